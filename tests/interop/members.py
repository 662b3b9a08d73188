"""Other people's members of a group behind one shape: a thread or a process that reads."""
import subprocess
import tempfile
import threading
import time

import confluent_kafka
import kafka

import peers

WAIT_S = 120  # JVMs start beside compilers


def until(what, ready):
    """Waits for ready() to be true."""
    end = time.monotonic() + WAIT_S
    while not ready():
        if time.monotonic() > end:
            raise AssertionError(f"not in {WAIT_S} s: {what}")
        time.sleep(0.05)


class Member(threading.Thread):
    """Polls until it is closed; keeps the values that it read, and commits what it has read."""

    def __init__(self):
        super().__init__(daemon=True)
        self.values, self.parts, self.error = [], frozenset(), None
        self.ends = threading.Event()
        self.start()

    def run(self):
        try:
            self.begin()
            while not self.ends.is_set():
                self.step()
            self.leave()
        except Exception as error:  # told by close()
            self.error = error

    @property
    def owned(self):
        """The partitions that it has now."""
        if self.error is not None:
            raise AssertionError(f"{type(self).__name__}: {self.error}")
        return self.parts

    def close(self):
        """Leaves the group, unless it is static."""
        self.ends.set()
        self.join(WAIT_S)
        if self.error is not None or self.is_alive():
            raise AssertionError(f"{type(self).__name__}: {self.error or 'does not end'}")


class KafkaPython(Member):
    def __init__(self, at, topic, group, **options):
        self.what = at, topic, group, options
        super().__init__()

    def begin(self):
        at, topic, group, options = self.what
        self.consumer = kafka.KafkaConsumer(
            topic, bootstrap_servers=at, group_id=group, enable_auto_commit=False,
            auto_offset_reset="earliest", heartbeat_interval_ms=300, **options)
        peers.know(self.consumer, topic)

    def step(self):
        batches = self.consumer.poll(timeout_ms=100)
        for batch in batches.values():
            self.values += [m.value for m in batch]
        if batches:
            self.consumer.commit()
        self.parts = frozenset(tp.partition for tp in self.consumer.assignment())

    def leave(self):
        self.consumer.close(autocommit=False)


class Librdkafka(Member):
    def __init__(self, at, topic, group, **options):
        self.what = at, topic, group, options
        super().__init__()

    def begin(self):
        at, topic, group, options = self.what
        self.consumer = confluent_kafka.Consumer({
            "bootstrap.servers": at, "group.id": group, "enable.auto.commit": False,
            "auto.offset.reset": "earliest", "heartbeat.interval.ms": 300, "log_level": 3,
            **options})
        self.consumer.subscribe([topic])

    def step(self):
        message = self.consumer.poll(0.1)
        if message is not None and message.error() is None:
            self.values.append(message.value())
            self.consumer.commit(message, asynchronous=False)
        self.parts = frozenset(tp.partition for tp in self.consumer.assignment())

    def leave(self):
        self.consumer.close()


class JavaConsole:
    """kafka-console-consumer, which ends by itself after so many records."""

    def __init__(self, at, version, topic, group, records):
        self.out = tempfile.TemporaryFile()
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [peers.HARNESS, "tool-at", at, version, "consumer", "--topic", topic, "--group",
             group, "--max-messages", str(records), "--timeout-ms", str(WAIT_S * 1000),
             "--command-property", "auto.offset.reset=earliest",
             "--command-property", "heartbeat.interval.ms=300"],
            stdin=subprocess.DEVNULL, stdout=self.out, stderr=self.errors)

    def values(self):
        """What it read, when it has ended."""
        status = self.process.wait(WAIT_S)
        self.out.seek(0)
        self.errors.seek(0)
        if status != 0:
            raise AssertionError(f"Java's consumer: exit {status}: "
                                 f"{self.errors.read()[-1000:].decode(errors='replace')}")
        return self.out.read().splitlines()

    def kill(self):
        self.process.kill()
        self.process.wait()
