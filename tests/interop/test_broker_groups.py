"""Members of other people's clients in classic groups of klamm's own broker."""
import contextlib

import kafka
import kafka.admin

import klamm
import members
import records
from frame import equal, test
from members import until

JAVA = "4.4.0"
PARTITIONS = 6


def feed(ctx, topic, word, count=20, partitions=range(PARTITIONS)):
    """So many values of a word in each partition, as they are."""
    rows = [records.Record(p, None, None, None, b"%s %d %d" % (word, p, i), ())
            for p in partitions for i in range(count)]
    klamm.produce(ctx.at, topic, rows)
    return sorted(row.value for row in rows)


def split_evenly(*readers):
    """Each has its part of the partitions, and none has another's."""
    parts = [reader.owned for reader in readers]
    return all(parts) and sum(map(len, parts)) == len(frozenset().union(*parts)) == PARTITIONS


@contextlib.contextmanager
def admin_of(ctx):
    admin = kafka.admin.KafkaAdminClient(bootstrap_servers=ctx.at)
    try:
        yield admin
    finally:
        admin.close()


@test("kafka-python, librdkafka and Java share a group, rebalance and resume")
def one_group(ctx):
    topic = group = "shared"
    klamm.create_topic(ctx.at, topic, PARTITIONS)
    python = members.KafkaPython(ctx.at, topic, group)
    until("one has everything", lambda: len(python.owned) == PARTITIONS)
    rdkafka = members.Librdkafka(ctx.at, topic, group)
    until("two share", lambda: split_evenly(python, rdkafka))
    java = members.JavaConsole(ctx.at, JAVA, topic, group, PARTITIONS // 3 * 20)
    try:
        until("three share", lambda: len(python.owned) == len(rdkafka.owned) == 2)
        # Java leaves when it has read its part. Who is in the midst of his then may read a record
        # twice, as its commit comes too late.
        theirs = python.owned | rdkafka.owned
        want = feed(ctx, topic, b"first", partitions=sorted(theirs))
        until("the others have read theirs",
              lambda: len(python.values) + len(rdkafka.values) >= len(want))
        want += feed(ctx, topic, b"first",
                     partitions=sorted(frozenset(range(PARTITIONS)) - theirs))
        by_java = java.values()
    except BaseException:
        java.kill()
        raise
    equal(len(by_java), PARTITIONS // 3 * 20, "what Java read")
    equal(sorted(python.values + rdkafka.values + by_java), sorted(want), "what all read")

    # Java has left, then librdkafka: the other ones have its part, and nothing twice.
    until("two share again", lambda: split_evenly(python, rdkafka))
    rdkafka.close()
    until("one has everything again", lambda: len(python.owned) == PARTITIONS)
    python.close()
    with admin_of(ctx) as admin:
        told = admin.list_group_offsets({group: None})[group]
        equal({tp.partition: at.offset for tp, at in told.items()},
              {p: 20 for p in range(PARTITIONS)}, "what is committed")

    want = feed(ctx, topic, b"second", 5)
    again = members.Librdkafka(ctx.at, topic, group)
    until("the rest was read", lambda: len(again.values) >= len(want))
    again.close()
    equal(sorted(again.values), want, "what was read after all")


@test("static members of kafka-python and librdkafka come back without a rebalance")
def static_members(ctx):
    topic = group = "static"
    klamm.create_topic(ctx.at, topic, PARTITIONS)
    one = members.KafkaPython(ctx.at, topic, group, group_instance_id="one")
    until("one has everything", lambda: len(one.owned) == PARTITIONS)
    two = members.Librdkafka(ctx.at, topic, group, **{"group.instance.id": "two"})
    until("two share", lambda: split_evenly(one, two))
    with admin_of(ctx) as admin:
        before = admin.describe_groups([group])[group]
        equal(sorted(m["group_instance_id"] for m in before["members"]), ["one", "two"],
              "members")
        had = two.owned
        two.close()  # librdkafka's static members do not leave
        two = members.Librdkafka(ctx.at, topic, group, **{"group.instance.id": "two"})
        until("it is back", lambda: two.owned == had)
        assert split_evenly(one, two), (one.owned, two.owned)
        equal(admin.describe_groups([group])[group]["group_state"], "Stable", "the group")
    two.close()
    one.close()


@test("kafka-python and Java's tools look at groups, reset and delete them")
def group_tools(ctx):
    topic = group = "looked-at"
    klamm.create_topic(ctx.at, topic, PARTITIONS)
    want = feed(ctx, topic, b"word")
    reader = members.KafkaPython(ctx.at, topic, group)
    until("all was read", lambda: len(reader.values) == len(want))

    def groups(*args):
        return ctx.tool("groups", *args).decode()
    told = groups("--describe", "--group", group, "--members").split("\n")
    row = next(line.split() for line in told if line.startswith(group))
    equal((row[2], row[4]), ("/127.0.0.1", str(PARTITIONS)), "the member that Java sees")
    told = groups("--describe", "--group", group, "--state")
    assert "Stable" in told and "range" in told, told
    assert group in groups("--list").split()
    reader.close()
    told = groups("--describe", "--group", group)
    lags = [line.split()[5] for line in told.split("\n") if line.startswith(group)]
    equal(lags, ["0"] * PARTITIONS, "lags")
    groups("--reset-offsets", "--group", group, "--all-topics", "--to-earliest", "--execute")
    reader = members.KafkaPython(ctx.at, topic, group)
    until("all was read once more", lambda: len(reader.values) == len(want))
    reader.close()
    with admin_of(ctx) as admin:
        assert group in {row["group_id"] for row in admin.list_groups()}
    groups("--delete", "--group", group)
    assert group not in groups("--list").split()
