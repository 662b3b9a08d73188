"""Foreign clients that say who they are to klamm's own broker."""
import os
import tempfile

import confluent_kafka

import klamm
import peers
import records
from frame import each, same, test
from peers import SCRAM, Confluent, KafkaPython
from test_broker import JAVA

USERS = "alice = alice-secret\nbob = bob-secret\n"


class Broker:
    """One that wants SASL."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        users = os.path.join(self.folder.name, "users")
        with open(users, "w", encoding="ascii") as file:
            file.write(USERS)
        self.running = klamm.broker("--sasl", "PLAIN," + ",".join(SCRAM), "--users", users,
                                    "--reauth-ms", "5000")
        return self.running.__enter__()

    def __exit__(self, *error):
        self.folder.cleanup()
        return self.running.__exit__(*error)


def rdkafka_options(mechanism, password):
    return {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": mechanism,
            "sasl.username": "alice", "sasl.password": password}


@each("kafka-python says who it is: {}", ("PLAIN", *SCRAM))
def kafka_python_logs_in(_, mechanism):
    good = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": mechanism,
            "sasl_plain_username": "alice", "sasl_plain_password": "alice-secret"}
    with Broker() as at:
        want = records.samples(1, KafkaPython.all_nulls)
        KafkaPython.produce(at, "t", want, **good)
        same(KafkaPython.consume(at, "t", **good), want, mechanism)


@each("librdkafka says who it is: {}", ("PLAIN", *SCRAM))
def librdkafka_logs_in(_, mechanism):
    good = rdkafka_options(mechanism, "alice-secret")
    with Broker() as at:
        want = records.samples(1, Confluent.all_nulls)
        Confluent.produce(at, "t", want, **good)
        same(Confluent.consume(at, "t", **good), want, mechanism)
        failures = []
        client = confluent_kafka.Producer({
            "bootstrap.servers": at, "log_level": 0, "error_cb": failures.append,
            **rdkafka_options(mechanism, "wrong")})
        for _attempt in range(600):
            client.poll(0.1)
            if any(e.code() == confluent_kafka.KafkaError._AUTHENTICATION for e in failures):
                return
        raise AssertionError(f"a wrong password: {failures}")


@test("Java says who it is: SCRAM-SHA-512")
def java_logs_in(_):
    with Broker() as at, tempfile.TemporaryDirectory() as folder:
        good = peers.scram(folder, "SCRAM-SHA-512")
        peers.harness("tool-at", at, JAVA, "producer", "--topic", "t",
                      "--producer.config", good, stdin=b"one\ntwo\n")
        got = peers.harness("tool-at", at, JAVA, "consumer", "--topic", "t", "--from-beginning",
                            "--max-messages", 2, "--timeout-ms", 30000,
                            "--consumer.config", good).decode()
        assert sorted(got.split()[-2:]) == ["one", "two"], got  # behind a note of its own
        peers.scram(folder, "SCRAM-SHA-512", password="wrong")
        try:
            peers.harness("tool-at", at, JAVA, "topics", "--list", "--command-config", good)
        except AssertionError as error:
            assert "invalid credentials with SASL mechanism SCRAM-SHA-512" in str(error), error
            return
        raise AssertionError("a wrong password is let in")
