"""SASL against real brokers: passwords that are right and wrong, and sessions that end."""
import base64
import os
import subprocess
import tempfile
import threading
import time

import confluent_kafka

import klamm
import peers
from frame import equal, parts, test

VERSIONS = ("4.4.0", "3.9.2", "2.8.2", "0.10.2.2")
CONFIG = ("connections.max.reauth.ms=5000",)


def refused(ctx, *args, at=None):
    """What klamm says to a broker that does not let it in: at once, in one line, status 3."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.monotonic()
        text = klamm.run("-F", peers.properties(folder), *args, "-b", at or ctx.sasl,
                         "topic", "list", status=3).decode()
    took = time.monotonic() - start
    assert took < 5, f"{took:.1f} s"
    assert text.count("\n") == 1, text
    for word in ("127.0.0.1:", "SASL PLAIN: "):
        assert word in text, text
    assert "hunter2" not in text and "alice-secret" not in text, text
    return text


@test("10,000 records out and in, with a Java client's file")
def round_trip(ctx):
    want = [f"record {i}" for i in range(10000)]
    lines = "".join(line + "\n" for line in want).encode()
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", peers.properties(folder), "-b", ctx.sasl)
        if parts(ctx.version) >= (0, 11):
            klamm.run(*there, "topic", "create", "sasl-trip", "-p", 3)
            klamm.run(*there, "produce", "sasl-trip", stdin=lines)
        else:  # klamm reads from brokers that old, and others write
            producer = confluent_kafka.Producer({
                "bootstrap.servers": ctx.at, "broker.version.fallback": ctx.version,
                "log_level": 0})
            for line in want:
                producer.produce("sasl-trip", value=line)
                producer.poll(0)
            equal(producer.flush(60), 0, "records left")
        got = klamm.run(*there, "consume", "sasl-trip", "-o", "start", "-e").decode()
    equal(sorted(got.splitlines()), sorted(want), "records")


@test("a wrong password or user is told once, with the broker's words")
def wrong(ctx):
    for pair in ("sasl.password=hunter2", "sasl.username=nobody"):
        text = refused(ctx, "-X", pair)
        if parts(ctx.version) >= (1, 0):
            assert "Authentication failed: Invalid username or password" in text, text
        else:
            assert "as one before Kafka 1.0 does" in text, text


@test("where a mechanism is not enabled the broker's own are named", since="3.1")
def not_enabled(ctx):
    text = refused(ctx, at=ctx.oauth)
    assert "the broker offers OAUTHBEARER" in text, text


@test("a listener without SASL is recognised")
def not_wanted(ctx):
    text = refused(ctx, at=ctx.at)
    assert "this listener does without authentication" in text, text


def load_and_renew(ctx, properties, topic):
    """Records at a steady pace, over two sessions of five seconds; with --full, a minute's."""
    count = 80 * (600 if ctx.full else 125)
    there = ("-F", properties, "-b", ctx.sasl)
    klamm.run(*there, "topic", "create", topic)
    with subprocess.Popen([klamm.PROGRAM, *there, "-q", "-vv", "produce", topic],
                          stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        log = []
        reader = threading.Thread(target=lambda: log.extend(process.stderr))
        reader.start()
        for i in range(count):
            process.stdin.write(b"%d\n" % i)
            if i % 80 == 0:
                process.stdin.flush()
                time.sleep(0.1)
        process.stdin.close()
        equal(process.wait(60), 0, "exit status")
        reader.join()
    got = klamm.run(*there, "consume", topic, "-o", "start", "-e")
    equal(got.split(), [b"%d" % i for i in range(count)], "records")
    text = b"".join(log).decode()
    assert text.count("authenticated again") >= (11 if ctx.full else 2), text[-2000:]
    assert "alice-secret" not in text
    assert base64.b64encode(b"\0alice\0alice-secret").decode() not in text


# KIP-368
@test("sessions are renewed under load, and nothing is lost or told", since="2.2")
def renewed(ctx):
    with tempfile.TemporaryDirectory() as folder:
        load_and_renew(ctx, peers.properties(folder), "sasl-renewed")


@test("Kafka passes the dev broker's tests of SASL", since=VERSIONS[0])
def same_tests(ctx):
    subprocess.run(["make", "-s", "-C", klamm.BUILD, "tests/broker/test_broker"], check=True,
                   stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [os.path.join(klamm.BUILD, "tests/broker/test_broker")],
        env={**os.environ, "KLAMM_TEST_BOOTSTRAP": ctx.sasl, "KLAMM_TEST_SASL": "1",
             "CK_RUN_SUITE": "sasl"},
        capture_output=True, text=True, timeout=600, check=False)
    bad = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    assert done.returncode == 0 and not bad, "\n".join(bad) or done.stderr
    assert done.stdout.count("\nok ") > 20, done.stdout
