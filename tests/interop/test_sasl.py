"""SASL against real brokers: listeners that do not fit, and the dev broker's own tests."""
import os
import subprocess
import tempfile

import clients
import klamm
from frame import test
from refusal import refused

VERSIONS = ("4.4.0", "3.9.2", "2.8.2", "0.10.2.2")


def plain(ctx, at, *words):
    """The file of PLAIN at a listener that is not for it."""
    with tempfile.TemporaryDirectory() as folder:
        path = clients.write(ctx, folder, "plain", "SASL_PLAINTEXT")
        refused(at, "SASL PLAIN", words, "-F", path)


@test("where a mechanism is not enabled the broker's own are named", since="3.1")
def not_enabled(ctx):
    plain(ctx, ctx.oauth, "the broker offers OAUTHBEARER")


@test("a listener without SASL is recognised")
def not_wanted(ctx):
    plain(ctx, ctx.at, "this listener does without authentication")


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
