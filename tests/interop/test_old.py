"""klamm reads what brokers of before 0.11 keep, and what newer ones keep for old clients:
messages v0 and v1, written by kafka-python and librdkafka with every codec that they know; and
it produces to such brokers, for them and itself to read."""
import os
import re

import kafka

import peers
import klamm
import library
import records
from frame import each, equal, same, test, until_equal
from peers import Confluent, KafkaPython

VERSIONS = ("0.9.0.1", "0.10.2.2", "0.11.0.3")
# The samples are years old.
CONFIG = ("log.retention.ms=-1",)
CODECS = ("none", "gzip", "snappy", "lz4")


def old(ctx):
    """It cannot be asked for its versions, and its messages have no time."""
    return ctx.version.startswith("0.9")


def python(ctx):
    """What kafka-python has to be told."""
    return {"api_version": (0, 9)} if old(ctx) else {}


def librdkafka(ctx):
    return ({"api.version.request": False, "broker.version.fallback": ctx.version}
            if old(ctx) else {})


def told(ctx):
    """Finding out takes klamm a second for each connection; the first test lets it."""
    return ("-X", "klamm.broker.version=0.9") if old(ctx) else ()


def samples(ctx, seed):
    """Without headers, and times, where the version has none."""
    rows = records.samples(seed, all_nulls=False)
    if not ctx.version.startswith("0.11"):
        rows = [r._replace(headers=()) for r in rows]
    return [r._replace(timestamp=-1) for r in rows] if old(ctx) else rows


def create(ctx, topic, config):
    """For a topic that is not to be as the broker makes it by itself."""
    ctx.tool("topics", "--create", "--topic", topic, "--partitions", 1,
             "--replication-factor", 1, "--config", config)


def alter(ctx, topic, key, value):
    """The tool writes it into ZooKeeper, from which the broker hears of it; its log tells when."""
    ctx.tool("configs", "--alter", "--entity-type", "topics", "--entity-name", topic,
             "--add-config", f"{key}={value}")

    def is_heard():
        with open(os.path.join(ctx.env["DIR"], "node1", "log"),
                  encoding="utf-8", errors="replace") as file:
            return re.search(rf"override for entityPath: topics/{topic} with config: .*"
                             rf"{re.escape(key)}\W+{re.escape(value)}\b", file.read()) is not None

    until_equal(is_heard, True, f"{key}={value} is heard of")


def produce(ctx, topic, rows, codec, **options):
    to_send = [r._replace(timestamp=None) for r in rows] if old(ctx) else rows
    got = KafkaPython.produce(ctx.at, topic, to_send, codec, **python(ctx), **options)
    equal(got, [r.offset for r in rows], "offsets")


def read_by_python(ctx, topic):
    """No time is -1, as klamm tells it."""
    return [r._replace(timestamp=-1) if r.timestamp is None else r
            for r in KafkaPython.consume(ctx.at, topic, **python(ctx))]


@each("kafka-python produces, klamm consumes: {}", CODECS)
def by_kafka_python(ctx, codec):
    topic = f"python-{codec}"
    want = samples(ctx, 4)
    produce(ctx, topic, want, codec)
    same(klamm.consume(ctx.at, topic), want, "klamm")
    # From inside of what was compressed together.
    for start in (1, 6, len(want) - 1):
        out = klamm.run("-b", ctx.at, "consume", topic, "--json", "-e", "-o", start,
                        *told(ctx))
        same(list(map(records.from_line, out.splitlines())), want[start:], f"from {start}")


@each("librdkafka produces, klamm consumes: {}", CODECS)
def by_librdkafka(ctx, codec):
    topic = f"librdkafka-{codec}"
    want = samples(ctx, 5)
    to_send = [r._replace(timestamp=0) for r in want] if old(ctx) else want
    equal(Confluent.produce(ctx.at, topic, to_send, codec, **librdkafka(ctx)),
          [r.offset for r in want], "offsets")
    same(klamm.consume(ctx.at, topic, *told(ctx)), want, "klamm")


def send(ctx, topic, rows, codec, *args, **options):
    """As klamm produces; on these brokers a topic is there a while after it is asked for."""
    lines = "".join(records.to_line(row) + "\n" for row in rows)
    return klamm.run("-b", ctx.at, "produce", topic, "--json", "--keep-partition",
                     "-X", f"compression.type={codec}", *told(ctx), *args,
                     stdin=lines.encode(), **options)


