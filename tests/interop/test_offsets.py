"""Committed offsets of klamm, kafka-python, librdkafka and Java's tool, for the same groups."""
import time

import kafka

import klamm
import library
import peers
import records
from frame import equal, test, until_equal


def fill(ctx, topic, count=20, partitions=2):
    klamm.create_topic(ctx.at, topic, partitions)
    klamm.produce(ctx.at, topic, [records.Record(p, i, None, None, b"%d" % i)
                                  for p in range(partitions) for i in range(count)])


def python(ctx, group, **options):
    return kafka.KafkaConsumer(bootstrap_servers=ctx.at, group_id=group,
                               enable_auto_commit=False, **options)


def told(consumer, topic, partition):
    """(offset, epoch, note) as kafka-python reads it."""
    row = consumer.committed(kafka.TopicPartition(topic, partition), metadata=True)
    return (row.offset, row.leader_epoch, row.metadata) if row else None


@test("klamm commits, kafka-python and Java's tool read it")
def forth(ctx):
    fill(ctx, "forth")
    with library.consumer(ctx.at, "group-forth", enable_auto_commit="false") as c:
        c.assign(("forth", 0))
        c.position("forth", 0)
        c.commit(("forth", 0, 0, 7, "a note, ü"), ("forth", 1, -1, 0, ""))
        equal(c.committed("forth", 0), (7, 0, "a note, ü"), "klamm's own")
        equal(c.committed("forth", 1), (0, -1, ""), "klamm's own")
        equal(c.committed("never-heard-of", 1), (-1, -1, ""), "of no topic")
    peer = python(ctx, "group-forth")
    equal(told(peer, "forth", 0), (7, 0, "a note, ü"), "kafka-python's")
    equal(told(peer, "forth", 1), (0, -1, ""), "kafka-python's")
    peer.close()
    table = ctx.tool("groups", "--describe", "--group", "group-forth").decode()
    rows = [line.split()[1:4] for line in table.splitlines() if line.startswith("group-fo")]
    equal(sorted(rows), [["forth", "0", "7"], ["forth", "1", "0"]], "Java's")


@test("kafka-python commits, klamm reads it and begins there")
def back(ctx):
    fill(ctx, "back")
    peer = python(ctx, "group-back")
    peer.assign([kafka.TopicPartition("back", 0)])
    peer.commit({kafka.TopicPartition("back", 0):
                 kafka.OffsetAndMetadata(12, "from Python", 0)})
    peer.close()
    with library.consumer(ctx.at, "group-back", auto_offset_reset="earliest") as c:
        equal(c.committed("back", 0), (12, 0, "from Python"), "committed")
        c.assign(("back", 0), ("back", 1))
        equal((c.position("back", 0), c.position("back", 1)), (12, 0), "positions")
        while c.position("back", 0) < 20 or c.position("back", 1) < 20:
            c.poll()
    peer = python(ctx, "group-back")
    equal(told(peer, "back", 0)[:2], (20, 0), "committed at the end")
    equal(told(peer, "back", 1)[:2], (20, 0), "committed at the end")
    peer.close()


@test("what is read is committed now and then")
def by_itself(ctx):
    fill(ctx, "by-itself", partitions=1)
    with library.consumer(ctx.at, "group-itself", auto_offset_reset="earliest",
                          auto_commit_interval_ms=100) as c:
        c.assign(("by-itself", 0))
        end = time.monotonic() + 30
        while c.committed("by-itself", 0)[0] < 20 and time.monotonic() < end:
            c.poll(100)
        equal(c.committed("by-itself", 0), (20, 0, ""), "committed")


@test("a group with members takes no commits of others")
def members(ctx):
    fill(ctx, "members")
    member = python(ctx, "group-members")
    member.subscribe(["members"])
    end = time.monotonic() + 60
    while not member.assignment() and time.monotonic() < end:
        member.poll(200)
    with library.consumer(ctx.at, "group-members", enable_auto_commit="false") as c:
        try:
            c.commit(("members", 0, -1, 3, ""))
            raise AssertionError("it took it")
        except library.Failed as error:
            equal(error.name, "UNKNOWN_MEMBER_ID", "error")
            assert "the group has members" in str(error), error
    member.close()


@test("notes that are too long for the broker")
def too_long(ctx):
    fill(ctx, "too-long")
    with library.consumer(ctx.at, "group-long", enable_auto_commit="false") as c:
        try:
            c.commit(("too-long", 0, -1, 3, "x" * 5000))
            raise AssertionError("it took it")
        except library.Failed as error:
            equal(error.name, "OFFSET_METADATA_TOO_LARGE", "error")
        c.commit(("too-long", 0, -1, 3, "x" * 4096))
        equal(c.committed("too-long", 0), (3, -1, "x" * 4096), "committed")


@test("offsets of an open transaction are waited for")
def unstable(ctx):
    fill(ctx, "unstable")
    group = {"group.id": "group-unstable", "bootstrap.servers": ctx.at,
             "enable.auto.commit": False, "log_level": 3}
    reader = peers.confluent_kafka.Consumer(group)
    writer = peers.confluent_kafka.Producer({"bootstrap.servers": ctx.at, "log_level": 3,
                                             "transactional.id": "unstable"})
    writer.init_transactions(60)
    with library.consumer(ctx.at, "group-unstable", enable_auto_commit="false",
                          isolation_level="read_committed") as c:
        c.commit(("unstable", 0, -1, 4, ""))
        writer.begin_transaction()
        writer.send_offsets_to_transaction(
            [peers.confluent_kafka.TopicPartition("unstable", 0, 9)],
            reader.consumer_group_metadata(), 60)
        with library.consumer(ctx.at, "group-unstable", enable_auto_commit="false") as other:
            equal(other.committed("unstable", 0)[0], 4, "read_uncommitted")
        try:
            c.committed("unstable", 0, timeout_ms=5000)
            raise AssertionError("it did not wait")
        except library.Failed as error:
            equal(error.name, "TIMED_OUT", "error")
            assert "UNSTABLE_OFFSET_COMMIT" in str(error), error
        writer.commit_transaction(60)
        equal(c.committed("unstable", 0)[0], 9, "committed")
    reader.close()


@test("a topic that was made again")
def again(ctx):
    fill(ctx, "again", partitions=1)
    with library.consumer(ctx.at, "group-again", enable_auto_commit="false",
                          allow_auto_create_topics="false") as c:
        c.assign(("again", 0))
        c.position("again", 0)
        c.commit(("again", 0, -1, 5, ""))
        klamm.run("-b", ctx.at, "topic", "delete", "again")
        # Kafka forgets its offsets a while later, and would forget those of the new one.
        peer = python(ctx, "group-again")
        until_equal(lambda: told(peer, "again", 0), None, "what is committed")
        peer.close()
        fill(ctx, "again", partitions=1)
        c.commit(("again", 0, -1, 6, ""), timeout_ms=30000)
        equal(c.committed("again", 0), (6, -1, ""), "committed")
