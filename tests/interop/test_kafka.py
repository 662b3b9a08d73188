"""klamm's command line against a real broker, beside kafka-python, librdkafka and Java."""
import json
import random
import time

import klamm
import peers
import records
from frame import each, equal, same, test, until_equal
from peers import Confluent, KafkaPython

BOTH = (KafkaPython, Confluent)
# Compaction need not wait for 15 seconds.
# The delay is what the dev broker's tests of groups are made with.
CONFIG = ("log.cleaner.backoff.ms=200", "group.initial.rebalance.delay.ms=300")


@each("klamm produces, kafka-python and librdkafka consume: {}", records.CODECS)
def forth(ctx, codec):
    topic = f"forth-{codec}"
    klamm.create_topic(ctx.at, topic)
    want = records.samples()
    klamm.produce(ctx.at, topic, want, "-z", codec)
    for peer in BOTH:
        same(peer.consume(ctx.at, topic), want, peer.name)


@each("kafka-python and librdkafka produce, klamm consumes: {}", records.CODECS)
def back(ctx, codec):
    for peer in BOTH:
        topic = f"back-{peer.name}-{codec}"
        klamm.create_topic(ctx.at, topic)
        want = records.samples(2, peer.all_nulls)
        equal(peer.produce(ctx.at, topic, want, codec), list(range(len(want))), "offsets")
        same(klamm.consume(ctx.at, topic), want, f"klamm after {peer.name}")


@each("keys land where kafka-python and Java put them: {} partitions", (1, 3, 12, 50))
def placing(ctx, count):
    rng = random.Random(count)
    keys = [rng.randbytes(rng.choice((0, 1, 2, 3, 4, 7, 8, 16, 33, 100)))
            for _ in range(10000)]
    topics = [f"place-{who}-{count}" for who in ("klamm", "python", "java")]
    for topic in topics:
        klamm.create_topic(ctx.at, topic, count)
    lines = "".join(records.keyed_line(key, str(i)) for i, key in enumerate(keys))
    klamm.run("-b", ctx.at, "produce", topics[0], "--json", stdin=lines.encode())
    place = [None] * len(keys)
    for row in KafkaPython.consume(ctx.at, topics[0]):
        equal(row.key, keys[int(row.value)], "key")
        place[int(row.value)] = row.partition
    equal(KafkaPython.place(ctx.at, topics[1], keys), place, "kafka-python's partitions")
    java = peers.java_place(ctx.at, ctx.version, topics[2:], keys)
    equal(java[topics[2]], place, "Java's partitions")
    equal(sorted(set(place)), list(range(count)), "partitions in use")


@test("consume --json into produce --json is lossless")
def lossless(ctx):
    for topic in ("pipe-in", "pipe-out"):
        klamm.create_topic(ctx.at, topic)
    want = records.samples(3)
    Confluent.produce(ctx.at, "pipe-in", want)
    text = klamm.run("-b", ctx.at, "consume", "pipe-in", "--json", "-o", "start", "-e")
    klamm.run("-b", ctx.at, "produce", "pipe-out", "--json", stdin=text)
    same(KafkaPython.consume(ctx.at, "pipe-out"), want, "the copy")


@test("a line is a record: -K, -H, -p")
def lines(ctx):
    klamm.create_topic(ctx.at, "lines", 3)
    klamm.run("-b", ctx.at, "produce", "lines", "-p", "2", stdin=b"one\n\nthree")
    klamm.run("-b", ctx.at, "produce", "lines", "-K", ":", "-H", "from=test", "-p", "1",
              stdin="k:v:w\nü:€\n".encode())
    got = [(r.partition, r.key, r.value, r.headers)
           for r in KafkaPython.consume(ctx.at, "lines")]
    head = (("from", b"test"),)
    equal(got, [(1, b"k", b"v:w", head), (1, "ü".encode(), "€".encode(), head),
                (2, None, b"one", ()), (2, None, b"", ()), (2, None, b"three", ())],
          "records")


