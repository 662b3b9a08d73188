"""klamm against three real brokers that are killed, restarted and stopped under it."""
import contextlib
import json
import subprocess
import threading
import time

import klamm
import peers
from feed import Feed, check_once
from frame import equal, test
from peers import KafkaPython

NODES = 3
SESSION_MS = 15000  # of members, for which a node or a member may stand still for seconds
# Each node is a rack, from which consumers there read.
CONFIG = ["broker.rack=rack{node}",
          "replica.selector.class=org.apache.kafka.common.replica.RackAwareReplicaSelector",
          # Groups: rebalances and failures take their time otherwise.
          "group.initial.rebalance.delay.ms=0",
          "group.consumer.min.heartbeat.interval.ms=300",
          "group.consumer.heartbeat.interval.ms=300",
          "group.consumer.min.session.timeout.ms=6000",
          f"group.consumer.session.timeout.ms={SESSION_MS}"]


def check_log(ctx, topic, count):
    check_once(KafkaPython.consume(ctx.at, topic), count)


def create(ctx, topic):
    klamm.create_topic(ctx.at, topic, 6, "-r", NODES)
    time.sleep(2)  # the nodes hear of it one after the other


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


class Reader:
    """Everything of a topic, as it comes, with the lines of the log."""

    def __init__(self, at, topic, *args, group=None):
        self.got, self.log = [], []
        member = ["-g", group] if group is not None else []
        self.process = subprocess.Popen(
            [klamm.PROGRAM, "-vv", "-b", at, *args, "consume", topic, *member, "-o", "start",
             "-f", "%p %o %s\\n"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.threads = [
            threading.Thread(target=lambda: self.got.extend(self.process.stdout)),
            threading.Thread(target=lambda: self.log.extend(self.process.stderr))]
        for thread in self.threads:
            thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        for thread in self.threads:
            thread.join()
        self.process.wait()

    def says(self, text):
        return any(text.encode() in line for line in self.log)

    def until(self, holds, what):
        end = time.monotonic() + 60
        while not holds():
            assert time.monotonic() < end, \
                f"{what}: {len(self.got)} records, log: {b''.join(self.log[-20:]).decode()}"
            time.sleep(0.05)


def leader_of(ctx, topic):
    return klamm.describe(ctx.at, topic)[0]["partitions"][0]["leader"]


def lines(count, value="{}"):
    return "".join(value.format(i) + "\n" for i in range(count)).encode()


@test("read from the replica in the rack, and from the leader when that is gone")
def near(ctx):
    klamm.create_topic(ctx.at, "near", 1, "-r", NODES)
    klamm.run("-b", ctx.at, "produce", "near", stdin=lines(100))
    leader = leader_of(ctx, "near")
    follower = leader % NODES + 1
    told = f"is read from broker {follower}"
    with Reader(ctx.at, "near", "-X", f"client.rack=rack{follower}") as reader:
        reader.until(lambda: len(reader.got) == 100 and reader.says(told), "from the follower")
        peers.harness("kill", ctx.cluster, follower)
        try:
            klamm.run("-b", ctx.at, "produce", "near", stdin=lines(50))
            reader.until(lambda: len(reader.got) == 150, "from the leader")
        finally:
            peers.harness("start", ctx.cluster, follower)
    equal([int(line.split()[1]) for line in reader.got], list(range(150)), "offsets")
    leader = leader_of(ctx, "near")
    with Reader(ctx.at, "near", "-X", f"client.rack=rack{leader}") as reader:
        reader.until(lambda: len(reader.got) == 150, "from the leader")
        assert not reader.says("is read from broker"), "the leader sends its own rack away"


@test("a group's members read what is in their rack, by each assignor that heeds it")
def group_racks(ctx):
    """KIP-881. Java's assignors give the same: tests/unit/plugins/assignors.txt has theirs."""
    klamm.create_topic(ctx.at, "racks", 6, "-r", 1)
    time.sleep(2)  # the nodes hear of it one after the other
    described = klamm.describe(ctx.at, "racks")[0]
    near = {f"rack{node}": {p["partition"] for p in described["partitions"]
                            if p["leader"] == node} for node in range(1, NODES + 1)}

    def given(group):
        listed = klamm.run("-b", ctx.at, "group", "list", "--json").splitlines()
        if group not in {json.loads(line)["group"] for line in listed}:
            return None
        rows = klamm.run("-b", ctx.at, "group", "describe", group, "-m", "--json")
        return {m["client_id"]: {p["partition"] for p in m["assignment"]}
                for m in json.loads(rows.splitlines()[0])["members"]}

    def is_right(found):
        """Two each, and no more of them from elsewhere than there are none here."""
        return found is not None and found.keys() == near.keys() and all(
            len(has) == 2 and len(has & near[rack]) == min(2, len(near[rack]))
            for rack, has in found.items())

    for assignor in ("range", "cooperative_sticky"):
        group = f"racks-{assignor}"
        with contextlib.ExitStack() as stack:
            for rack in near:
                stack.enter_context(Reader(
                    ctx.at, "racks", "-X", f"client.rack={rack}", "-X", f"client.id={rack}",
                    "-X", f"partition.assignment.strategy={assignor}", group=group))
            end = time.monotonic() + 60
            while not is_right(found := given(group)):
                assert time.monotonic() < end, f"{assignor}: {found}, near is {near}"
                time.sleep(0.2)


@test("records without a key stay in the producer's rack, if somebody leads there")
def own_rack(ctx):
    klamm.create_topic(ctx.at, "own-rack", 6, "-r", NODES)
    described = klamm.describe(ctx.at, "own-rack")[0]
    leaders = {p["partition"]: p["leader"] for p in described["partitions"]}
    equal(sorted(set(leaders.values())), [1, 2, 3], "leaders")
    before = {}
    for rack, nodes in (("rack2", {2}), ("rack3", {3}), ("elsewhere", {1, 2, 3})):
        klamm.run("-b", ctx.at, "produce", "own-rack", "-X", "partitioner.rack.aware=true",
                  "-X", f"client.rack={rack}", "-X", "batch.size=200", stdin=lines(2000))
        rows = KafkaPython.consume(ctx.at, "own-rack")
        count = {p: sum(r.partition == p for r in rows) for p in leaders}
        equal([p for p in leaders if count[p] > before.get(p, 0)],
              [p for p in leaders if leaders[p] in nodes], f"partitions that {rack} sends to")
        before = count


@test("a replica leads that lacks what was read: back to where the logs part")
def truncated(ctx):
    klamm.run("-b", ctx.at, "topic", "create", "cut", "-p", 1, "-r", 2,
              "-c", "unclean.leader.election.enable=true", "-c", "min.insync.replicas=1")
    klamm.run("-b", ctx.at, "produce", "cut", stdin=lines(20, "old{}"))
    described = klamm.describe(ctx.at, "cut")[0]
    first = described["partitions"][0]["leader"]
    other = next(n for n in described["partitions"][0]["replicas"] if n != first)
    with Reader(ctx.at, "cut") as reader:
        reader.until(lambda: len(reader.got) == 20, "what all have")
        peers.harness("kill", ctx.cluster, other)
        klamm.run("-b", ctx.at, "produce", "cut", "-X", "acks=1", stdin=lines(10, "lost{}"))
        reader.until(lambda: len(reader.got) == 30, "what the leader alone has")
        peers.harness("kill", ctx.cluster, first)
        peers.harness("start", ctx.cluster, other)
        try:
            klamm.run("-b", ctx.at, "-X", "delivery.timeout.ms=90000", "produce", "cut",
                      "-X", "acks=1", stdin=lines(10, "new{}"))
            reader.until(lambda: len(reader.got) == 40, "what the other has")
        finally:
            peers.harness("start", ctx.cluster, first)
    rows = [line.decode().split() for line in reader.got]
    equal([int(row[1]) for row in rows], [*range(30), *range(20, 30)], "offsets")
    equal(rows[30][2], "new0", "the first record of the other log")
    assert reader.says("its log was truncated"), "nothing is said of it"
