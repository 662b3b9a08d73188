"""Classic groups whose members are klamm and another client: each leads in turn, one is killed,
one leaves; static members come back."""
import os
import signal
import subprocess
import sys
import threading
import time

import klamm
import peers
import records
from frame import each, equal

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 6
PATIENCE_S = 120  # a JVM compiles its member first
CLASSES = {"range": "RangeAssignor", "roundrobin": "RoundRobinAssignor",
           "sticky": "StickyAssignor", "cooperative-sticky": "CooperativeStickyAssignor"}


class Member:
    """A member in a process, and what it said."""

    def __init__(self, ctx, client, group, topic, strategy, *pairs):
        pairs = ("session.timeout.ms=6000", "heartbeat.interval.ms=300", *pairs)
        if client == "java":
            version = "3.9.2" if ctx.version.startswith("3.") else "4.4.0"
            with open(peers.harness("fetch", version).decode().strip(),
                      encoding="utf-8") as file:
                classpath = file.read().strip()
            command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1",
                       "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath,
                       os.path.join(HERE, "ClassicMember.java"), ctx.at, group, topic,
                       CLASSES[strategy], *pairs]
        else:
            command = [sys.executable, os.path.join(HERE, "member.py"), client, ctx.at, group,
                       topic, strategy, *pairs]
        self.name = client
        self.has, self.read, self.changes, self.lost = set(), [], 0, 0
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.listen, daemon=True)
        self.thread.start()

    def listen(self):
        for line in self.process.stdout:
            word, *numbers = line.split()
            if word == "has":
                self.has = set(map(int, numbers))
                self.changes += 1
            elif word == "read":
                self.read.append(tuple(map(int, numbers)))
            elif word == "lost":
                self.lost += 1

    def kill(self):
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.has = set()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(PATIENCE_S)
        self.has = set()


def wait(what, ready):
    end = time.monotonic() + PATIENCE_S
    while not ready():
        if time.monotonic() > end:
            raise AssertionError(f"{what}: in vain")
        time.sleep(0.05)


def shared(what, *members):
    """Each has its share, and nobody anybody else's."""
    share = PARTITIONS // len(members)

    def ready():
        sets = [m.has for m in members]
        return all(len(s) == share for s in sets) and len(set().union(*sets)) == PARTITIONS

    try:
        wait(what, ready)
    except AssertionError as error:
        raise AssertionError(f"{error}: {[(m.name, m.has) for m in members]}") from None


def pairs():
    for other, strategies in (("java", CLASSES), ("kafka-python", ("range", "roundrobin"))):
        for strategy in strategies:
            yield "klamm", other, strategy
            yield other, "klamm", strategy


def produce(ctx, topic, count):
    klamm.produce(ctx.at, topic, [records.Record(p, i, None, None, b"%d" % i)
                                  for p in range(PARTITIONS) for i in range(count)])


@each("a group by {0[2]}: {0[0]} leads, {0[1]} joins, each goes and comes", list(pairs()))
def together(ctx, pair):
    first, second, strategy = pair
    topic = group = f"members-{first}-{second}-{strategy}"
    klamm.create_topic(ctx.at, topic, PARTITIONS)
    a = b = None
    try:
        a = Member(ctx, first, group, topic, strategy)
        shared("alone", a)
        b = Member(ctx, second, group, topic, strategy)
        shared("together", a, b)
        produce(ctx, topic, 20)
        wait("records", lambda: len(set(a.read + b.read)) == 20 * PARTITIONS)
        equal(len(a.read + b.read), 20 * PARTITIONS, "records that were read")
        b.kill()
        shared("after a kill", a)
        killed, b = b, Member(ctx, second, group, topic, strategy)
        shared("together again", a, b)
        a.close()
        shared("after it has left", b)
        produce(ctx, topic, 20)
        wait("more records", lambda: len(set(a.read + b.read + killed.read)) ==
             40 * PARTITIONS)
        b.close()
    finally:
        for member in (a, b):
            if member is not None:
                member.process.kill()


@each("a static member that comes back leaves {} alone", ["java", "klamm"])
def static(ctx, other):
    topic = group = f"static-{other}"
    klamm.create_topic(ctx.at, topic, PARTITIONS)
    a = b = None
    try:
        a = Member(ctx, other, group, topic, "range", "group.instance.id=a")
        shared("alone", a)
        b = Member(ctx, "klamm", group, topic, "range", "group.instance.id=b")
        shared("together", a, b)
        changes, own = a.changes, b.has
        for end in (b.close, b.kill):
            end()
            b = Member(ctx, "klamm", group, topic, "range", "group.instance.id=b")
            shared("back", a, b)
            equal(b.has, own, "partitions of the one that came back")
        time.sleep(1)
        equal(a.changes, changes, "changes that the other saw")
    finally:
        for member in (a, b):
            if member is not None:
                member.process.kill()