@test("acks=0: what klamm produce has sent when it ends is there")
def unacknowledged(ctx):
    klamm.create_topic(ctx.at, "acks-0", 3)
    # A broker names the leaders of a topic before they lead, and what they refuse then is lost.
    equal(klamm.consume(ctx.at, "acks-0"), [], "records of a new topic")
    klamm.run("-b", ctx.at, "produce", "acks-0", "-X", "acks=0", "-X", "batch.size=1000",
              stdin=b"".join(b"line %d\n" % i for i in range(20000)))
    # Sent is not written yet.
    until_equal(lambda: sorted(r.value for r in KafkaPython.consume(ctx.at, "acks-0")),
                sorted(b"line %d" % i for i in range(20000)), "records")


@test("consume starts where -o says")
def starts(ctx):
    klamm.create_topic(ctx.at, "starts")
    now = int(time.time() * 1000)
    hour = 3600 * 1000
    rows = [records.Record(0, i, now - (10 - i) * hour, None, b"%d" % i) for i in range(10)]
    klamm.produce(ctx.at, "starts", rows)
    iso = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime((now - 5 * hour) // 1000 + 1))

    def got(*args):
        return klamm.run("-b", ctx.at, "consume", "starts", "-e", *args).split()
    everything = [b"%d" % i for i in range(10)]
    for args, want in (
            (("-o", "start"), everything), (("-o", "4"), everything[4:]),
            (("-o", "-3"), everything[-3:]), (("-o", "end"), []),
            (("-o", "start", "-n", "2"), everything[:2]),
            (("-o", "@" + iso), everything[6:]),
            (("-o", "@-150m"), everything[8:]), (("-o", "@-3h"), everything[7:])):
        # -3h: the clock has moved on a little since, so the record of 3 h ago is too old.
        slack = want[1:] if args == ("-o", "@-3h") else want
        assert got(*args) in (want, slack), f"{args}: {got(*args)}, should be {want}"


@test("the broker's own timestamps are told apart")
def append_time(ctx):
    ctx.tool("topics", "--create", "--topic", "append-time", "--partitions", "1",
             "--config", "message.timestamp.type=LogAppendTime")
    klamm.create_topic(ctx.at, "create-time")
    kinds = []
    for topic in ("append-time", "create-time"):
        klamm.produce(ctx.at, topic, [records.Record(0, 0, 1234567890123, b"k", b"v")])
        row = json.loads(klamm.run("-b", ctx.at, "consume", topic, "--json", "-e",
                                   "-o", "start"))
        kinds.append(row["timestamp_type"])
        if topic == "create-time":
            equal(row["timestamp"], 1234567890123, "timestamp")
        else:
            assert abs(row["timestamp"] / 1000 - time.time()) < 60, row
    assert kinds[0] != kinds[1], kinds


@test("records of a transaction are seen, its markers are not")
def transaction(ctx):
    klamm.create_topic(ctx.at, "txn")
    producer = peers.confluent_kafka.Producer(
        {"bootstrap.servers": ctx.at, "transactional.id": "t1", "log_level": 3})
    producer.init_transactions(60)
    for word in ("committed", "aborted", "again"):
        producer.begin_transaction()
        producer.produce("txn", word)
        if word == "aborted":
            producer.flush(60)
            producer.abort_transaction(60)
        else:
            producer.commit_transaction(60)
    out = klamm.run("-b", ctx.at, "consume", "txn", "-o", "start", "-e", "-f", "%o %s\\n")
    equal(out.splitlines(), [b"0 committed", b"2 aborted", b"4 again"], "records")


@test("topics: create, list, describe, delete")
def topics(ctx):
    def is_listed():
        return "short-lived" in klamm.run("-b", ctx.at, "topic", "list").decode().split()

    # The controller says yes, and brokers hear of it then.
    klamm.create_topic(ctx.at, "short-lived", 5)
    until_equal(is_listed, True, "listed")
    told = klamm.run("-b", ctx.at, "topic", "describe", "short-lived").decode()
    assert "short-lived" in told and "5" in told, told
    java = ctx.tool("topics", "--describe", "--topic", "short-lived").decode()
    assert "PartitionCount: 5" in java, java
    error = klamm.run("-b", ctx.at, "topic", "create", "short-lived", "-p", 1,
                      status=1).decode()
    assert "short-lived" in error, error
    klamm.run("-b", ctx.at, "topic", "delete", "short-lived")
    until_equal(is_listed, False, "listed after it was deleted")


@test("faults are for klamm's own broker")
def faults(ctx):
    error = klamm.run("-b", ctx.at, "fault", "set", "any silence", status=1).decode()
    assert "it is no klamm broker" in error, error
