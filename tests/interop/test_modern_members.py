"""Groups of KIP-848 whose members are klamm and Java's consumer: each comes and goes, one is
killed; static members come back; patterns that the broker matches."""
import klamm
from frame import each, equal, test
from processes import PARTITIONS, Group, Member

PATIENCE_S = 90  # a session is 45 s, which brokers shorten only when they are set to


def group_of(ctx, name, **options):
    klamm.create_topic(ctx.at, name, PARTITIONS)
    return Group(ctx, name, PATIENCE_S, "group.protocol=consumer", **options)


@each("a group of KIP-848: {0[0]} is there, {0[1]} joins, each goes and comes",
      [("klamm", "java"), ("java", "klamm"), ("klamm", "klamm")])
def together(ctx, pair):
    with group_of(ctx, "modern-{}-{}".format(*pair)) as group:
        first, last = group.come_and_go(*pair)
        equal(first.lost + last.lost, 0, "partitions that were lost")
        last.close()


@each("a static member of KIP-848 that comes back leaves {} alone", ["java", "klamm"])
def static(ctx, other):
    with group_of(ctx, f"modern-static-{other}") as group:
        group.come_back(other, (Member.close,))


@test("klamm and Java by a pattern that the broker matches", since="4.0.0")
def patterns(ctx):
    with group_of(ctx, "modern-pattern-1", topic="/modern-pattern-.") as group:
        a = group.join("klamm")
        group.shared("alone", a)
        b = group.join("java")
        group.shared("together", a, b)
        group.produce(group.name, 5)
        group.wait("records", lambda: len(set(a.read + b.read)) == 5 * PARTITIONS)


@test("a member is restarted from classic to KIP-848 and back in its group", since="4.0.0")
def protocols(ctx):
    klamm.create_topic(ctx.at, "modern-protocols", PARTITIONS)
    classic = "group.protocol=classic", "heartbeat.interval.ms=300"
    modern = ("group.protocol=consumer",)
    with Group(ctx, "modern-protocols", PATIENCE_S) as group:
        pair = [group.join("klamm", *classic), group.join("klamm", *classic)]
        group.shared("all classic", *pair)
        for written, protocol in enumerate((modern, classic), 1):
            pair[0].close()
            pair[0] = group.join("klamm", *protocol)
            group.shared(protocol[0], *pair)
            group.produce(group.name, 5)
            group.wait("records", lambda: len({r for m in group.members for r in m.read}) ==
                       5 * written * PARTITIONS)
        equal(sum(m.lost for m in group.members), 0, "partitions that were lost")
