"""Transactions that klamm wrote, read by kafka-python at both isolation levels, and the offsets
that belong to them."""
import subprocess
import time

import kafka

import klamm
import library
import records
from frame import each, equal, test
from peers import Confluent, KafkaPython

PATIENCE_S = 30


def values(ctx, topic, level):
    return [r.value for r in KafkaPython.consume(ctx.at, topic, isolation_level=level)]


def committed(ctx, topic, want, what="read_committed"):
    """Brokers before transaction.version 2 answer a commit before its markers are written."""
    end = time.monotonic() + PATIENCE_S
    while (got := values(ctx, topic, "read_committed")) != want and time.monotonic() < end:
        time.sleep(0.1)
    equal(got, want, what)


def numbered(name, count):
    return [b"%s %d " % (name, i) * (1 + i % 5) for i in range(count)]


@each("klamm's transactions, committed, aborted and open, read by others: {}", records.CODECS)
def levels(ctx, codec):
    topic = f"own-{codec}"
    klamm.create_topic(ctx.at, topic)
    good, bad, late = (numbered(name, n) for name, n in ((b"good", 10), (b"bad", 10),
                                                          (b"open", 5)))
    with library.producer(ctx.at, f"{topic}-1", compression_type=codec) as one, \
            library.producer(ctx.at, f"{topic}-2", compression_type=codec) as two:
        one.begin()
        one.send(topic, *good[:4])
        two.begin()
        two.send(topic, *bad)
        one.send(topic, *good[4:])
        two.abort()
        one.commit()
        two.begin()
        two.send(topic, *late)
        committed(ctx, topic, good)
        equal(values(ctx, topic, "read_uncommitted"), good[:4] + bad + good[4:] + late,
              "read_uncommitted")
        two.commit()
    committed(ctx, topic, good + late, "read_committed, all are ended")
    equal([r.value for r in Confluent.consume(ctx.at, topic)], good + late, "librdkafka")


@test("klamm produce --transactional-id, all or every so many, read by kafka-python")
def lines(ctx):
    topic = "own-lines"
    klamm.create_topic(ctx.at, topic)
    want = [b"%d" % i for i in range(100)]
    told = klamm.run("-b", ctx.at, "produce", topic, "--transactional-id", topic,
                     "--commit-every", 30, "--report", stdin=b"\n".join(want))
    ends = [line for line in told.splitlines() if line.startswith(b'{"transaction"')]
    equal(ends, [b'{"transaction":"committed","records":%d}' % n for n in (30, 30, 30, 10)],
          "transactions")
    told = klamm.run("-b", ctx.at, "produce", topic, "--transactional-id", topic,
                     stdin=b"no\nno\n" + b"x" * 2000000, status=1)
    assert b"stdin:3: not sent: " in told, told
    assert told.endswith(b"; records committed: 0, aborted: 2 (from stdin:1 on)\n"), told
    committed(ctx, topic, want)


@test("a second klamm produce of the same transactional id fences the first")
def fenced(ctx):
    topic = "own-fenced"
    klamm.create_topic(ctx.at, topic)
    command = (klamm.PROGRAM, "-b", ctx.at, "-X", "linger.ms=0", "produce", topic,
               "--transactional-id", topic)
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE) as first:
        first.stdin.write(b"first\n")
        first.stdin.flush()
        end = time.monotonic() + PATIENCE_S
        while not values(ctx, topic, "read_uncommitted") and time.monotonic() < end:
            time.sleep(0.1)
        klamm.run(*command[1:], stdin=b"second\n")
        first.stdin.close()
        told = first.stderr.read().decode()
        equal(first.wait(PATIENCE_S), 1, "exit status")
    assert f"transactional id {topic}: " in told and "PRODUCER_FENCED" in told, told
    assert told.endswith("; records committed: 0, not committed: 1 (from stdin:1 on)\n"), told
    committed(ctx, topic, [b"second"])


@test("offsets of klamm's transactions are a group's when they are committed")
def offsets(ctx):
    topic = group = "own-offsets"
    klamm.create_topic(ctx.at, topic)
    reader = kafka.KafkaConsumer(bootstrap_servers=ctx.at, group_id=group,
                                 enable_auto_commit=False,
                                 isolation_level="read_committed")  # waits for open ones
    at = kafka.TopicPartition(topic, 0)
    stored = []
    with library.producer(ctx.at, topic) as p:
        for offset, ends in ((5, p.commit), (9, p.abort), (12, p.commit)):
            p.begin()
            p.send(topic, b"%d" % offset)
            p.send_offsets(group, (topic, 0, -1, offset, f"note {offset}"))
            ends()
            row = reader.committed(at, metadata=True)
            stored.append((row.offset, row.metadata))
    reader.close()
    equal(stored, [(5, "note 5"), (5, "note 5"), (12, "note 12")], "committed offsets")
    committed(ctx, topic, [b"5", b"12"], "records")
