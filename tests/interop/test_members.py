"""Classic groups whose members are klamm and another client: each leads in turn, one is killed,
one leaves; static members come back."""
import klamm
from frame import each
from processes import PARTITIONS, Group, Member

PATIENCE_S = 120  # a JVM compiles its member first
CLASSES = {"range": "RangeAssignor", "roundrobin": "RoundRobinAssignor",
           "sticky": "StickyAssignor", "cooperative-sticky": "CooperativeStickyAssignor"}


def group_of(ctx, name, strategy, session_ms=6000):
    klamm.create_topic(ctx.at, name, PARTITIONS)
    return Group(ctx, name, PATIENCE_S, f"session.timeout.ms={session_ms}",
                 "heartbeat.interval.ms=300",
                 "partition.assignment.strategy=org.apache.kafka.clients.consumer." +
                 CLASSES[strategy])


def pairs():
    for other, strategies in (("java", CLASSES), ("kafka-python", ("range", "roundrobin"))):
        for strategy in strategies:
            yield "klamm", other, strategy
            yield other, "klamm", strategy


@each("a group by {0[2]}: {0[0]} leads, {0[1]} joins, each goes and comes", list(pairs()))
def together(ctx, pair):
    first, second, strategy = pair
    with group_of(ctx, f"members-{first}-{second}-{strategy}", strategy) as group:
        _, last = group.come_and_go(first, second)
        last.close()


@each("a static member that comes back leaves {} alone", ["java", "klamm"])
def static(ctx, other):
    # It comes back as soon as it can, which may take a busy machine seconds.
    with group_of(ctx, f"static-{other}", "range", session_ms=60000) as group:
        group.come_back(other, (Member.close, Member.kill))
