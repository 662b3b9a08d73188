"""Transactions that kafka-python wrote, read by klamm at both isolation levels."""
import random

import kafka

import klamm
import peers
from frame import each, equal, test

TIMEOUT_S = 60


class Writer:
    """A transactional producer; what it wrote, by offset, with its fate."""

    def __init__(self, ctx, topic, name, **options):
        self.topic = topic
        self.producer = kafka.KafkaProducer(
            bootstrap_servers=ctx.at, transactional_id=f"{topic}-{name}", linger_ms=1,
            **options)
        self.producer.init_transactions()
        self.number = 0
        self.name = name
        self.open = []
        self.fates = {}  # offset: (value, fate)

    def write(self, count):
        """Inside of a transaction, which this begins if there is none."""
        if not self.open:
            self.producer.begin_transaction()
        sent = []
        for _ in range(count):
            value = f"{self.name}{self.number}".encode() * (1 + self.number % 20)
            self.number += 1
            sent.append((self.producer.send(self.topic, value=value, partition=0), value))
        self.producer.flush(timeout=TIMEOUT_S)
        self.open += [(future.get(timeout=TIMEOUT_S).offset, value) for future, value in sent]

    def end(self, fate):
        if fate == "committed":
            self.producer.commit_transaction()
        else:
            self.producer.abort_transaction()
        self.fates.update((offset, (value, fate)) for offset, value in self.open)
        self.open = []

    def close(self):
        self.producer.close(timeout=TIMEOUT_S)


def read(ctx, topic, level, *args):
    """[(offset, value)] from the start to the end, as klamm sees it."""
    out = klamm.run("-b", ctx.at, "-X", f"isolation.level={level}", "consume", topic,
                    "-o", "start", "-e", "-f", "%o %s\\n", *args)
    rows = [line.split(b" ", 1) for line in out.splitlines()]
    return [(int(offset), value) for offset, value in rows]


def read_python(ctx, topic, level):
    got = peers.KafkaPython.consume(ctx.at, topic, isolation_level=level)
    return [(r.offset, r.value) for r in got]


def chosen(writers, fates):
    return sorted((offset, value) for w in writers
                  for offset, (value, fate) in w.fates.items() if fate in fates)


@each("opt_isolation_level: committed, aborted and open transactions: {}",
      ("none", "gzip", "snappy", "lz4"))
def levels(ctx, codec):
    topic = f"levels-{codec}"
    klamm.create_topic(ctx.at, topic)
    options = {} if codec == "none" else {"compression_type": codec}
    one, two = (Writer(ctx, topic, name, **options) for name in "ab")
    one.write(5)
    two.write(3)
    one.write(2)
    one.end("aborted")
    two.write(4)
    two.end("committed")
    one.write(6)
    one.end("committed")
    two.write(1)
    two.end("aborted")
    # Nobody may see what comes behind the beginning of an open one.
    last_stable = max(max(w.fates) for w in (one, two)) + 2
    one.write(3)
    two.write(2)
    two.end("committed")
    still_open = list(one.open)
    committed = chosen((one, two), ("committed",))
    stable = [row for row in committed if row[0] < last_stable]
    everything = sorted(chosen((one, two), ("committed", "aborted")) + still_open)
    assert len(stable) == 13 and len(committed) == 15, (stable, committed)
    equal(read(ctx, topic, "read_uncommitted"), everything, "read_uncommitted")
    equal(read(ctx, topic, "read_committed"), stable, "read_committed, one is open")
    equal(klamm.run("-b", ctx.at, "-X", "isolation.level=read_committed", "consume", topic,
                    "-o", "-2", "-e"), b"", "the end is before what is open")
    one.end("committed")
    peers.await_markers(ctx.at, topic)
    equal(read(ctx, topic, "read_committed"), chosen((one, two), ("committed",)),
          "read_committed, all are ended")
    one.close()
    two.close()


@test("opt_isolation_level: many transactions across many fetches")
def many(ctx):
    topic = "many-transactions"
    klamm.create_topic(ctx.at, topic)
    rng = random.Random(7)
    writers = [Writer(ctx, topic, name, batch_size=500) for name in "xyz"]
    for _ in range(60):
        writer = rng.choice(writers)
        writer.write(rng.randrange(1, 40))
        if rng.random() < 0.6:
            writer.end(rng.choice(("committed", "aborted")))
    for writer in writers:
        if writer.open:
            writer.end("aborted")
        writer.close()
    committed = chosen(writers, ("committed",))
    assert len(committed) > 100, len(committed)
    peers.await_markers(ctx.at, topic)
    equal(read_python(ctx, topic, "read_committed"), committed, "kafka-python")
    for size in (1 << 20, 4000, 700):
        equal(read(ctx, topic, "read_committed", "-X", f"max.partition.fetch.bytes={size}"),
              committed, f"klamm, {size} bytes a fetch")
    equal(read(ctx, topic, "read_uncommitted"), chosen(writers, ("committed", "aborted")),
          "read_uncommitted")
    middle = committed[len(committed) // 2][0]
    out = klamm.run("-b", ctx.at, "-X", "isolation.level=read_committed", "consume", topic,
                    "-o", middle, "-e", "-f", "%o\\n")
    equal(list(map(int, out.split())), [row[0] for row in committed if row[0] >= middle],
          "from the middle of it")
