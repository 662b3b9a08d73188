"""klamm against three real brokers that are killed, restarted and stopped under it.

Until the producer is idempotent an answer that was lost may mean a record that stands twice;
what must hold is that every acknowledged record is there and that first occurrences are in
order."""
import subprocess
import threading
import time

import klamm
import peers
from frame import equal, test
from peers import KafkaPython

KEYS = 50
PER_SECOND = 1500
NODES = 3


class Feed:
    """Keyed lines into a running `klamm produce` until it is stopped."""

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


def check_log(ctx, topic, count):
    """Every record is there, first occurrences in order within their key."""
    seen, last, twice = set(), {}, 0
    for row in KafkaPython.consume(ctx.at, topic):
        number = int(row.value)
        if number in seen:
            twice += 1
            continue
        seen.add(number)
        assert last.get(row.key, -1) < number, \
            f"{number} of {row.key} comes after {last[row.key]}"
        last[row.key] = number
    missing = sorted(set(range(count)) - seen)
    assert not missing and len(seen) == count, \
        f"{len(missing)} of {count} are missing, from {missing[:5]}"
    print(f"# {topic}: {count} records, {twice} of them twice")


def create(ctx, topic):
    klamm.create_topic(ctx.at, topic, 6, "-r", NODES)


def each_node(ctx, down, up, pause):
    for node in range(1, NODES + 1):
        peers.harness(down, ctx.cluster, node)
        time.sleep(pause)
        peers.harness(up, ctx.cluster, node)
        time.sleep(3)


@test("produce while each node is killed and comes back")
def kill(ctx):
    create(ctx, "kill")
    feed = Feed(ctx.at, "kill")
    time.sleep(1)
    each_node(ctx, "kill", "start", 2)
    check_log(ctx, "kill", feed.finish())


@test("produce while each node stands still")
def still(ctx):
    create(ctx, "still")
    feed = Feed(ctx.at, "still", "-X", "request.timeout.ms=2000")
    time.sleep(1)
    each_node(ctx, "pause", "resume", 6)
    check_log(ctx, "still", feed.finish())


@test("consume while each node is killed and comes back")
def follow(ctx):
    create(ctx, "follow")
    reader = subprocess.Popen(
        [klamm.PROGRAM, "-b", ctx.at, "consume", "follow", "-o", "start", "-f", "%p %o\\n"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    got = []
    collect = threading.Thread(target=lambda: got.extend(reader.stdout))
    collect.start()
    try:
        feed = Feed(ctx.at, "follow")
        each_node(ctx, "kill", "start", 1)
        feed.finish()
        want = sorted(f"{r.partition} {r.offset}\n".encode()
                      for r in KafkaPython.consume(ctx.at, "follow"))
        end = time.monotonic() + 60
        while len(got) < len(want) and time.monotonic() < end:
            time.sleep(0.1)
    finally:
        reader.terminate()
        collect.join()
        reader.communicate()
    equal(sorted(got), want, "offsets read")
