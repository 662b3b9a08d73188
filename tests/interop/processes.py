"""A group whose members are processes of their own, of klamm and of others, and what they said."""
import os
import signal
import subprocess
import sys
import threading
import time

import klamm
import peers
import records
from frame import equal

HERE = os.path.dirname(os.path.abspath(__file__))
PARTITIONS = 6


class Member:
    def __init__(self, command, name, patience_s, saw):
        self.name, self.patience_s, self.saw = name, patience_s, saw
        self.has, self.read, self.changes, self.lost = set(), [], 0, 0
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE,
                                        stdout=subprocess.PIPE, text=True)
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
                self.saw(int(numbers[0]))
            elif word == "lost":
                self.lost += 1

    def tell(self, *words):
        print(*words, file=self.process.stdin, flush=True)

    def kill(self):
        self.process.kill()
        self.process.wait(self.patience_s)
        self.has = set()

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(self.patience_s)
        self.has = set()


class Group:
    """Its topic has its name, or is a pattern that finds it. Whoever is left at the end is
    killed."""

    def __init__(self, ctx, name, patience_s, *pairs, topic=None):
        self.ctx, self.name, self.patience_s, self.pairs = ctx, name, patience_s, pairs
        self.topic = topic or name
        self.members = []
        self.seen, self.longest = {}, {}  # by partition: when it was read last, and not read

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for member in self.members:
            member.process.kill()

    def saw(self, partition):
        now = time.monotonic()
        waited = now - self.seen.get(partition, now)
        self.longest[partition] = max(self.longest.get(partition, 0), waited)
        self.seen[partition] = now

    def join(self, client, *pairs):
        if client == "java":
            version = "3.9.2" if self.ctx.version.startswith("3.") else "4.4.0"
            with open(peers.harness("fetch", version).decode().strip(),
                      encoding="utf-8") as file:
                classpath = file.read().strip()
            command = ["java", "-Xmx128m", "-XX:TieredStopAtLevel=1",
                       "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", classpath,
                       os.path.join(HERE, "GroupMember.java")]
        else:
            command = [sys.executable, os.path.join(HERE, "member.py"), client]
        command += [self.ctx.at, self.name, self.topic, *self.pairs, *pairs]
        self.members.append(Member(command, client, self.patience_s, self.saw))
        return self.members[-1]

    def produce(self, topic, count):
        klamm.produce(self.ctx.at, topic, [records.Record(p, i, None, None, b"%d" % i)
                                           for p in range(PARTITIONS) for i in range(count)])

    def wait(self, what, ready):
        end = time.monotonic() + self.patience_s
        while not ready():
            if time.monotonic() > end:
                raise AssertionError(f"{what}: in vain")
            time.sleep(0.05)

    def shared(self, what, *members):
        """Each has its share, and nobody anybody else's."""
        share = PARTITIONS // len(members)

        def ready():
            sets = [m.has for m in members]
            return all(len(s) == share for s in sets) and \
                len(set().union(*sets)) == PARTITIONS

        try:
            self.wait(what, ready)
        except AssertionError as error:
            raise AssertionError(f"{error}: {[(m.name, m.has) for m in members]}") from None

    def come_and_go(self, first, second):
        """One is there, another joins, is killed and comes again; the first one leaves."""
        a = self.join(first)
        self.shared("alone", a)
        b = self.join(second)
        self.shared("together", a, b)
        self.produce(self.name, 20)
        self.wait("records", lambda: len(set(a.read + b.read)) == 20 * PARTITIONS)
        equal(len(a.read + b.read), 20 * PARTITIONS, "records that were read")
        b.kill()
        self.shared("after a kill", a)
        killed, b = b, self.join(second)
        self.shared("together again", a, b)
        a.close()
        self.shared("after it has left", b)
        self.produce(self.name, 20)
        self.wait("more records", lambda: len(set(a.read + b.read + killed.read)) ==
                  40 * PARTITIONS)
        return a, b

    def come_back(self, other, ends):
        """A static member that ends and starts again leaves the other one alone."""
        a = self.join(other, "group.instance.id=a")
        self.shared("alone", a)
        b = self.join("klamm", "group.instance.id=b")
        self.shared("together", a, b)
        time.sleep(1)  # Java tells twice that it has less
        changes, own = a.changes, b.has
        for end in ends:
            end(b)
            b = self.join("klamm", "group.instance.id=b")
            self.shared("back", a, b)
            equal(b.has, own, "partitions of the one that came back")
        time.sleep(1)
        equal(a.changes, changes, "changes that the other saw")
