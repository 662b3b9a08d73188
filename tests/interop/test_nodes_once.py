"""Exactly once, on three real brokers that are killed and stopped at random: an idempotent
producer, and the job of examples/copy.c, which is killed as well.

`run nodes` has a few minutes' worth of it; with --full it is what scripts/campaign does.
"""
import contextlib
import os
import random
import signal
import subprocess
import tempfile
import time

import kafka

import klamm
import trouble
from feed import Feed, check_once
from frame import equal, test
from peers import KafkaPython, await_markers

PARTITIONS = 6
COPY = os.path.join(klamm.BUILD, "examples", "copy")
TRANSACTION = 750  # records


def create(ctx, *topics):
    for topic in topics:
        klamm.create_topic(ctx.at, topic, PARTITIONS, "-r", ctx.nodes)


@test("exactly once: an idempotent producer while leaders are killed and stopped")
def idempotent(ctx):
    count, hits = (200000, 20) if ctx.full else (40000, 5)
    create(ctx, "once")
    with Feed(ctx.at, "once", "-X", "request.timeout.ms=3000", "-X", "linger.ms=5") as feed:
        for _ in range(hits):
            time.sleep(random.uniform(0.5, 2))
            what = trouble.hit_leader(ctx, "once")
            print(f"# {feed.sent} sent: {what}", flush=True)
            trouble.await_replicas(ctx)
        count = feed.finish(count)
    check_once(KafkaPython.consume(ctx.at, "once"), count)
    print(f"# {count} records, each once")


class Job:
    """The copying job under a supervisor that starts it again."""

    def __init__(self, ctx, folder, source, sink):
        self.conf = os.path.join(folder, f"{source}.conf")
        with open(self.conf, "w", encoding="ascii") as file:
            file.write(f"bootstrap.servers={ctx.at}\ngroup.id={source}\n"
                       f"transactional.id={source}\nrequest.timeout.ms=5000\n")
        self.args = [COPY, self.conf, source, sink, str(TRANSACTION)]
        self.log = os.path.join(folder, f"{source}.log")
        self.env = dict(os.environ, KLAMM_PLUGIN_PATH=os.path.join(klamm.BUILD, "plugins",
                                                                   ".libs"))
        self.gave_up = 0
        self.start()

    def start(self):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(self.args, stderr=log, env=self.env)

    def look(self):
        """Starts it again where it could not go on."""
        if self.process.poll() is not None:
            equal(self.process.returncode, 1, f"exit status; it said {self.said()}")
            self.gave_up += 1
            print("".join(f"# {line}\n" for line in self.said().splitlines()), end="")
            assert self.gave_up < 10, f"the job gives up again and again: {self.said()}"
            self.start()

    def kill(self):
        self.process.kill()
        self.process.wait()
        self.start()

    def end(self):
        """On SIGTERM it leaves with 0."""
        self.process.send_signal(signal.SIGTERM)
        equal(self.process.wait(60), 0, f"exit status; it said {self.said()}")

    def said(self):
        with open(self.log, encoding="utf-8") as file:
            return file.read()[-2000:]


@contextlib.contextmanager
def job(ctx, source, sink):
    with tempfile.TemporaryDirectory() as folder:
        it = Job(ctx, folder, source, sink)
        try:
            yield it
        finally:
            it.process.kill()
            it.process.wait()


def await_progress(ctx, it, source, enough):
    """Until enough of [(what the group has committed, the end) of each partition]."""
    reader = kafka.KafkaConsumer(bootstrap_servers=ctx.at, group_id=source,
                                 enable_auto_commit=False)
    parts = [kafka.TopicPartition(source, p) for p in range(PARTITIONS)]
    until = time.monotonic() + 180
    try:
        while True:
            ends = reader.end_offsets(parts)
            if enough([(reader.committed(tp) or 0, ends[tp]) for tp in parts]):
                return
            assert time.monotonic() < until, f"the job does not get on; it said {it.said()}"
            it.look()
            time.sleep(0.2)
    finally:
        reader.close()


def has_begun(rows):
    return any(done > 0 for done, end in rows)


def has_ended(rows):
    return all(done >= end for done, end in rows)


@test("exactly once: a job that copies in transactions, while it and leaders are killed")
def copied(ctx):
    count, hits = (100000, 24) if ctx.full else (15000, 6)
    create(ctx, "in", "out")
    # So slow that trouble comes in its midst; what waits behind it fills whole transactions.
    with job(ctx, "in", "out") as it, \
            Feed(ctx.at, "in", per_second=400, form="n{}") as feed:
        for i in range(hits):
            time.sleep(random.uniform(0.5, 2))
            it.look()
            topic = random.choice(("in", "out"))
            if i % 3 == 0:
                it.kill()
                what = "the job was killed"
            elif i % 3 == 1:
                what = trouble.hit_leader(ctx, topic)
            else:
                what = trouble.hit_leader(ctx, topic, it.kill) + ", and the job killed"
            print(f"# {feed.sent} sent: {what}", flush=True)
            it.look()
            trouble.await_replicas(ctx)
        count = feed.finish(count)
        await_progress(ctx, it, "in", has_ended)
        it.end()
        print(f"# it gave up {it.gave_up} times; {it.said().count('starting the transaction')}"
              " transactions were started over")
    await_markers(ctx.at, "out")
    everything = len(KafkaPython.consume(ctx.at, "out"))
    check_once(KafkaPython.consume(ctx.at, "out", isolation_level="read_committed"), count,
               "N{}")
    print(f"# {count} records, a copy of each committed once; {everything - count} others "
          "of transactions that were not")


@test("exactly once: of two jobs with one transactional id the later one goes on")
def fenced(ctx):
    create(ctx, "fence-in", "fence-out")
    with Feed(ctx.at, "fence-in", form="n{}") as feed, \
            job(ctx, "fence-in", "fence-out") as one:
        await_progress(ctx, one, "fence-in", has_begun)
        with job(ctx, "fence-in", "fence-out") as two:
            equal(one.process.wait(120), 1, f"exit status of the first; it said {one.said()}")
            # The second while the coordinator has aborted it, and the other one is not back.
            assert any(code in one.said() for code in ("PRODUCER_FENCED",
                                                       "INVALID_TXN_STATE")), one.said()
            count = feed.finish()
            await_progress(ctx, two, "fence-in", has_ended)
            equal(two.gave_up, 0, f"ends of the second; it said {two.said()}")
            two.end()
    await_markers(ctx.at, "fence-out")
    check_once(KafkaPython.consume(ctx.at, "fence-out", isolation_level="read_committed"),
               count, "N{}")
