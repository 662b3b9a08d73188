"""Foreign clients, with their defaults, against klamm's own broker."""
import contextlib
import itertools
import random
import tempfile
import time

import kafka.admin

import crashes
import klamm
import peers
import records
from frame import each, equal, same, test
from peers import Confluent, KafkaPython

JAVA = "4.4.0"


class Context:
    """One broker for all tests; each test has topics of its own."""

    def __enter__(self):
        self.running = klamm.broker()
        self.at = self.running.__enter__()
        return self

    def __exit__(self, *error):
        return self.running.__exit__(*error)

    def tool(self, *args, stdin=None):
        return peers.harness("tool-at", self.at, JAVA, *args, stdin=stdin)


@each("kafka-python produces and consumes: {}", records.CODECS)
def kafka_python(ctx, codec):
    round_trip(ctx, KafkaPython, codec)


@each("librdkafka produces and consumes: {}", records.CODECS)
def librdkafka(ctx, codec):
    round_trip(ctx, Confluent, codec)


def round_trip(ctx, peer, codec):
    topic = f"{peer.name}-{codec}"
    klamm.create_topic(ctx.at, topic)
    want = records.samples(1, peer.all_nulls)
    equal(peer.produce(ctx.at, topic, want, codec), list(range(len(want))), "offsets")
    same(peer.consume(ctx.at, topic), want, peer.name)
    same(klamm.consume(ctx.at, topic), want, "klamm")


@test("kafka-python creates, lists and deletes topics")
def kafka_python_admin(ctx):
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=ctx.at)
    admin.create_topics([kafka.admin.NewTopic("by-python", 4, 1)])
    assert "by-python" in admin.list_topics()
    equal(KafkaPython.consume(ctx.at, "by-python"), [], "records of a new topic")
    told = klamm.run("-b", ctx.at, "topic", "describe", "by-python").decode()
    assert "4" in told, told
    admin.delete_topics(["by-python"])
    assert "by-python" not in admin.list_topics()
    admin.close()


@test("kcat produces, consumes and lists")
def kcat(ctx):
    klamm.create_topic(ctx.at, "kcat", 2)
    peers.kcat(ctx.at, "-P", "-t", "kcat", "-p", "1", "-K", ":", "-H", "a=b",
               stdin=b"k1:v1\nk2:v2\n")
    out = peers.kcat(ctx.at, "-C", "-t", "kcat", "-o", "beginning", "-e", "-q", "-f",
                     "%p %o %k %s %h\\n")
    equal(out.splitlines(), [b"1 0 k1 v1 a=b", b"1 1 k2 v2 a=b"], "records")
    out = peers.kcat(ctx.at, "-C", "-t", "kcat", "-p", "1", "-o", "-1", "-c", "1", "-q")
    equal(out, b"v2\n", "the last record")
    listing = peers.kcat(ctx.at, "-L", "-t", "kcat")
    assert b'topic "kcat" with 2 partitions' in listing, listing


@test("Java's console producer and consumer")
def java_console(ctx):
    klamm.create_topic(ctx.at, "java", 1)
    lines = b"".join(b"key%d:value %d\n" % (i, i) for i in range(1000))
    reader, formatter = "--reader-property", "--formatter-property"
    ctx.tool("producer", "--topic", "java", reader, "parse.key=true",
             reader, "key.separator=:", stdin=lines)
    out = ctx.tool("consumer", "--topic", "java", "--partition", 0, "--offset", "earliest",
                   "--max-messages", 1000, "--timeout-ms", 20000,
                   formatter, "print.key=true", formatter, "key.separator=:")
    equal(out.splitlines(), lines.splitlines(), "records")
    got = klamm.consume(ctx.at, "java")
    equal([(r.key, r.value) for r in got],
          [(b"key%d" % i, b"value %d" % i) for i in range(1000)], "klamm's records")


@test("Java's topic tool creates, lists, describes and deletes")
def java_topics(ctx):
    ctx.tool("topics", "--create", "--topic", "by-java", "--partitions", 3)
    assert b"by-java" in ctx.tool("topics", "--list").split()
    told = ctx.tool("topics", "--describe", "--topic", "by-java").decode()
    assert "PartitionCount: 3" in told, told
    ctx.tool("topics", "--delete", "--topic", "by-java")
    assert b"by-java" not in ctx.tool("topics", "--list").split()


