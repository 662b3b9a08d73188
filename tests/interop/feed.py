"""Keyed lines into a running `klamm produce`, while something happens to its brokers."""
import subprocess
import threading
import time

import klamm
from frame import equal

KEYS = 50
PER_SECOND = 1500


class Feed:
    """Feeds until it is stopped."""

    def __init__(self, at, topic, *args):
        self.sent = 0
        self.stop = threading.Event()
        self.process = subprocess.Popen(
            [klamm.PROGRAM, "-b", at, *args, "produce", topic, "-K", ":"],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.thread = threading.Thread(target=self._run)
        self.thread.start()

    def _run(self):
        step = PER_SECOND // 50
        while not self.stop.is_set():
            lines = "".join(f"key{i % KEYS}:{i}\n" for i in range(self.sent, self.sent + step))
            try:
                self.process.stdin.write(lines.encode())
                self.process.stdin.flush()
            except BrokenPipeError:
                return
            self.sent += step
            time.sleep(0.02)

    def finish(self):
        """The number of records; klamm has had them all acknowledged."""
        self.stop.set()
        self.thread.join()
        try:
            _, errors = self.process.communicate(timeout=klamm.TIMEOUT)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise AssertionError("klamm produce does not end") from None
        equal((self.process.returncode, errors.decode()), (0, ""), "klamm produce")
        return self.sent
