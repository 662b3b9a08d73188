"""Other people's clients behind one shape: produce(at, topic, records), consume(at, topic)."""
import os
import subprocess
import tempfile
import time

import confluent_kafka
import kafka
import kafka.admin

from records import Record

HERE = os.path.dirname(os.path.abspath(__file__))
HARNESS = os.path.join(HERE, "..", "kafka", "kafka")
TIMEOUT_S = 60
SCRAM = ("SCRAM-SHA-256", "SCRAM-SHA-512")

# Of a Java client, as it is.
PROPERTIES = """security.protocol=SASL_PLAINTEXT
sasl.mechanism=PLAIN
sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \\
    username="alice" \\
    password="alice-secret";
"""


def know(consumer, *topics):
    """After subscribing with kafka-python and before polling: metadata of the topics. When
    they come behind its first join it joins again, and forgets what it is assigned then if that
    takes longer than a poll() (3.0.12)."""
    for topic in topics:
        consumer.partitions_for_topic(topic)


def await_markers(at, topic):
    """Until no transaction of the topic is open: brokers answer the end of one before its markers
    are written, and who reads what is committed then may read too little."""
    readers = [kafka.KafkaConsumer(bootstrap_servers=at, group_id=None, isolation_level=level)
               for level in ("read_committed", "read_uncommitted")]
    try:
        parts = [kafka.TopicPartition(topic, p)
                 for p in sorted(readers[0].partitions_for_topic(topic))]
        end = time.monotonic() + TIMEOUT_S
        while True:
            stable, everything = (reader.end_offsets(parts) for reader in readers)
            if stable == everything:
                return
            assert time.monotonic() < end, f"{topic}: of {everything} {stable} are stable"
            time.sleep(0.1)
    finally:
        for reader in readers:
            reader.close()


class KafkaPython:
    name = "kafka-python"
    all_nulls = False  # it refuses to send some

    @staticmethod
    def produce(at, topic, rows, codec="none", **options):
        producer = kafka.KafkaProducer(
            bootstrap_servers=at, linger_ms=5,
            compression_type=None if codec == "none" else codec, **options)
        sent = [producer.send(topic, key=r.key, value=r.value, partition=r.partition,
                              timestamp_ms=r.timestamp, headers=list(r.headers))
                for r in rows]
        producer.flush(timeout=TIMEOUT_S)
        offsets = [future.get(timeout=TIMEOUT_S).offset for future in sent]
        producer.close()
        return offsets

    @staticmethod
    def place(at, topic, keys):
        """The partition that the default partitioner gave to each key."""
        producer = kafka.KafkaProducer(bootstrap_servers=at, linger_ms=20)
        sent = [producer.send(topic, key=key, value=b"") for key in keys]
        producer.flush(timeout=TIMEOUT_S)
        partitions = [future.get(timeout=TIMEOUT_S).partition for future in sent]
        producer.close()
        return partitions

    @staticmethod
    def consume(at, topic, **options):
        consumer = kafka.KafkaConsumer(bootstrap_servers=at, group_id=None, check_crcs=True,
                                       enable_auto_commit=False, **options)
        try:
            parts = [kafka.TopicPartition(topic, p)
                     for p in sorted(consumer.partitions_for_topic(topic))]
            consumer.assign(parts)
            consumer.seek_to_beginning(*parts)
            ends = consumer.end_offsets(parts)
            rows = []
            while any(consumer.position(tp) < ends[tp] for tp in parts):
                for batch in consumer.poll(timeout_ms=1000).values():
                    rows += [Record(m.partition, m.offset, m.timestamp, m.key, m.value,
                                    tuple(m.headers)) for m in batch]
            return sorted(rows, key=lambda r: r[:2])
        finally:
            consumer.close()


