"""Groups whose members are klamm, kafka-python and Java, by each assignor, each one leading: the
first member leads. Everything is read once, and a member that stays keeps what it can."""
import contextlib
import ctypes
import json
import os
import subprocess
import tempfile
import threading
import time

import kafka
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from kafka.coordinator.assignors.sticky.sticky_assignor import StickyPartitionAssignor

import klamm
import library
import peers
import records
import test_outside
from frame import each, equal, test

PARTITIONS = 6
JAVA = {"range": "RangeAssignor", "roundrobin": "RoundRobinAssignor",
        "sticky": "StickyAssignor", "cooperative_sticky": "CooperativeStickyAssignor"}
PYTHON = {"range": RangePartitionAssignor, "roundrobin": RoundRobinPartitionAssignor,
          "sticky": StickyPartitionAssignor}
SETTINGS = {"auto.offset.reset": "earliest", "auto.commit.interval.ms": 100,
            "heartbeat.interval.ms": 500, "session.timeout.ms": 10000}


class View(ctypes.Structure):
    _fields_ = [("key", library.Span), ("value", library.Span), ("offset", ctypes.c_int64),
                ("rest", ctypes.c_int64 * 5)]


class Member:
    """One of any client, in a thread of its own: what it has read, and its error."""

    def __init__(self, ctx, group, client, assignor, topics, **keys):
        self.at, self.group, self.client, self.version = ctx.at, group, client, ctx.version
        self.assignor, self.topics = assignor, topics
        self.keys = keys  # further ones of the configuration
        self.read, self.error = [], None
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self.guard)
        self.thread.start()

    def guard(self):
        try:
            self.run()
        except Exception as error:  # told by stop()
            self.error = error

    def stop(self):
        self.stopping.set()
        self.thread.join(120)
        if self.thread.is_alive():
            raise AssertionError(f"{self.client} does not end")
        if self.error is not None:
            raise AssertionError(f"{self.client}: {self.error}")


class Klamm(Member):
    def run(self):
        keys = {**SETTINGS, "group.id": self.group, "client.id": self.client,
                "partition.assignment.strategy": self.assignor, **self.keys}
        consumer = library.Consumer(self.at, **keys)
        names = (ctypes.c_char_p * len(self.topics))(*(t.encode() for t in self.topics))
        library.call(library.lib.klamm_consumer_subscribe, consumer.handle, names,
                     ctypes.c_size_t(len(names)), None)
        while not self.stopping.is_set():
            batch = ctypes.c_void_p()
            library.call(library.lib.klamm_consumer_poll, consumer.handle,
                         ctypes.c_int64(100), ctypes.byref(batch))
            if batch.value is not None:
                self.take(batch)
        consumer.close()

    def take(self, batch):
        lib = library.lib
        topic = ctypes.cast(lib.klamm_batch_topic(batch), ctypes.c_char_p).value.decode()
        partition = lib.klamm_batch_partition(batch)
        view = View()
        while lib.klamm_batch_next(batch, ctypes.byref(view)) > 0:
            self.read.append((topic, partition, view.offset))
        lib.klamm_batch_unref(batch)


library.lib.klamm_batch_topic.restype = ctypes.c_void_p


class KafkaPython(Member):
    def run(self):
        consumer = kafka.KafkaConsumer(
            *self.topics, bootstrap_servers=self.at, group_id=self.group,
            client_id=self.client, auto_offset_reset="earliest", auto_commit_interval_ms=100,
            session_timeout_ms=10000, heartbeat_interval_ms=500,
            partition_assignment_strategy=[PYTHON[self.assignor]])
        peers.know(consumer, *self.topics)
        while not self.stopping.is_set():
            for at, rows in consumer.poll(100).items():
                self.read += [(at.topic, at.partition, row.offset) for row in rows]
        consumer.close()