@test("keys land where Java puts them, and klamm's own partitioner agrees")
def placing(ctx):
    keys = [random.Random(i).randbytes(8) for i in range(1000)]
    for topic in ("place-java", "place-klamm"):
        klamm.create_topic(ctx.at, topic, 12)
    place = peers.java_place(ctx.at, JAVA, ["place-java"], keys)["place-java"]
    equal(sorted(set(place)), list(range(12)), "partitions in use")
    text = "".join(records.keyed_line(key, str(i)) for i, key in enumerate(keys))
    klamm.run("-b", ctx.at, "produce", "place-klamm", "--json", stdin=text.encode())
    got = {int(r.value): r.partition for r in klamm.consume(ctx.at, "place-klamm")}
    equal([got[i] for i in range(len(keys))], place, "partitions")


# --- SASL ---

USERS = "alice = alice-secret\nbob = bob-secret\n"


@contextlib.contextmanager
def sasl_broker(users=USERS):
    """A broker that asks who comes: its address."""
    with tempfile.NamedTemporaryFile("w", suffix=".users") as file:
        file.write(users)
        file.flush()
        # Sessions end while the test runs, for those clients that mind.
        with klamm.broker("--sasl", "PLAIN", "--users", file.name, "--reauth-ms", "2000") as at:
            yield at


@test("kafka-python with SASL PLAIN")
def kafka_python_sasl(_):
    with sasl_broker() as at:
        who = {"bootstrap_servers": at, "security_protocol": "SASL_PLAINTEXT",
               "sasl_mechanism": "PLAIN", "sasl_plain_username": "alice",
               "sasl_plain_password": "alice-secret"}
        producer = kafka.KafkaProducer(**who)
        for i in range(40):
            producer.send("sasl", b"%d" % i).get(timeout=peers.TIMEOUT_S)
            time.sleep(0.1)
        producer.close()
        consumer = kafka.KafkaConsumer("sasl", group_id=None, auto_offset_reset="earliest",
                                       consumer_timeout_ms=60000, **who)
        equal([m.value for m in itertools.islice(consumer, 40)],
              [b"%d" % i for i in range(40)], "records")
        partition = kafka.TopicPartition("sasl", 0)
        equal(consumer.end_offsets([partition])[partition], 40, "end")
        consumer.close()
        try:
            kafka.admin.KafkaAdminClient(**{**who, "sasl_plain_password": "wrong"},
                                         bootstrap_timeout_ms=3000)
        except kafka.errors.KafkaError:
            return
        raise AssertionError("a wrong password is taken")


def librdkafka_way(at, password):
    return ["-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=PLAIN",
            "-X", "sasl.username=bob", "-X", f"sasl.password={password}"]


@test("kcat with SASL PLAIN")
def kcat_sasl(_):
    with sasl_broker() as at:
        peers.kcat(at, *librdkafka_way(at, "bob-secret"), "-P", "-t", "sasl", stdin=b"a\nb\n")
        out = peers.kcat(at, *librdkafka_way(at, "bob-secret"), "-C", "-t", "sasl",
                         "-o", "beginning", "-e", "-q")
        equal(out, b"a\nb\n", "records")
        try:
            peers.kcat(at, *librdkafka_way(at, "wrong"), "-L", "-m", "8")
        except AssertionError as error:
            assert "Authentication failed: Invalid username or password" in str(error), error
            return
        raise AssertionError("a wrong password is taken")


@test("Java's tools with SASL PLAIN")
def java_sasl(_):
    with sasl_broker() as at, tempfile.TemporaryDirectory() as folder:
        path = peers.properties(folder)
        peers.harness("tool-at", at, JAVA, "topics", "--command-config", path, "--create",
                      "--topic", "sasl")
        peers.harness("tool-at", at, JAVA, "producer", "--command-config", path, "--topic",
                      "sasl", stdin=b"one\ntwo\n")
        out = klamm.run("-F", path, "-b", at, "consume", "sasl", "-o", "start", "-e")
        equal(out, b"one\ntwo\n", "records")


