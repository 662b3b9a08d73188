"""Groups of klamm's members on three real brokers, of both protocols: rebalances in a row, the
coordinator killed, an application that does not poll.

`run nodes` has seconds of it; with --full it is what scripts/campaign does.
"""
import json
import time

import frame
import klamm
import peers
import trouble
from feed import Feed
from frame import equal, test
from processes import PARTITIONS, Group
from test_nodes import SESSION_MS

PATIENCE_S = 90
STARVED_S = 20  # no partition waits longer, rebalances or not
COMMON = ("auto.commit.interval.ms=200", "retry.backoff.ms=50")
PROTOCOLS = {
    "range": ("partition.assignment.strategy=range", "heartbeat.interval.ms=300",
              f"session.timeout.ms={SESSION_MS}"),
    "cooperative-sticky": ("partition.assignment.strategy=cooperative_sticky",
                           "heartbeat.interval.ms=300", f"session.timeout.ms={SESSION_MS}"),
    "KIP-848": ("group.protocol=consumer",),
}


def each_protocol(name, rarely=()):
    """Registers fn(ctx, group) for each, where the broker has it; some only with --full."""
    def register(fn):
        for protocol, pairs in PROTOCOLS.items():
            if protocol in rarely and not frame.full:
                continue
            def run(ctx, protocol=protocol, pairs=pairs):
                called = f"{fn.__name__}-{protocol.lower()}"
                klamm.create_topic(ctx.at, called, PARTITIONS, "-r", ctx.nodes)
                with Group(ctx, called, PATIENCE_S, *COMMON, *pairs) as group:
                    fn(ctx, group)
            since = "4.0.0" if protocol == "KIP-848" else "0"
            test(name.format(protocol), since)(run)
        return fn
    return register


def check_all_read(group, count):
    """Every record was, by somebody, and no partition waited."""
    def is_read():
        return len({at for m in group.members for at in m.read}) == count
    group.wait(f"{count} records", is_read)
    print(f"# {count} records; longest without one of a partition: "
          f"{max(group.longest.values()):.1f} s; read again: "
          f"{sum(len(m.read) for m in group.members) - count}", flush=True)


@each_protocol("rebalances in a row, and no partition starves: {}")
def storm(ctx, group):
    rounds = 100 if ctx.full else 3
    a, b = group.join("klamm"), group.join("klamm")
    group.shared("two", a, b)
    with Feed(ctx.at, group.topic, per_second=200) as feed:
        for _ in range(rounds):
            c = group.join("klamm")
            group.shared("three", a, b, c)
            c.close()
            group.shared("two again", a, b)
            starved = {p: round(s) for p, s in group.longest.items() if s > STARVED_S}
            assert not starved, f"seconds without a record, by partition: {starved}"
        count = feed.finish()
    print(f"# {rounds} members came and went")
    check_all_read(group, count)
    equal([m.lost for m in group.members if m.lost], [], "members that were put out")
    a.close()
    b.close()


def coordinator(ctx, group):
    told = klamm.run("-b", ctx.at, "group", "describe", group.name, "--json")
    return json.loads(told.splitlines()[0])["coordinator"]


@each_protocol("the coordinator is killed under a live group: {}", rarely=("range",))
def headless(ctx, group):
    a, b = group.join("klamm"), group.join("klamm")
    group.shared("two", a, b)
    with Feed(ctx.at, group.topic, "-X", "request.timeout.ms=3000",
              "-X", "delivery.timeout.ms=60000", per_second=200) as feed:
        for _ in range(5 if ctx.full else 1):
            node = coordinator(ctx, group)
            peers.harness("kill", ctx.cluster, node)
            killed = time.monotonic()
            try:
                group.wait("another coordinator", lambda: coordinator(ctx, group) != node)
                there = time.monotonic()
                group.wait("every partition is read", lambda: min(
                    group.seen.get(p, 0) for p in range(PARTITIONS)) > there)
                print(f"# node {node} killed; after {time.monotonic() - killed:.1f} s every "
                      "partition is read", flush=True)
                c = group.join("klamm")  # and the group goes from generation to generation
                group.shared("three", a, b, c)
                c.close()
                group.shared("two", a, b)
            finally:
                peers.harness("start", ctx.cluster, node)
            trouble.await_replicas(ctx)
        count = feed.finish()
    check_all_read(group, count)
    equal([m.lost for m in group.members if m.lost], [], "members that were put out")
    a.close()
    b.close()


class Committed:
    """What the group has committed, looked at again and again: it never falls."""

    def __init__(self, ctx, group):
        self.ctx, self.group = ctx, group
        self.last = {}

    def are(self, offset):
        told = klamm.run("-b", self.ctx.at, "group", "offsets", self.group.name, "--json")
        now = {row["partition"]: row["committed"]
               for row in map(json.loads, told.splitlines()) if row["committed"] is not None}
        for partition, at in self.last.items():
            assert now.get(partition, -1) >= at, \
                f"partition {partition}: {at} was committed, and then {now.get(partition)}"
        self.last = now
        return now == {p: offset for p in range(PARTITIONS)}


@each_protocol("an application does not poll, and commits nothing stale: {}",
               rarely=("cooperative-sticky",))
def sleeper(ctx, group):
    limit, over = (30, 60) if ctx.full else (6, 0)
    wait_at_most = f"max.poll.interval.ms={limit * 1000}"
    # What it reads before it sleeps is not committed, and must not be later.
    a = group.join("klamm", wait_at_most, "auto.commit.interval.ms=3600000")
    b = group.join("klamm", wait_at_most)
    group.shared("two", a, b)
    committed = Committed(ctx, group)
    group.produce(group.topic, 20)
    group.wait("records", lambda: len(set(a.read + b.read)) == 20 * PARTITIONS)
    a.tell("nap")
    fell_asleep = time.monotonic()
    group.wait("the other has everything", lambda: len(b.has) == PARTITIONS)
    assert time.monotonic() - fell_asleep >= limit - 1, "it was put out too early"
    group.produce(group.topic, 20)
    group.wait("the other commits everything", lambda: committed.are(40))
    time.sleep(max(0, fell_asleep + limit + over - time.monotonic()))
    assert a.lost == 0, "it heard of it while it slept"
    a.tell("wake")
    group.wait("it hears that all is lost", lambda: a.lost == 1)
    group.shared("it is back", a, b)
    group.produce(group.topic, 20)
    group.wait("all is read", lambda: len(set(a.read + b.read)) == 60 * PARTITIONS)
    assert not committed.are(60), "the one does not commit by itself"
    a.close()
    b.close()
    assert committed.are(60), f"committed when both have left: {committed.last}"
    equal(b.lost, 0, "times that the other was put out")


