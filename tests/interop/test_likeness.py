"""What tests/broker says of the dev broker holds for Apache Kafka 4.4, too."""
import os
import subprocess

import klamm
from frame import test


@test("Kafka passes the dev broker's tests")
def same_tests(ctx):
    subprocess.run(["make", "-s", "-C", klamm.BUILD, "tests/broker/test_broker"], check=True,
                   stdout=subprocess.DEVNULL)
    done = subprocess.run([os.path.join(klamm.BUILD, "tests/broker/test_broker")],
                          env={**os.environ, "KLAMM_TEST_BOOTSTRAP": ctx.at},
                          capture_output=True, text=True, timeout=600, check=False)
    bad = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    assert done.returncode == 0 and not bad, "\n".join(bad) or done.stderr
    assert done.stdout.count("\nok ") > 40, done.stdout