@each("klamm produces, kafka-python and klamm consume: {}", CODECS)
def by_klamm(ctx, codec):
    topic = f"klamm-{codec}"
    want = samples(ctx, 10)
    send(ctx, topic, [r._replace(timestamp=1) for r in want] if old(ctx) else want, codec)
    same(read_by_python(ctx, topic), want, "kafka-python")
    same(klamm.consume(ctx.at, topic, *told(ctx)), want, "klamm")


@each("klamm produces large batches, kafka-python and klamm consume: {}", CODECS)
def large_by_klamm(ctx, codec):
    topic = f"klamm-large-{codec}"
    want = [records.Record(0, i, -1 if old(ctx) else 1700000000000 + i, b"key %d" % (i % 7),
                           b"value number %d, of many that look alike" % i)
            for i in range(5000)]
    send(ctx, topic, [r._replace(timestamp=1) for r in want] if old(ctx) else want, codec,
         "-X", "linger.ms=100", "-X", "batch.size=200000")
    same(klamm.consume(ctx.at, topic, *told(ctx)), want, "klamm")
    same(read_by_python(ctx, topic), want, "kafka-python")


@each("klamm produces with acks={}", ("0", "1", "all"))
def acks(ctx, acks_of):
    topic = f"acks-{acks_of}"
    send(ctx, topic, samples(ctx, 11)[:1], "none")  # the topic is there now
    want = samples(ctx, 11)
    send(ctx, topic, [r._replace(timestamp=1) for r in want[1:]] if old(ctx) else want[1:],
         "gzip", "-X", f"acks={acks_of}")
    # What is not acknowledged is written a while later.
    until_equal(lambda: len(klamm.consume(ctx.at, topic, *told(ctx))), len(want), "records")
    same(klamm.consume(ctx.at, topic, *told(ctx)), want, "klamm")


@test("what brokers of before 0.11 cannot be told is an error")
def unspeakable(ctx):
    row = records.Record(0, 0, 1700000000000, b"k", b"v", (("name", b"value"),))
    modern = ctx.version.startswith("0.11")
    text = send(ctx, "headers", [row], "none", status=0 if modern else 1).decode()
    assert modern or "headers, which need Kafka 0.11 or later" in text, text
    text = send(ctx, "zstd", [row._replace(headers=())], "zstd", status=1).decode()
    assert "zstd needs Kafka 2.1 or later" in text, text


@each("whose time it is: {}", CODECS)
def append_time(ctx, codec):
    topic = f"append-time-{codec}"
    if not old(ctx):
        create(ctx, topic, "message.timestamp.type=LogAppendTime")
    sent = samples(ctx, 6)
    produce(ctx, topic, sent, codec, batch_size=2000)
    out = klamm.run("-b", ctx.at, "consume", topic, "--json", "-e", "-o", "start", *told(ctx))
    got = list(map(records.from_line, out.splitlines()))
    same(got, read_by_python(ctx, topic), "klamm")
    same([r._replace(timestamp=0) for r in got], [r._replace(timestamp=0) for r in sent],
         "records")
    kind = b'"NoTimestampType"' if old(ctx) else b'"LogAppendTime"'
    equal(out.count(kind), len(sent), "records of that type of time")
    assert old(ctx) or all(r.timestamp > 1.7e12 + 1e9 for r in got), "stamped by the broker"


@test("all formats that the broker knows, in one topic")
def formats(ctx):
    known = {"0.9.0.1": (), "0.10.2.2": ("0.9.0", "0.10.0"),
             "0.11.0.3": ("0.8.2", "0.10.2", "0.11.0")}[ctx.version]
    topic = "formats"
    want = []
    # An idempotent producer would ask for v2.
    options = {"enable_idempotence": False} if known else {}
    for release in known or (None,):
        if release and not want:
            create(ctx, topic, f"message.format.version={release}")
        elif release:
            alter(ctx, topic, "message.format.version", release)
        for codec in CODECS:
            part = [r._replace(offset=r.offset + len(want), headers=())
                    for r in samples(ctx, len(want) + 7)]
            produce(ctx, topic, part, codec, **options)
            if release in ("0.8.2", "0.9.0"):
                part = [r._replace(timestamp=-1) for r in part]
            want += part
    same(klamm.consume(ctx.at, topic, *told(ctx)), want, "klamm")
    same(read_by_python(ctx, topic), want, "kafka-python")


