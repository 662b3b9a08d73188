"""Every listener of real brokers by every mechanism that it has, with the files of Java's
clients: klamm alone, and beside Java's own console tools, which are given the same file."""
import concurrent.futures

import clients
import frame
import klamm
import peers
from frame import equal, test

COUNT = 10000
JAVA_COUNT = 20


def lines(who, count):
    return b"".join(b"%s %d\n" % (who, i) for i in range(count))


def sorted_lines(text):
    return sorted(text.splitlines())


def trip(ctx, name, listener):
    topic = f"trip-{name}-{listener.lower()}"
    want = lines(b"record", COUNT)
    with clients.client(ctx, name, listener) as (path, at):
        there = ("-F", path, "-b", at)
        klamm.run(*there, "topic", "create", topic, "-p", 3, "-r", 1)
        klamm.run(*there, "produce", topic, stdin=want)
        got = klamm.run(*there, "consume", topic, "-o", "start", "-e")
    equal(sorted_lines(got), sorted_lines(want), "records")


def beside_java(ctx, name, listener):
    topic = f"java-{name}-{listener.lower()}"
    ours, theirs = lines(b"klamm", JAVA_COUNT), lines(b"java", JAVA_COUNT)
    with clients.client(ctx, name, listener) as (path, at):
        there = ("-F", path, "-b", at)
        klamm.run(*there, "topic", "create", topic, "-p", 1, "-r", 1)
        klamm.run(*there, "produce", topic, stdin=ours)

        def tool(what, *args, stdin=None):
            return peers.harness("tool-at", at, ctx.version, what, "--topic", topic,
                                 f"--{what}.config", path, *args, stdin=stdin)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            reader = pool.submit(tool, "consumer", "--from-beginning", "--max-messages",
                                 2 * JAVA_COUNT, "--timeout-ms", 60000)
            tool("producer", stdin=theirs)
            got = klamm.run(*there, "consume", topic, "-o", "start", "-e")
            equal(sorted_lines(got), sorted_lines(ours + theirs), "klamm's records")
            got = b"\n".join(line for line in reader.result().splitlines()
                             if line.startswith((b"klamm ", b"java ")))
            equal(sorted_lines(got), sorted_lines(ours + theirs), "Java's records")
    print(f"# {listener}, {name}: klamm and Java {ctx.version} have read each other", flush=True)


for _name, _listener, _since in clients.PAIRS:
    test(f"{_listener}: 10,000 records out and in, with {_name}.properties", _since)(
        lambda ctx, name=_name, listener=_listener: trip(ctx, name, listener))
    if frame.full or _listener == clients.FILES[_name][0][-1]:
        test(f"{_listener}: Java's console tools and klamm with the same {_name}.properties",
             _since if frame.full else max(_since, "4.4"))(
                 lambda ctx, name=_name, listener=_listener: beside_java(ctx, name, listener))
