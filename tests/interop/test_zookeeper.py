"""Offsets of Kafka 0.8, in ZooKeeper."""
import kafka

import klamm
import library
from frame import equal, test

VERSION = "0.8.2.2"
NAME = "offsets in ZooKeeper, of klamm and of kafka-python"


@test(NAME)
def offsets(ctx):
    """Version 0 of OffsetCommit and OffsetFetch is kept there; those of a coordinator, which
    0.8.2 has as well, are others."""
    topic, group = "zookeeper", "group"
    klamm.run("-b", ctx.at, "-X", "klamm.broker.version=0.8.1", "produce", topic,
              stdin=b"one\ntwo\nthree\n")
    where = kafka.TopicPartition(topic, 0)
    peer = kafka.KafkaConsumer(bootstrap_servers=ctx.at, group_id=group,
                               enable_auto_commit=False, api_version=(0, 8, 1))
    with library.consumer(ctx.at, group, enable_auto_commit="false",
                          klamm_broker_version="0.8.1") as c, \
            library.consumer(ctx.at, group, enable_auto_commit="false",
                             klamm_broker_version="0.8.2") as other:
        equal(c.committed(topic, 0)[0], -1, "at first")
        c.commit((topic, 0, -1, 2, "klamm's"))
        equal(c.committed(topic, 0)[0], 2, "klamm's own")
        equal(peer.committed(where), 2, "kafka-python's")
        equal(other.committed(topic, 0)[0], -1, "the coordinator's")
        peer.assign([where])
        peer.commit({where: kafka.OffsetAndMetadata(1, "", -1)})
        equal(c.committed(topic, 0)[0], 1, "klamm's")
        c.assign((topic, 0))
        equal(c.position(topic, 0), 1, "position")
        other.commit((topic, 0, -1, 3, ""))
        equal((c.committed(topic, 0)[0], other.committed(topic, 0)[0]), (1, 3), "both")
    peer.close()
