"""Groups of KIP-848 whose members are klamm and Java's consumer: each comes and goes, one is
killed; static members come back; patterns that the broker matches."""
import os
import signal
import subprocess
import sys
import threading
import time

import klamm
import peers
import records
from frame import each, equal, test

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 6
PATIENCE_S = 90  # a session is 45 s, which brokers shorten only when they are set to


class Member:
    """A member in a process, and what it said."""

    def __init__(self, ctx, client, group, topic, *pairs):
        if client == "java":
            with open(peers.harness("fetch", "4.4.0").decode().strip(),
                      encoding="utf-8") as file:
                classpath = file.read().strip()
            command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1",
                       "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath,
                       os.path.join(HERE, "ModernMember.java"), ctx.at, group, topic, *pairs]
        else:
            command = [sys.executable, os.path.join(HERE, "modern_member.py"), ctx.at, group,
                       topic, *pairs]
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


def produce(ctx, topic, count):
    klamm.produce(ctx.at, topic, [records.Record(p, i, None, None, b"%d" % i)
                                  for p in range(PARTITIONS) for i in range(count)])


@each("a group of KIP-848: {0[0]} is there, {0[1]} joins, each goes and comes",
      [("klamm", "java"), ("java", "klamm"), ("klamm", "klamm")])
def together(ctx, pair):
    first, second = pair
    topic = group = f"modern-{first}-{second}"
    klamm.create_topic(ctx.at, topic, PARTITIONS)
    a = b = None
    try:
        a = Member(ctx, first, group, topic)
        shared("alone", a)
        b = Member(ctx, second, group, topic)
        shared("together", a, b)
        produce(ctx, topic, 20)
        wait("records", lambda: len(set(a.read + b.read)) == 20 * PARTITIONS)
        equal(len(a.read + b.read), 20 * PARTITIONS, "records that were read")
        b.kill()
        shared("after a kill", a)
        killed, b = b, Member(ctx, second, group, topic)
        shared("together again", a, b)
        a.close()
        shared("after it has left", b)
        produce(ctx, topic, 20)
        wait("more records", lambda: len(set(a.read + b.read + killed.read)) ==
             40 * PARTITIONS)
        equal(a.lost + b.lost, 0, "partitions that were lost")
        b.close()
    finally:
        for member in (a, b):
            if member is not None:
                member.process.kill()


@each("a static member of KIP-848 that comes back leaves {} alone", ["java", "klamm"])
def static(ctx, other):
    topic = group = f"modern-static-{other}"
    klamm.create_topic(ctx.at, topic, PARTITIONS)
    a = b = None
    try:
        a = Member(ctx, other, group, topic, "group.instance.id=a")
        shared("alone", a)
        b = Member(ctx, "klamm", group, topic, "group.instance.id=b")
        shared("together", a, b)
        changes, own = a.changes, b.has
        b.close()
        b = Member(ctx, "klamm", group, topic, "group.instance.id=b")
        shared("back", a, b)
        equal(b.has, own, "partitions of the one that came back")
        time.sleep(1)
        equal(a.changes, changes, "changes that the other saw")
    finally:
        for member in (a, b):
            if member is not None:
                member.process.kill()


@test("klamm and Java by a pattern that the broker matches", since="4.0.0")
def patterns(ctx):
    klamm.create_topic(ctx.at, "modern-pattern-1", PARTITIONS)
    a = b = None
    try:
        a = Member(ctx, "klamm", "modern-pattern", "/modern-pattern-.")
        shared("alone", a)
        b = Member(ctx, "java", "modern-pattern", "/modern-pattern-.")
        shared("together", a, b)
        produce(ctx, "modern-pattern-1", 5)
        wait("records", lambda: len(set(a.read + b.read)) == 5 * PARTITIONS)
    finally:
        for member in (a, b):
            if member is not None:
                member.process.kill()