class Java(Member):
    def run(self):
        with open(peers.harness("fetch", self.version).decode().strip(),
                  encoding="utf-8") as file:
            classpath = file.read().strip()
        process = subprocess.Popen(
            ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1",
             "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath,
             os.path.join(os.path.dirname(os.path.abspath(__file__)), "Member.java"), self.at,
             self.group, self.client,
             ",".join("org.apache.kafka.clients.consumer." + JAVA[name]
                      for name in self.assignor.split(",")),
             ",".join(self.topics)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        ender = threading.Thread(target=self.end, args=(process,))
        ender.start()
        for line in process.stdout:
            topic, partition, offset, _ = line.decode().split(" ", 3)
            self.read.append((topic, int(partition), int(offset)))
        self.stopping.set()
        ender.join()
        if process.wait(60) != 0:
            raise AssertionError(f"exit {process.returncode}")

    def end(self, process):
        self.stopping.wait()
        process.stdin.close()


def wait(done, what, seconds=180):  # JVMs that start beside compilers
    end = time.monotonic() + seconds
    state = None
    while time.monotonic() < end:
        state = done()
        if state is True:
            return
        time.sleep(0.2)
    raise AssertionError(f"{what} did not come: {state}")


def assignment(ctx, group):
    """{client: {(topic, partition)}}, and why it is not there yet."""
    listed = klamm.run("-b", ctx.at, "group", "list", "--json").splitlines()
    if group not in {json.loads(line)["group"] for line in listed}:
        return {}, "no such group"
    row = json.loads(klamm.run("-b", ctx.at, "group", "describe", group, "-m", "--json")
                     .splitlines()[0])
    if row["error"] is not None or row["state"] != "Stable":
        return {}, row["error"] or row["state"]
    return {m["client_id"]: {(p["topic"], p["partition"]) for p in m["assignment"]}
            for m in row["members"]}, None


def await_members(ctx, group, clients, want):
    """Until these members have all of these partitions, each once."""
    found = {}

    def is_there():
        given, why = assignment(ctx, group)
        found.clear()
        found.update(given)
        if why is not None:
            return why
        all_given = sorted(p for parts in given.values() for p in parts)
        return (set(given) == set(clients) and all_given == sorted(want)) or str(given)

    wait(is_there, f"{clients} with everything")
    return dict(found)


@contextlib.contextmanager
def ended(members):
    try:
        yield
    except BaseException:
        for member in members:
            with contextlib.suppress(AssertionError):
                member.stop()
        raise
    for member in members:
        member.stop()


def fill(ctx, topics, begin, count=20):
    for topic in topics:
        klamm.produce(ctx.at, topic, [records.Record(p, begin + i, None, None, b"v")
                                      for p in range(PARTITIONS) for i in range(count)])


def check_balance(given, what):
    sizes = sorted(map(len, given.values()))
    if sizes[-1] - sizes[0] > 1:
        raise AssertionError(f"{what}: {sizes}")


def live(ctx, assignor, first, other):
    """`first` leads; four members, two of each; one of each leaves, and one comes again."""
    name = f"{assignor}-{first.__name__}-{other.__name__}".lower()
    topics = [f"{name}-a", f"{name}-b"]
    want = [(t, p) for t in topics for p in range(PARTITIONS)]
    for topic in topics:
        klamm.create_topic(ctx.at, topic, PARTITIONS)
    fill(ctx, topics, 0)
    members = []

    def join(kind, client):
        members.append(kind(ctx, name, client, assignor, topics))
        return members[-1]

    with ended(members):
        join(first, "m0")
        await_members(ctx, name, ["m0"], want)
        leaver = join(other, "m1")
        join(first, "m2")
        join(other, "m3")
        four = await_members(ctx, name, ["m0", "m1", "m2", "m3"], want)
        if assignor != "range":  # which is even for each topic by itself
            check_balance(four, "four members")
        leaver.stop()
        three = await_members(ctx, name, ["m0", "m2", "m3"], want)
        # kafka-python from 3.0 on, as a leader, understands none but its own.
        is_sticky = "sticky" in assignor and first is not KafkaPython
        if is_sticky:
            check_balance(three, "three members")
            for client, had in four.items():
                if client != "m1" and not had <= three[client]:
                    raise AssertionError(f"{client} had {had}, and then {three[client]}")
        join(other, "m4")
        again = await_members(ctx, name, ["m0", "m2", "m3", "m4"], want)
        if is_sticky:
            check_balance(again, "four again")
            for client, had in again.items():
                if client != "m4" and not had <= three[client]:
                    raise AssertionError(f"{client} had {three[client]}, and then {had}")
        fill(ctx, topics, 20)
        count = len(want) * 40
        wait(lambda: len({r for m in members for r in m.read}) == count or
             f"{len({r for m in members for r in m.read})} of {count}", "all records")
    read = [r for m in members for r in m.read if r[2] >= 20]
    equal(len(read), len(set(read)), "records read once the group was whole")
    return again


def kinds(assignor):
    return [Java, KafkaPython] if assignor in PYTHON else [Java]


for _assignor in JAVA:
    for _other in kinds(_assignor):
        for _first in (Klamm, _other):
            def _live(ctx, assignor=_assignor, first=_first, other=_other):
                live(ctx, assignor, first, other if first is Klamm else Klamm)
            test(f"a group of klamm and {_other.__name__}, {_assignor}, "
                 f"{_first.__name__} leads")(_live)


@each("a group goes over from eager to cooperative, {} leads", ("Klamm", "Java"))
def upgrade(ctx, leader):
    """Two restarts of each member: to both assignors, then to the new one alone (KIP-429)."""
    pair = [Klamm, Java] if leader == "Klamm" else [Java, Klamm]
    name = f"upgrade-{leader.lower()}"
    want = [(name, p) for p in range(PARTITIONS)]
    klamm.create_topic(ctx.at, name, PARTITIONS)
    fill(ctx, [name], 0)
    members = []
    with ended(members):
        for step, assignors in enumerate(("range", "cooperative_sticky,range",
                                          "cooperative_sticky")):
            for i, kind in enumerate(pair):
                if step > 0:
                    members[-2].stop()
                members.append(kind(ctx, name, f"m{i}-{step}", assignors, [name]))
                clients = [m.client for m in members if not m.stopping.is_set()]
                await_members(ctx, name, clients, want)
        wait(lambda: len({r for m in members for r in m.read}) == len(want) * 20, "all records")


@test("an assignor made outside of the tree works in a live group")
def outside(ctx):
    name = "weighted"
    want = [(name, p) for p in range(12)]
    klamm.create_topic(ctx.at, name, len(want))
    members = []
    with tempfile.TemporaryDirectory() as root, ended(members):
        folder = test_outside.install(root)["KLAMM_PLUGIN_PATH"]
        for i, weight in enumerate((1, 3)):
            members.append(Klamm(ctx, name, f"m{i}", "weighted", [name],
                                 **{"plugin.path": folder,
                                    "assignor.weighted.weight": weight}))
        given = await_members(ctx, name, ["m0", "m1"], want)
        equal([len(given["m0"]), len(given["m1"])], [3, 9], "shares of weights 1 and 3")
        members.pop().stop()
        await_members(ctx, name, ["m0"], want)
