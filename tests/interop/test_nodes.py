"""klamm against three real brokers that are killed, restarted and stopped under it."""
import subprocess
import threading
import time

import klamm
import peers
from feed import Feed, check_once
from frame import equal, test
from peers import KafkaPython

NODES = 3


def check_log(ctx, topic, count):
    check_once(KafkaPython.consume(ctx.at, topic), count)


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
    with Feed(ctx.at, "kill") as feed:
        time.sleep(1)
        each_node(ctx, "kill", "start", 2)
        count = feed.finish()
    check_log(ctx, "kill", count)


@test("produce while each node stands still")
def still(ctx):
    create(ctx, "still")
    with Feed(ctx.at, "still", "-X", "request.timeout.ms=2000") as feed:
        time.sleep(1)
        each_node(ctx, "pause", "resume", 6)
        count = feed.finish()
    check_log(ctx, "still", count)


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
        with Feed(ctx.at, "follow") as feed:
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
