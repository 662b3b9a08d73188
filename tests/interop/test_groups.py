"""Groups as klamm's admin client and command line see and change them, beside what kafka-python,
librdkafka and Java's tool say of the same groups."""
import contextlib
import inspect
import json
import os
import signal
import subprocess
import tempfile
import threading
import time

import confluent_kafka
import kafka

import klamm
import peers
import records
from frame import equal, parts, test


def rows(ctx, *args):
    """The JSON lines of `klamm group ARGS`."""
    return [json.loads(line) for line in
            klamm.run("-b", ctx.at, "group", *args, "--json").splitlines()]


def fill(ctx, topic, partitions=4, count=10):
    klamm.create_topic(ctx.at, topic, partitions)
    klamm.produce(ctx.at, topic, [records.Record(p, i, None, None, b"%d" % i)
                                  for p in range(partitions) for i in range(count)])


def java(ctx, *args):
    """The table of kafka-consumer-groups without its heading, by column."""
    lines = ctx.tool("groups", *args).decode().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("GROUP"))
    names = lines[at].split()
    return [dict(zip(names, line.split())) for line in lines[at + 1:] if line.strip()]


@contextlib.contextmanager
def members(ctx, group, topic, count, others=0, **options):
    """Members by kafka-python, each in a thread of its own, once they share the topic with the
    others that there are."""
    stop = threading.Event()

    def read(number):
        c = kafka.KafkaConsumer(topic, bootstrap_servers=ctx.at, group_id=group,
                                client_id=f"member-{number}", auto_offset_reset="earliest",
                                auto_commit_interval_ms=100, session_timeout_ms=10000,
                                heartbeat_interval_ms=500, **options)
        peers.know(c, topic)
        while not stop.is_set():
            c.poll(100)
        c.close()

    threads = [threading.Thread(target=read, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    try:
        wait(lambda: is_shared(ctx, group, count + others))
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join()


def wait(done, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if done():
            return
        time.sleep(0.2)
    raise AssertionError(f"it did not come: {inspect.getsource(done).strip()}")


def is_shared(ctx, group, count):
    listed = {row["group"] for row in rows(ctx, "list")}
    if group not in listed:
        return False
    row = rows(ctx, "describe", group, "-m")[0]
    return (row["error"] is None and row["state"] == "Stable" and row["member_count"] == count
            and all(m["assignment"] for m in row["members"]))


@test("a classic group: klamm and Java's tool say the same of it")
def classic(ctx):
    fill(ctx, "cli-classic")
    with members(ctx, "cli-classic", "cli-classic", 2):
        wait(lambda: rows(ctx, "describe", "cli-classic")[0]["lag"] == 0)
        row = rows(ctx, "describe", "cli-classic")[0]
        equal((row["type"], row["state"], row["protocol_type"]),
              ("classic", "Stable", "consumer"), "state")
        listed = [r for r in rows(ctx, "list") if r["group"] == "cli-classic"][0]
        equal(listed["coordinator"], row["coordinator"], "coordinator")
        if parts(ctx.version) >= (2, 6):
            equal([r["group"] for r in rows(ctx, "list", "--state", "Stable")],
                  ["cli-classic"], "stable groups")
        told = java(ctx, "--describe", "--group", "cli-classic", "--members", "--verbose")
        equal(sorted((m["member"], m["client_id"], m["host"], str(len(m["assignment"])))
                     for m in row["members"]),
              sorted((m["CONSUMER-ID"], m["CLIENT-ID"], m["HOST"], m["#PARTITIONS"])
                     for m in told), "members")
        told = java(ctx, "--describe", "--group", "cli-classic")
        equal(sorted((o["topic"], str(o["partition"]), str(o["committed"]), str(o["end"]),
                      str(o["lag"]), o["member"]) for o in row["offsets"]),
              sorted((o["TOPIC"], o["PARTITION"], o["CURRENT-OFFSET"], o["LOG-END-OFFSET"],
                      o["LAG"], o["CONSUMER-ID"]) for o in told), "offsets")
        equal({t for m in row["members"] for t in m["topics"]}, {"cli-classic"}, "topics")
        refused = klamm.run("-b", ctx.at, "group", "seek", "cli-classic", "-t", "cli-classic",
                            "--to-earliest", "--execute", status=1).decode()
        assert "it is Stable with 2 members" in refused, refused
        refused = klamm.run("-b", ctx.at, "group", "delete", "cli-classic", status=1).decode()
        assert "still has members" in refused, refused


@test("a group without members: seek, offsets, delete", since="2.4.0")
def empty(ctx):
    fill(ctx, "cli-empty")
    seek = ("seek", "cli-empty", "-t", "cli-empty")
    rows(ctx, *seek, "--to-offset", 7, "--execute")
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=ctx.at)
    told = admin.list_group_offsets("cli-empty")["cli-empty"]
    equal(sorted((tp.partition, o.offset) for tp, o in told.items()),
          [(p, 7) for p in range(4)], "kafka-python's")
    saved = klamm.run("-b", ctx.at, "group", *seek, "--to-current", "--csv")
    equal(rows(ctx, *seek, "--to-latest", "--execute")[0]["offset"], 10, "the end")
    moved = ctx.tool("groups", "--reset-offsets", "--group", "cli-empty", "--topic",
                     "cli-empty:1", "--shift-by", "-4", "--execute").decode()
    assert "cli-empty" in moved, moved
    equal([r["committed"] for r in rows(ctx, "offsets", "cli-empty")], [10, 6, 10, 10],
          "after Java's tool")
    klamm.run("-b", ctx.at, "group", "seek", "cli-empty", "--from-file", "-", "--execute",
              stdin=saved)
    equal([r["lag"] for r in rows(ctx, "lag", "cli-empty")], [3] * 4, "lag")
    rows(ctx, "delete-offsets", "cli-empty", "-t", "cli-empty:0-2")
    equal([(r["partition"], r["committed"]) for r in rows(ctx, "offsets", "cli-empty")],
          [(3, 7)], "what is left")
    rows(ctx, "delete", "cli-empty")
    groups = [g[0] if isinstance(g, tuple) else g["group_id"] for g in admin.list_groups()]
    equal([g for g in groups if g == "cli-empty"], [], "gone")
    admin.close()
    missing = klamm.run("-b", ctx.at, "group", "delete", "cli-empty", status=1).decode()
    assert "group cli-empty: " in missing, missing


@test("a static member is removed, and joins again", since="2.4.0")
def removed(ctx):
    fill(ctx, "cli-static", partitions=2)
    with members(ctx, "cli-static", "cli-static", 1, group_instance_id="one"):
        before = rows(ctx, "describe", "cli-static", "-m")[0]["members"]
        equal([m["instance_id"] for m in before], ["one"], "its instance id")
        rows(ctx, "remove-member", "cli-static", "--instance", "one", "--reason", "tidy")
        wait(lambda: is_shared(ctx, "cli-static", 1)
             and rows(ctx, "describe", "cli-static", "-m")[0]["members"][0]["member"]
             != before[0]["member"])  # it lives, and has joined again
        gone = klamm.run("-b", ctx.at, "group", "remove-member", "cli-static", "--instance",
                         "two", status=1).decode()
        assert "group cli-static: member two: " in gone, gone


@test("a group of KIP-848: klamm and Java's tool say the same of it", since="4.0.0")
def consumer(ctx):
    fill(ctx, "cli-848")
    peer = confluent_kafka.Consumer({
        "bootstrap.servers": ctx.at, "group.id": "cli-848", "group.protocol": "consumer",
        # commit() fails if there is nothing left to commit.
        "auto.offset.reset": "earliest", "enable.auto.commit": False,
        "client.id": "librdkafka"})
    try:
        peer.subscribe(["cli-848"])
        end = time.monotonic() + 60
        count = 0
        while count < 40 and time.monotonic() < end:
            count += peer.poll(0.2) is not None
        peer.commit(asynchronous=False)
        row = rows(ctx, "describe", "cli-848")[0]
        equal((row["type"], row["state"], row["member_count"]), ("consumer", "Stable", 1),
              "state")
        equal(row["epoch"], row["assignment_epoch"], "epochs")
        member = row["members"][0]
        equal([p["partition"] for p in member["assignment"]], [0, 1, 2, 3], "assignment")
        equal(member["assignment"], member["target"], "target")
        equal((member["protocol"], member["client_id"], member["topics"]),
              ("consumer", "librdkafka", ["cli-848"]), "member")
        told = java(ctx, "--describe", "--group", "cli-848", "--state", "--verbose")[0]
        equal((told["STATE"], told["ASSIGNMENT-STRATEGY"], told["GROUP-EPOCH"]),
              (row["state"], row["assignor"], str(row["epoch"])), "Java's")
        told = java(ctx, "--describe", "--group", "cli-848")
        equal(sorted((o["partition"], str(o["committed"]), o["member"])
                     for o in row["offsets"]),
              sorted((int(o["PARTITION"]), o["CURRENT-OFFSET"], o["CONSUMER-ID"])
                     for o in told), "offsets")
        equal([r["group"] for r in rows(ctx, "list", "--type", "consumer")], ["cli-848"],
              "groups of this type")
    finally:
        peer.close()


@contextlib.contextmanager
def consuming(ctx, group, topic, *args):
    """`klamm consume -g`, and the numbers that it has printed so far, by a function."""
    with tempfile.TemporaryFile() as out:
        process = subprocess.Popen(
            [klamm.PROGRAM, "-b", ctx.at, "consume", topic, "-g", group, *args],
            stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.PIPE)

        def printed():
            return list(map(int, os.pread(out.fileno(), 1 << 20, 0).split()))

        try:
            yield process, printed
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
            process.communicate(timeout=30)


@test("klamm consume -g shares a group with kafka-python, and hands it over")
def shared(ctx):
    klamm.create_topic(ctx.at, "cli-shared", 4)

    def send(begin, end):
        klamm.produce(ctx.at, "cli-shared",
                      [records.Record(i % 4, i, None, None, b"%d" % i)
                       for i in range(begin, end)])

    send(0, 40)
    with consuming(ctx, "cli-shared", "cli-shared",
                   "-X", "partition.assignment.strategy=range",
                   "-X", "heartbeat.interval.ms=500") as (process, printed):
        wait(lambda: sorted(printed()) == list(range(40)))
        with members(ctx, "cli-shared", "cli-shared", 1, others=1):
            send(40, 80)
            wait(lambda: rows(ctx, "describe", "cli-shared")[0]["lag"] == 0)
            row = rows(ctx, "describe", "cli-shared")[0]
            equal(sorted(len(m["assignment"]) for m in row["members"]), [2, 2], "shares")
            got = printed()
            equal(len(got), len(set(got)), "records that klamm printed twice")
            equal(len(got), 60, "records that klamm printed")
            process.send_signal(signal.SIGTERM)
            equal(process.wait(30), 130, "exit status")
            wait(lambda: is_shared(ctx, "cli-shared", 1))
            row = rows(ctx, "describe", "cli-shared", "-m")[0]
            equal((row["members"][0]["client_id"], len(row["members"][0]["assignment"])),
                  ("member-0", 4), "who has it all")
    equal(klamm.run("-b", ctx.at, "consume", "cli-shared", "-g", "cli-shared", "-e",
                    "-X", "partition.assignment.strategy=range"), b"", "what is left")
