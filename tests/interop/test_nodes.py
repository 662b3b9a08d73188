"""klamm against three real brokers that are killed, restarted and stopped under it.

Until the producer is idempotent an answer that was lost may mean a record that stands twice;
what must hold is that every acknowledged record is there and that first occurrences are in
order."""
import subprocess
import threading
import time

import klamm
import peers
from feed import Feed
from frame import equal, test
from peers import KafkaPython

NODES = 3


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