class Confluent:
    """librdkafka, by its Python wheel."""
    name = "librdkafka"
    all_nulls = True

    @staticmethod
    def produce(at, topic, rows, codec="none", **options):
        offsets = [None] * len(rows)
        producer = confluent_kafka.Producer({
            "bootstrap.servers": at, "compression.type": codec, "log_level": 3, **options})

        def done(i):
            def store(error, message):
                offsets[i] = error if error else message.offset()
            return store
        for i, r in enumerate(rows):
            producer.produce(topic, key=r.key, value=r.value, partition=r.partition,
                             timestamp=r.timestamp, headers=list(r.headers),
                             on_delivery=done(i))
            producer.poll(0)
        if producer.flush(TIMEOUT_S) != 0:
            raise AssertionError("librdkafka could not flush")
        return offsets

    @staticmethod
    def consume(at, topic, **options):
        consumer = confluent_kafka.Consumer({
            "bootstrap.servers": at, "group.id": "unused", "enable.auto.commit": False,
            "check.crcs": True, "enable.partition.eof": True, "log_level": 3, **options})
        meta = consumer.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
        consumer.assign([confluent_kafka.TopicPartition(topic, p, 0) for p in meta.partitions])
        rows, open_parts = [], set(meta.partitions)
        while open_parts:
            m = consumer.poll(TIMEOUT_S)
            if m is None:
                raise AssertionError("librdkafka waits in vain")
            if m.error() is None:
                rows.append(Record(m.partition(), m.offset(), m.timestamp()[1], m.key(),
                                   m.value(), tuple(m.headers() or ())))
            elif m.error().code() == confluent_kafka.KafkaError._PARTITION_EOF:
                open_parts.discard(m.partition())
            else:
                raise AssertionError(str(m.error()))
        consumer.close()
        return sorted(rows, key=lambda r: r[:2])


def properties(folder):
    """The file of a Java client that is alice."""
    path = os.path.join(folder, "client.properties")
    with open(path, "w", encoding="ascii") as file:
        file.write(PROPERTIES)
    return path


def scram(folder, mechanism, user="alice", password="alice-secret", more=""):
    """The same for SCRAM, for anybody."""
    path = os.path.join(folder, "scram.properties")
    quoted = password.replace("\\", "\\\\").replace('"', '\\"').replace("\\", "\\\\")
    with open(path, "w", encoding="utf-8") as file:
        file.write("security.protocol=SASL_PLAINTEXT\n"
                   f"sasl.mechanism={mechanism}\n"
                   "sasl.jaas.config=org.apache.kafka.common.security.scram."
                   "ScramLoginModule required \\\n"
                   f'  username="{user}" password="{quoted}" {more};\n')
    return path


def harness(*args, stdin=None):
    """stdout of tests/kafka/kafka ARGS."""
    with tempfile.TemporaryFile() as errors:
        done = subprocess.run([HARNESS, *map(str, args)], input=stdin, stdout=subprocess.PIPE,
                              stderr=errors, timeout=600, check=False)
        if done.returncode != 0:
            errors.seek(0)
            raise AssertionError(f"kafka {' '.join(map(str, args))}: exit {done.returncode}: "
                                 f"{errors.read()[-1500:].decode(errors='replace')}")
        return done.stdout


def java_place(at, version, topics, keys):
    """{topic: partition of each key} as Java's producer placed them."""
    with open(harness("fetch", version).decode().strip(), encoding="utf-8") as file:
        classpath = file.read().strip()
    done = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1",
         "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath,
         os.path.join(HERE, "Place.java"), at, *topics],
        input="".join(key.hex() + "\n" for key in keys).encode(), stdout=subprocess.PIPE,
        timeout=180, check=True)
    rows = [list(map(int, line.split())) for line in done.stdout.splitlines()]
    return {topic: [row[i] for row in rows] for i, topic in enumerate(topics)}


def kcat(at, *args, stdin=None):
    """stdout of kcat."""
    done = subprocess.run(["kcat", "-b", at, *map(str, args)], input=stdin,
                          capture_output=True, timeout=TIMEOUT_S, check=False)
    if done.returncode != 0:
        raise AssertionError(f"kcat: {done.stderr[-1000:].decode(errors='replace')}")
    return done.stdout
