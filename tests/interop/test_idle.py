"""What members of a group cost while no record comes: one that reads, one whose partitions are
paused, one that has none, of each protocol. Each is a process of its own, with the figures of
its last report, and its memory."""
import json
import os
import tempfile
import time

import klamm
from frame import test
from processes import PARTITIONS, Group

PATIENCE_S = 60
FETCH_WAIT_MS = 500
SETTLE_S = 15
PROTOCOLS = {"classic": ("group.protocol=classic", "heartbeat.interval.ms=3000"),
             "KIP-848": ("group.protocol=consumer",)}
NAMES = ("select-total", "fetch-total", "heartbeat-total", "commit-total", "request-total")


class Figures:
    """Of the last report of a member's file."""

    def __init__(self, path, pid):
        with open(path, encoding="utf-8") as file:
            told = json.loads(file.readlines()[-1])
        self.at = told["time_ms"] / 1000
        own = {m["name"]: m["value"] for m in told["metrics"] if len(m["tags"]) == 1}
        self.values = {name: own.get(name, 0) for name in NAMES}
        self.nodes = sum(m["name"] == "request-total" and "node-id" in m["tags"]
                         and not m["tags"]["node-id"].startswith("node--")
                         for m in told["metrics"])
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            self.rss = next(int(line.split()[1]) for line in file if line.startswith("VmRSS"))


def idle(ctx, protocol):
    name = f"idle-{protocol.lower()}"
    klamm.create_topic(ctx.at, name, PARTITIONS, "-r", ctx.nodes)
    klamm.create_topic(ctx.at, f"{name}-one", 1)
    with tempfile.TemporaryDirectory() as folder, \
            Group(ctx, name, PATIENCE_S) as group, \
            Group(ctx, f"{name}-one", PATIENCE_S) as one:
        files = {}

        def join(to):
            file = os.path.join(folder, str(len(files)))
            member = to.join("klamm", *PROTOCOLS[protocol],
                             f"fetch.max.wait.ms={FETCH_WAIT_MS}",
                             "metadata.max.age.ms=3600000", "metric.reporters=jsonl",
                             f"metrics.jsonl.file={file}", "klamm.metrics.interval.ms=5000")
            files[member] = file
            return member

        reads, paused = join(group), join(group)
        group.shared("two", reads, paused)
        pair = join(one), join(one)
        time.sleep(SETTLE_S)
        one.wait("the one partition", lambda: sum(len(m.has) for m in pair) == 1)
        nothing = next(m for m in pair if not m.has)
        paused.tell("pause")
        time.sleep(SETTLE_S)
        kinds = {"reads": reads, "is paused": paused, "has nothing": nothing}
        before = {m: Figures(files[m], m.process.pid) for m in kinds.values()}
        time.sleep(ctx.minutes * 60)
        after = {m: Figures(files[m], m.process.pid) for m in kinds.values()}
        lost = [m.lost for m in kinds.values()]
    for kind, member in kinds.items():
        check(kind, before[member], after[member])
    assert lost == [0, 0, 0], f"put out: {lost}"


def check(kind, before, after):
    took = after.at - before.at
    looks, fetches, beats, commits, requests = (after.values[n] - before.values[n]
                                                for n in NAMES)
    # One for a report and the question for it, every five seconds.
    reports = took / 5
    waits = after.nodes * took / (FETCH_WAIT_MS / 1000) if kind == "reads" else 0
    limit = 2 * waits + 2 * (beats + commits) + 3 * reports + 10
    print(f"# one that {kind}: {took:.0f} s, awake {looks} times (at most {limit:.0f}): "
          f"{fetches} fetches, {beats} heartbeats, {commits} commits, {requests} requests; "
          f"RSS {before.rss} -> {after.rss} kB", flush=True)
    assert looks <= limit, f"one that {kind} was awake {looks} times, not {limit:.0f}"
    assert (fetches > 0) == (kind == "reads"), f"one that {kind} fetched {fetches} times"
    assert after.rss <= before.rss * 1.02 + 256, f"RSS grew: {before.rss} -> {after.rss} kB"


for _protocol in PROTOCOLS:
    test(f"members that have nothing to do: {_protocol}",
         "4.0.0" if _protocol == "KIP-848" else "0")(
             lambda ctx, protocol=_protocol: idle(ctx, protocol))
