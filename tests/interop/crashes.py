"""`klamm broker --data-dir` is killed with SIGKILL again and again while a klamm producer with
acks=all feeds it: every record that was acknowledged is there, in order."""
import contextlib
import os
import random
import re
import resource
import subprocess
import tempfile
import time

import klamm
import peers
from feed import Feed

PARTITIONS = 3


class Server:
    """The broker's process: one life after the other, on one port and directory."""

    def __init__(self, folder):
        self.folder = folder
        self.data = os.path.join(folder, "data")
        self.listen = "127.0.0.1:0"
        self.process = None

    def start(self):
        ready = os.path.join(self.folder, "ready")
        with contextlib.suppress(FileNotFoundError):
            os.unlink(ready)
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [klamm.PROGRAM, "broker", "--listen", self.listen, "--ready-file", ready,
                 "--data-dir", self.data, "-t", f"fed:{PARTITIONS}"],
                # Python ignores SIGXFSZ: so does the child, as limit() needs it.
                stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log,
                restore_signals=False)
        end = time.monotonic() + 30
        while not os.path.exists(ready):
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"the broker does not come back: {self.log()}")
            time.sleep(0.005)
        with open(ready, encoding="ascii") as file:
            self.listen = file.read().strip()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def limit(self, size=None):
        """No file may be larger, which is what a full disk is; None: there is room again."""
        unlimited = resource.RLIM_INFINITY
        resource.prlimit(self.process.pid, resource.RLIMIT_FSIZE,
                         (unlimited if size is None else size, unlimited))

    def largest_file(self):
        return max(entry.stat().st_size for entry in os.scandir(self.data))

    def log(self):
        with open(os.path.join(self.folder, "log"), encoding="utf-8") as file:
            return file.read()


def check(at, count):
    """kcat finds every record; first occurrences are in the order of sending."""
    listed = peers.kcat(at, "-C", "-t", "fed", "-o", "beginning", "-e", "-q", "-f",
                        "%p %o %s\\n", "-X", "check.crcs=true")
    seen, last, end, twice = set(), {}, {}, 0
    for line in sorted(tuple(map(int, row.split())) for row in listed.splitlines()):
        partition, offset, number = line
        if offset != end.get(partition, 0):
            raise AssertionError(f"{partition}: offset {offset} after {end.get(partition)}")
        end[partition] = offset + 1
        if number in seen:
            twice += 1
            continue
        seen.add(number)
        if last.get(partition, -1) > number:
            raise AssertionError(f"{number} comes after {last[partition]}")
        last[partition] = number
    missing = sorted(set(range(count)) - seen)
    if missing or len(seen) != count:
        raise AssertionError(f"{len(missing)} of {count} are missing, from {missing[:5]}")
    return twice


def run(kills):
    """What happened, in a sentence."""
    with tempfile.TemporaryDirectory() as folder:
        server = Server(folder)
        server.start()
        try:
            feed = Feed(server.listen, "fed", "-X", "reconnect.backoff.ms=20",
                        "-X", "reconnect.backoff.max.ms=200", "-X", "linger.ms=2",
                        "-X", "delivery.timeout.ms=600000")
            for _ in range(kills):
                time.sleep(random.uniform(0.05, 0.6))
                server.kill()
                server.start()
            count = feed.finish()
            twice = check(server.listen, count)
        finally:
            server.kill()
        cuts = len(re.findall(r": cut \d+ bytes", server.log()))
        return (f"{kills} kills: {count} records acknowledged and there, {twice} of them "
                f"twice; {cuts} ends were cut")