@test("consumers wait for records to come")
def long_poll(ctx):
    klamm.create_topic(ctx.at, "wait")
    consumer = kafka.KafkaConsumer("wait", bootstrap_servers=ctx.at, group_id=None,
                                   auto_offset_reset="earliest")
    assert not consumer.poll(timeout_ms=300)
    klamm.run("-b", ctx.at, "produce", "wait", stdin=b"here\n")
    batches = consumer.poll(timeout_ms=60000)
    equal([m.value for batch in batches.values() for m in batch], [b"here"], "records")
    consumer.close()


def send_three(ctx, topic):
    """What became of three records that kafka-python sent without a retry."""
    producer = kafka.KafkaProducer(bootstrap_servers=ctx.at, retries=0, linger_ms=0,
                                   enable_idempotence=False)
    fates = []
    for i in range(3):
        try:
            producer.send(topic, b"%d" % i, partition=0).get(timeout=peers.TIMEOUT_S)
            fates.append("sent")
        except kafka.errors.KafkaError as error:
            fates.append(type(error).__name__)
    producer.close()
    return fates


@test("kafka-python sets a fault, meets it and takes it back")
def kafka_python_fault(ctx):
    klamm.create_topic(ctx.at, "fault")
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=ctx.at)
    broker = kafka.admin.ConfigResourceType.BROKER

    def change(setting):
        admin.alter_configs([kafka.admin.ConfigResource(broker, "1",
                                                        {"klamm.fault": setting})])
    change("produce topic=fault nth=2 error=MESSAGE_TOO_LARGE")
    equal(send_three(ctx, "fault"), ["sent", "MessageSizeTooLargeError", "sent"], "records")
    told = klamm.run("-b", ctx.at, "fault", "list").decode()
    assert told.startswith("1\tProduce topic=fault nth=2 count=1"), told
    change(("DELETE", None))
    equal(klamm.run("-b", ctx.at, "fault", "list"), b"", "faults")
    admin.close()


@test("Java's configs tool sets faults and shows them")
def java_fault(ctx):
    klamm.create_topic(ctx.at, "java-fault")
    every = ("--entity-type", "brokers", "--entity-default")
    ctx.tool("configs", "--alter", *every, "--add-config",
             "klamm.fault=[produce topic=java-fault error=TOPIC_AUTHORIZATION_FAILED]")
    told = ctx.tool("configs", "--describe", *every).decode()
    assert "klamm.fault=Produce topic=java-fault count=1 error=TOPIC_AUTH" in told, told
    equal(send_three(ctx, "java-fault"), ["TopicAuthorizationFailedError", "sent", "sent"],
          "records")
    ctx.tool("configs", "--alter", *every, "--delete-config", "klamm.fault")
    equal(klamm.run("-b", ctx.at, "fault", "list"), b"", "faults")


@test("five kills under load lose nothing that was acknowledged")
def kills(_):
    print("#", crashes.run(5))


def fate(producer, value):
    """What became of a record: its offset, or the name of the error."""
    try:
        return producer.send("fed", value, partition=0).get(timeout=peers.TIMEOUT_S).offset
    except kafka.errors.KafkaError as error:
        return type(error).__name__


@test("kafka-python sees a full disk as KafkaStorageError and goes on when there is room")
def full_disk(_):
    with tempfile.TemporaryDirectory() as folder:
        server = crashes.Server(folder)
        server.start()
        try:
            producer = kafka.KafkaProducer(bootstrap_servers=server.listen, acks="all",
                                           retries=0, linger_ms=0, enable_idempotence=False)
            equal([fate(producer, b"before %d" % i) for i in range(3)], [0, 1, 2], "offsets")
            server.limit(server.largest_file() + 100)
            equal([fate(producer, b"x" * 1000) for _ in range(3)], ["KafkaStorageError"] * 3,
                  "fates")
            got = KafkaPython.consume(server.listen, "fed")
            equal([r.value for r in got], [b"before 0", b"before 1", b"before 2"], "values")
            server.limit()
            equal([fate(producer, b"after %d" % i) for i in range(2)], [3, 4], "offsets")
            producer.close()
            server.kill()
            server.start()
            got = KafkaPython.consume(server.listen, "fed")
            equal([r.value for r in got][3:], [b"after 0", b"after 1"], "values")
        finally:
            server.kill()
