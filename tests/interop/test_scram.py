"""SCRAM against real brokers: both hashes, odd names and passwords, delegation tokens."""
import os
import re
import tempfile
import time
from unittest import mock

import confluent_kafka

import klamm
import peers
import test_sasl
from frame import each, equal, parts, test
from peers import SCRAM

TOKENS = "org.apache.kafka.tools.DelegationTokenCommand"
# It looks the same to a reader; SASLprep would make one letter of the last two.
DECOMPOSED = "cafe\u0301"


@each("{}: 10,000 records out and in, with a Java client's file", SCRAM)
def scram_round_trip(ctx, mechanism):
    topic = mechanism.lower()
    want = [f"record {i}" for i in range(10000)]
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", peers.scram(folder, mechanism), "-b", ctx.sasl)
        if parts(ctx.version) >= (0, 11):
            klamm.run(*there, "topic", "create", topic, "-p", 3)
            klamm.run(*there, "produce", topic,
                      stdin="".join(f"{line}\n" for line in want).encode())
        else:  # klamm reads from brokers that old, and others write
            producer = confluent_kafka.Producer({
                "bootstrap.servers": ctx.at, "broker.version.fallback": ctx.version,
                "log_level": 0})
            for line in want:
                producer.produce(topic, value=line)
                producer.poll(0)
            equal(producer.flush(60), 0, "records left")
        got = klamm.run(*there, "consume", topic, "-o", "start", "-e").decode()
    equal(sorted(got.splitlines()), sorted(want), "records")


@each("{}: a wrong password or user is told once, with the broker's words", SCRAM)
def scram_wrong(ctx, mechanism):
    for user, password in (("alice", "hunter2"), ("nobody", "alice-secret")):
        with tempfile.TemporaryDirectory() as folder:
            start = time.monotonic()
            text = klamm.run("-F", peers.scram(folder, mechanism, user, password), "-b", ctx.sasl,
                             "topic", "list", status=3).decode()
            took = time.monotonic() - start
        assert took < 5, f"{took:.1f} s"
        equal(text.count("\n"), 1, text)
        assert f"{ctx.sasl}: SASL {mechanism}: " in text, text
        assert "hunter2" not in text and "alice-secret" not in text, text
        if parts(ctx.version) >= (1, 0):
            assert ("the broker says: Authentication failed during authentication due to invalid "
                    f"credentials with SASL mechanism {mechanism}") in text, text
        else:
            assert "as one before Kafka 1.0 does" in text, text


@test("names have their escapes, and a password is what its bytes are", since="4.0")
def scram_odd(ctx):
    mechanism = "SCRAM-SHA-512"
    with mock.patch.dict(os.environ, LC_ALL="C.UTF-8"):  # of Java's arguments
        ctx.tool("configs", "--alter", "--add-config",
                 f"{mechanism}=[iterations=8192,password={DECOMPOSED}]",
                 "--entity-type", "users", "--entity-name", "a,b=c")
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", peers.scram(folder, mechanism, "a,b=c", DECOMPOSED), "-b", ctx.sasl)
        klamm.run(*there, "topic", "list")
        text = klamm.run(*there, "-X", "sasl.scram.saslprep=true", "topic", "list",
                         status=3).decode()
        assert "invalid credentials" in text, text


def until_it_is_known(*args):
    """A broker learns of a token some time after it was made."""
    for _ in range(50):
        try:
            return klamm.run(*args)
        except AssertionError:
            time.sleep(0.1)
    return klamm.run(*args)


# KIP-48
@test("a delegation token lets in its owner", since="4.0")
def scram_token(ctx):
    with tempfile.TemporaryDirectory() as folder:
        alice = peers.scram(folder, "SCRAM-SHA-256")
        out = peers.harness("tool-at", ctx.sasl, "4.4.0", TOKENS, "--bootstrap-server", ctx.sasl,
                            "--command-config", alice, "--create",
                            "--max-life-time-period", "-1").decode()
        found = re.search(r"^(\S{22})\s+(\S+==?)\s+User:alice\b", out, re.M)
        assert found, out
        for mechanism in SCRAM:
            there = ("-b", ctx.sasl, "-F",
                     peers.scram(folder, mechanism, *found.groups(), 'tokenauth="true"'))
            until_it_is_known(*there, "topic", "list")
            text = klamm.run(*there, "-X", "sasl.scram.tokenauth=false", "topic", "list",
                             status=3).decode()
            assert "invalid credentials" in text, text
            assert found.group(2) not in text, text


@test("SCRAM sessions are renewed under load, and nothing is lost or told", since="4.0")
def scram_renewed(ctx):
    with tempfile.TemporaryDirectory() as folder:
        test_sasl.load_and_renew(ctx, peers.scram(folder, "SCRAM-SHA-512"), "scram-renewed")
