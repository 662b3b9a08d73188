"""What happens to the nodes of a cluster at random, one at a time."""
import random
import time

import klamm
import peers


def _partitions(ctx, *topics):
    return [p for topic in klamm.describe(ctx.at, *topics) for p in topic["partitions"]]


def leader(ctx, topic):
    """The node that leads one of the topic's partitions, any of them."""
    led = [p["leader"] for p in _partitions(ctx, topic) if p["leader"] > 0]
    return random.choice(led) if led else random.randint(1, ctx.nodes)


def hit_leader(ctx, topic, meanwhile=lambda: None):
    """kill -9 or SIGSTOP: for a moment, so that it may still lead when it is back, or for
    longer than its session of 4 s, so that others have to. In the midst of that meanwhile() is
    called. What it did, as text."""
    node = leader(ctx, topic)
    down, up, word = random.choice((("kill", "start", "killed"), ("pause", "resume", "stopped")))
    pause = random.choice((random.uniform(0, 1), random.uniform(5, 9)))
    peers.harness(down, ctx.cluster, node)
    time.sleep(pause / 2)
    meanwhile()
    time.sleep(pause / 2)
    peers.harness(up, ctx.cluster, node)
    return f"node {node} was {word} for {pause:.1f} s"


def await_replicas(ctx):
    """Every replica of every topic is in sync: the next node may fail and nothing is lost."""
    end = time.monotonic() + 120
    while True:
        late = [p for p in _partitions(ctx) if len(p["in_sync"]) < len(p["replicas"])]
        if not late:
            return
        if time.monotonic() > end:
            raise AssertionError(f"replicas do not come together: {late[0]}")
        time.sleep(0.2)