@test("where to begin and to end")
def starts(ctx):
    rows = [records.Record(0, i, -1 if old(ctx) else 1700000000000 + i, None, b"%d" % i)
            for i in range(10)]
    produce(ctx, "starts", rows, "gzip")
    everything = [r.value for r in rows]
    for args, want in ((("-o", "start"), everything), (("-o", "7"), everything[7:]),
                       (("-o", "-3"), everything[-3:]), (("-o", "end"), []),
                       (("-o", "start", "-n", "2"), everything[:2])):
        out = klamm.run("-b", ctx.at, "consume", "starts", "-e", *args, *told(ctx))
        equal(out.split(), want, f"{args}")


@test("there is no transaction that read_committed could wait for")
def committed(ctx):
    rows = samples(ctx, 8)
    produce(ctx, "committed", rows, "snappy")
    same(klamm.consume(ctx.at, "committed", "-X", "isolation.level=read_committed",
                       *told(ctx)), rows, "klamm")


@test("opt_klamm_broker_version: a broker that is known to be old is not asked")
def told_version(ctx):
    topic = "told"
    rows = samples(ctx, 9)
    produce(ctx, topic, rows, "gzip")
    # A newer release is asked for its versions all the same.
    same(klamm.consume(ctx.at, topic, "-X", f"klamm.broker.version={ctx.version}"), rows,
         "klamm")


@test("committed offsets, of klamm and of kafka-python")
def offsets(ctx):
    topic, group = "offsets", "group"
    produce(ctx, topic, samples(ctx, 10), "none")
    release = {"klamm_broker_version": "0.9"} if old(ctx) else {}
    peer = kafka.KafkaConsumer(bootstrap_servers=ctx.at, group_id=group,
                               enable_auto_commit=False, **python(ctx))
    where = kafka.TopicPartition(topic, 0)
    with library.consumer(ctx.at, group, enable_auto_commit="false", **release) as c:
        equal(c.committed(topic, 0), (-1, -1, ""), "at first")
        c.commit((topic, 0, 0, 3, "klamm's"))
        equal(c.committed(topic, 0), (3, -1, "klamm's"), "klamm's own")
        row = peer.committed(where, metadata=True)
        equal((row.offset, row.metadata), (3, "klamm's"), "kafka-python's")
        peer.assign([where])
        peer.commit({where: kafka.OffsetAndMetadata(5, "Python's", -1)})
        equal(c.committed(topic, 0), (5, -1, "Python's"), "klamm's")
        c.assign((topic, 0))
        equal(c.position(topic, 0), 5, "position")
    peer.close()


@test("groups without members: seek, lag, delete")
def groups(ctx):
    topic = "groups"
    produce(ctx, topic, samples(ctx, 11), "none")
    on = ("-b", ctx.at, *told(ctx), "group")
    klamm.run(*on, "seek", "cli", "-t", topic, "--to-offset", 3, "--execute")
    where = kafka.TopicPartition(topic, 0)
    peer = kafka.KafkaConsumer(bootstrap_servers=ctx.at, group_id="cli",
                               enable_auto_commit=False, **python(ctx))
    equal(peer.committed(where), 3, "kafka-python's")
    peer.close()
    # All that a group has committed can be asked for since 0.10.2, groups be deleted since 1.1.
    if old(ctx):
        refused = klamm.run(*on, "offsets", "cli", status=1).decode()
        assert "OffsetFetch" in refused, refused
    else:
        equal(klamm.run(*on, "lag", "cli", "-q").split()[:3], [b"groups", b"0", b"3"], "lag")
        assert b"cli: Empty, classic, 0 members" in klamm.run(*on, "describe", "cli", "-s")
    refused = klamm.run(*on, "delete", "cli", status=1).decode()
    assert "DeleteGroups" in refused, refused
    missing = klamm.run(*on, "describe", "nobody", "-s", status=1).decode()
    assert "group nobody: " in missing, missing
