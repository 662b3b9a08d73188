"""Keyed lines into a running `klamm produce`, while something happens to its brokers."""
import contextlib
import subprocess
import threading
import time

import klamm
from frame import equal

KEYS = 50
PER_SECOND = 1500


def check_once(rows, count, form="{}"):
    """Each of the records is there once, and in the order of sending within its partition."""
    numbers = {form.format(i).encode(): i for i in range(count)}
    last = {}
    for row in rows:
        number = numbers.pop(row.value, None)
        assert number is not None, f"{row} is there twice, or nobody sent it"
        assert last.get(row.partition, -1) < number, \
            f"{row} comes after {last[row.partition]}"
        last[row.partition] = number
    assert not numbers, f"{len(numbers)} of {count} are missing, first {next(iter(numbers))}"


class Feed:
    """Feeds until it is stopped: record i has the key `key`, i modulo KEYS, and the
    value that `form` makes of i."""

    def __init__(self, at, topic, *args, per_second=PER_SECOND, form="{}"):
        self.sent = 0
        self.form = form
        self.step = per_second // 50
        self.stop = threading.Event()
        self.process = subprocess.Popen(
            [klamm.PROGRAM, "-b", at, *args, "produce", topic, "-K", ":"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop.set()
        if self.process.poll() is None:
            self.process.kill()  # a test has failed
        self.thread.join()
        self.process.communicate()

    def _write(self, count):
        lines = "".join(f"key{i % KEYS}:{self.form.format(i)}\n"
                        for i in range(self.sent, self.sent + count))
        self.process.stdin.write(lines.encode())
        self.process.stdin.flush()
        self.sent += count

    def _run(self):
        with contextlib.suppress(BrokenPipeError):
            while not self.stop.is_set():
                self._write(self.step)
                time.sleep(0.02)

    def finish(self, count=0):
        """The number of records, which are `count` at least; klamm has had them all
        acknowledged."""
        self.stop.set()
        self.thread.join()
        with contextlib.suppress(BrokenPipeError):  # it has ended, and says why
            if self.sent < count:
                self._write(count - self.sent)
        try:
            _, errors = self.process.communicate(timeout=klamm.TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("klamm produce does not end") from None
        equal((self.process.returncode, errors.decode()), (0, ""), "klamm produce")
        return self.sent
