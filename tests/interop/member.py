"""A member of a group in a process of its own, of klamm or kafka-python:

    member.py CLIENT AT GROUP TOPIC [KEY=VALUE...]

The topic may be a pattern of the broker's, "/PATTERN". Lines: "has PARTITION..." when its
partitions have changed, "lost" before that, "read PARTITION OFFSET". Closes on SIGTERM.
klamm's hears lines, too: "nap" without a poll() until the next one, "pause" all that it has.
GroupMember.java is Java's.
"""
import ctypes
import select
import signal
import sys

going_on = True


def stop(*_):
    global going_on
    going_on = False


def say(*words):
    print(*words, flush=True)


def heard():
    """The next line of standard input, in words, if there is one."""
    return sys.stdin.readline().split() if select.select([sys.stdin], [], [], 0)[0] else []


def klamm_member(at, group, topic, options):
    import library
    lib = library.lib
    conf = {"group.id": group, "auto.offset.reset": "earliest", **options}
    handle = library.client(lib.klamm_consumer_new, at, conf)
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p,
                                ctypes.POINTER(library.Partition), ctypes.c_size_t)

    class Listener(ctypes.Structure):
        _fields_ = [("size", ctypes.c_size_t), ("arg", ctypes.c_void_p),
                    ("assigned", function), ("revoked", function), ("lost", function)]

    class View(ctypes.Structure):
        _fields_ = [("key", library.Span), ("value", library.Span),
                    ("offset", ctypes.c_int64), ("rest", ctypes.c_uint8 * 256)]

    own = set()

    def assigned(_, __, parts, count):
        own.update(parts[i].partition for i in range(count))
        say("has", *sorted(own))

    def revoked(_, __, parts, count):
        own.difference_update(parts[i].partition for i in range(count))
        say("has", *sorted(own))

    def lost(*args):
        say("lost")
        revoked(*args)

    listener = Listener(ctypes.sizeof(Listener), None, function(assigned), function(revoked),
                        function(lost))
    topics = (ctypes.c_char_p * 1)(topic.encode())
    if topic.startswith("/"):
        library.call(lib.klamm_consumer_subscribe_regex, handle, topic[1:].encode(),
                     ctypes.byref(listener))
    else:
        library.call(lib.klamm_consumer_subscribe, handle, topics, ctypes.c_size_t(1),
                     ctypes.byref(listener))
    while going_on:
        words = heard()
        if words[:1] == ["nap"]:
            sys.stdin.readline()
        if words[:1] == ["pause"]:
            for partition in own:
                library.call(lib.klamm_consumer_pause, handle, topic.encode(), partition, True)
        batch, view = ctypes.c_void_p(), View()
        library.call(lib.klamm_consumer_poll, handle, ctypes.c_int64(200),
                     ctypes.byref(batch))
        while batch and lib.klamm_batch_next(batch, ctypes.byref(view)) == 1:
            say("read", lib.klamm_batch_partition(batch), view.offset)
        lib.klamm_batch_unref(batch)
    library.call(lib.klamm_consumer_close, handle, ctypes.c_int64(10000))


def python_member(at, group, topic, options):
    import kafka
    import peers
    from kafka.coordinator.assignors import range as ranges
    from kafka.coordinator.assignors import roundrobin
    assignors = {"RangeAssignor": ranges.RangePartitionAssignor,
                 "RoundRobinAssignor": roundrobin.RoundRobinPartitionAssignor}
    strategy = options.pop("partition.assignment.strategy").rpartition(".")[2]
    consumer = kafka.KafkaConsumer(
        bootstrap_servers=at, group_id=group, auto_offset_reset="earliest",
        partition_assignment_strategy=[assignors[strategy]],
        **{key.replace(".", "_"): int(value) for key, value in options.items()})

    class Listener(kafka.ConsumerRebalanceListener):
        def on_partitions_assigned(self, parts):
            say("has", *sorted(p.partition for p in consumer.assignment()))

        def on_partitions_revoked(self, parts):
            say("has")

    consumer.subscribe([topic], listener=Listener())
    peers.know(consumer, topic)
    while going_on:
        for part, rows in consumer.poll(200).items():
            for row in rows:
                say("read", part.partition, row.offset)
    consumer.close()


def main():
    client, at, group, topic, *pairs = sys.argv[1:]
    signal.signal(signal.SIGTERM, stop)
    run = {"klamm": klamm_member, "kafka-python": python_member}[client]
    run(at, group, topic, dict(pair.split("=", 1) for pair in pairs))


main()
