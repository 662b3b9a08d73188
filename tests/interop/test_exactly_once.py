"""Foreign transactional clients, with their defaults, against klamm's own broker: kafka-python
and librdkafka, which add partitions by themselves, and Java's, which leaves it to the broker."""
import confluent_kafka
import kafka

import klamm
import peers
import records
from frame import equal, test

JAVA = "4.4.0"
TIMEOUT_S = 60
TRANSACTIONS = "org.apache.kafka.tools.TransactionsCommand"
OFFSETS = "org.apache.kafka.tools.GetOffsetShell"


def values(at, topic, level):
    got = klamm.consume(at, topic, "-X", f"isolation.level={level}")
    return [r.value for r in got]


class Librdkafka:
    """A transactional producer of librdkafka's, in words of its own."""

    def __init__(self, at, name):
        self.producer = confluent_kafka.Producer({
            "bootstrap.servers": at, "transactional.id": name, "log_level": 3})
        self.producer.init_transactions(TIMEOUT_S)

    def write(self, topic, rows):
        for row in rows:
            self.producer.produce(topic, value=row)
        if self.producer.flush(TIMEOUT_S) != 0:
            raise AssertionError("librdkafka could not flush")


@test("librdkafka commits, aborts and is fenced")
def librdkafka_transactions(ctx):
    topic = "txn-librdkafka"
    klamm.create_topic(ctx.at, topic)
    one = Librdkafka(ctx.at, topic)
    want = []
    for i in range(10):
        rows = [b"%d-%d" % (i, k) for k in range(100)]
        one.producer.begin_transaction()
        one.write(topic, rows)
        if i % 3 == 2:
            one.producer.abort_transaction(TIMEOUT_S)
        else:
            one.producer.commit_transaction(TIMEOUT_S)
            want += rows
    equal(values(ctx.at, topic, "read_committed"), want, "committed")
    equal(len(values(ctx.at, topic, "read_uncommitted")), 1000, "records in all")
    one.producer.begin_transaction()
    one.write(topic, [b"left open"])
    two = Librdkafka(ctx.at, topic)  # ends what the first one began
    try:
        one.producer.commit_transaction(TIMEOUT_S)
        raise AssertionError("the first producer is not fenced")
    except confluent_kafka.KafkaException as error:
        assert error.args[0].fatal(), error
    two.producer.begin_transaction()
    two.write(topic, [b"of the second"])
    two.producer.commit_transaction(TIMEOUT_S)
    equal(values(ctx.at, topic, "read_committed"), want + [b"of the second"], "committed")


@test("librdkafka commits offsets in a transaction")
def librdkafka_offsets(ctx):
    topic = "txn-offsets"
    klamm.create_topic(ctx.at, topic)
    consumer = confluent_kafka.Consumer({
        "bootstrap.servers": ctx.at, "group.id": topic, "enable.auto.commit": False})
    at = confluent_kafka.TopicPartition(topic, 0)
    consumer.assign([at])
    one = Librdkafka(ctx.at, topic)
    stored = []
    for offset, commits in ((5, True), (9, False), (12, True)):
        one.producer.begin_transaction()
        one.write(topic, [b"x"])
        one.producer.send_offsets_to_transaction(
            [confluent_kafka.TopicPartition(topic, 0, offset)],
            consumer.consumer_group_metadata(), TIMEOUT_S)
        if commits:
            one.producer.commit_transaction(TIMEOUT_S)
        else:
            one.producer.abort_transaction(TIMEOUT_S)
        stored.append(consumer.committed([at], timeout=TIMEOUT_S)[0].offset)
    equal(stored, [5, 5, 12], "committed offsets")
    consumer.close()


@test("kafka-python commits offsets, by itself and in a transaction")
def python_offsets(ctx):
    topic = "txn-python"
    klamm.create_topic(ctx.at, topic)
    at = kafka.TopicPartition(topic, 0)
    consumer = kafka.KafkaConsumer(bootstrap_servers=ctx.at, group_id=topic,
                                   enable_auto_commit=False)
    consumer.assign([at])
    consumer.commit({at: kafka.structs.OffsetAndMetadata(3, "note", -1)})
    equal(consumer.committed(at), 3, "the offset that was committed")
    producer = kafka.KafkaProducer(bootstrap_servers=ctx.at, transactional_id=topic)
    producer.init_transactions()
    producer.begin_transaction()
    producer.send(topic, value=b"x")
    producer.send_offsets_to_transaction({at: kafka.structs.OffsetAndMetadata(7, "", -1)},
                                         topic)
    producer.commit_transaction()
    equal(consumer.committed(at), 7, "the offset of the transaction")
    producer.close()
    consumer.close()


@test("idempotent producers with their defaults survive lost answers")
def idempotent(ctx):
    for peer in (peers.KafkaPython, peers.Confluent):
        topic = f"idempotent-{peer.name}"
        klamm.create_topic(ctx.at, topic)
        klamm.run("-b", ctx.at, "fault", "set",
                  f"produce topic={topic} every=3 count=5 drop=after")
        options = {} if peer is peers.KafkaPython else {"enable.idempotence": True}
        want = records.samples(1, peer.all_nulls)
        peer.produce(ctx.at, topic, want, **options)
        klamm.run("-b", ctx.at, "fault", "clear")
        got = klamm.consume(ctx.at, topic)
        equal([r.value for r in got], [r.value for r in want], f"{peer.name}: records")


def perf(ctx, topic, count, *args):
    """What Java's tool tells of so many records."""
    return ctx.tool("producer-perf", "--bootstrap-server", ctx.at, "--topic", topic,
                    "--num-records", count, "--record-size", 50, *args).decode()


def transactions(ctx, *args):
    return ctx.tool(TRANSACTIONS, "--bootstrap-server", ctx.at, *args).decode()


@test("Java's performance tool in transactions, and a console that reads them")
def java_transactions(ctx):
    topic = "txn-java"
    klamm.create_topic(ctx.at, topic)
    out = perf(ctx, topic, 3000, "--throughput", 3000, "--transactional-id", topic,
               "--transaction-duration-ms", 100)
    assert "3000 records sent" in out, out
    got = ctx.tool("consumer", "--topic", topic, "--partition", 0, "--offset", "earliest",
                   "--isolation-level", "read_committed", "--max-messages", 3000,
                   "--timeout-ms", 20000)
    equal(len(got.splitlines()), 3000, "records")
    told = transactions(ctx, "list")
    assert topic in told, told
    told = transactions(ctx, "describe", "--transactional-id", topic)
    assert "CompleteCommit" in told, told
    told = transactions(ctx, "describe-producers", "--topic", topic, "--partition", 0)
    assert "LastSequence" in told, told


@test("Java's producer with its defaults is idempotent, and perf tools run")
def java_idempotent(ctx):
    topic = "perf-java"
    klamm.create_topic(ctx.at, topic, 3)
    klamm.run("-b", ctx.at, "fault", "set", f"produce topic={topic} every=4 count=5 drop=after")
    out = perf(ctx, topic, 20000, "--throughput", -1)
    klamm.run("-b", ctx.at, "fault", "clear")
    assert "20000 records sent" in out, out
    told = ctx.tool(OFFSETS, "--bootstrap-server", ctx.at, "--topic", topic)
    told = told.decode().split()
    equal(sum(int(line.rsplit(":", 1)[1]) for line in told), 20000, "records, each once")
