"""Sessions of five seconds, renewed while records go out and come in (KIP-368), by every
mechanism at once."""
import base64
import concurrent.futures
import contextlib
import itertools
import os
import re
import subprocess
import tempfile
import threading
import time

import clients
import frame
import klamm
import peers
from frame import equal, test

CONFIG = ("connections.max.reauth.ms=5000",)
SECONDS = 60 if frame.full else 12
PATIENCE_S = 2 * SECONDS + 48  # of a busy machine, which misses some
PER_STEP, STEP_S = 80, 0.1  # records, at a steady pace
RENEWALS = 11 if frame.full else 2
AGAIN = b"authenticated again"
MECHANISMS = ("plain", "scram-sha-256", "scram-sha-512", "gssapi", "oauthbearer",
              "oauthbearer-file", "oauthbearer-jaas", "aws-msk-iam", "aws-oauthbearer")
HIDDEN = (*clients.SECRETS, base64.b64encode(b"\0alice\0alice-secret").decode())


class Running:
    """klamm with its log, which is read meanwhile, at -vv."""

    def __init__(self, there, *args, stdout=subprocess.DEVNULL):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen([klamm.PROGRAM, *there, "-q", "-vv", *map(str, args)],
                                        stdin=subprocess.PIPE, stdout=stdout,
                                        stderr=subprocess.PIPE)
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self.reader.start()

    def feed(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def await_session(self):
        """Until it is in at a node of the cluster, and not only at a bootstrap server."""
        end = time.monotonic() + 60
        while not any(line.startswith(b"klamm: debug: broker") and
                      line.endswith(b": authenticated\n") for line in self.log):
            assert time.monotonic() < end and self.process.poll() is None, "it does not get in"
            time.sleep(0.05)

    def count(self, words):
        """In how many lines so far."""
        return sum(words in line for line in list(self.log))

    def await_loss(self, what, meanwhile=lambda: None):
        """Until it tells of a record that was not delivered."""
        end = time.monotonic() + 60
        while not any(b"not delivered" in line for line in list(self.log)):
            assert time.monotonic() < end, what
            meanwhile()
            time.sleep(0.1)

    def end(self, status=0):
        """Its log, after it has ended by itself."""
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        got = self.process.wait(60)
        self.reader.join()
        text = b"".join(self.log).decode()
        equal(got, status, f"exit status, after {told(text)}")
        for word in HIDDEN:
            assert word not in text, f"the log has a secret: {word}"
        return text


def told(log):
    """The end of it, without requests and their answers."""
    lines = [line for line in log.splitlines() if not re.search(r": [<>] \w+ v\d", line)]
    return "\n".join(lines[-60:])


def load(topic, path, at):
    """How often each of the two said again who it is, and how often they had to connect anew."""
    there = ("-F", path, "-b", at)
    klamm.run(*there, "topic", "create", topic)
    with tempfile.TemporaryFile() as out:
        both = (Running(there, "produce", topic),
                Running(there, "consume", topic, "-o", "start", stdout=out))
        sent = b""
        for step in itertools.count():
            more = b"".join(b"%d\n" % i for i in range(step * PER_STEP, (step + 1) * PER_STEP))
            both[0].feed(more)
            sent += more
            if step == 0:
                for one in both:
                    one.await_session()
                start = time.monotonic()
            time.sleep(max(0, start + step * STEP_S - time.monotonic()))
            took = time.monotonic() - start
            if took > PATIENCE_S or (took >= SECONDS and
                                     all(one.count(AGAIN) >= RENEWALS for one in both)):
                break
        logs = [both[0].end()]
        end = time.monotonic() + 60
        while os.fstat(out.fileno()).st_size < len(sent) and time.monotonic() < end:
            time.sleep(0.1)
        both[1].process.terminate()
        logs.append(both[1].end(130))
        out.seek(0)
        equal(out.read().split(), sent.split(), f"{topic}: records")
    times = [log.count("authenticated again") for log in logs]
    assert min(times) >= RENEWALS, f"{topic}: renewed {times} times: {told(logs[0])}"
    # One connection to the node is that of the beginning. Half a second is left for the rest,
    # which a machine may be too busy for: then the broker closes it, and another one is made.
    anew = [len(re.findall(r"^klamm: debug: broker .*: authenticated$", log, re.M)) - 1
            for log in logs]
    assert max(anew) <= max(4, RENEWALS / 3), \
        f"{topic}: connected anew {anew} times: {told(logs[0])}"
    return *times, sum(anew)


@test("sessions are renewed under load, and nothing is lost or told", since="2.2")
def renewed(ctx):
    chosen = [(name, listener) for name, listener, since in clients.PAIRS
              if name in MECHANISMS and clients.known(ctx.version, since)
              and (frame.full or listener == clients.FILES[name][0][-1])]
    with contextlib.ExitStack() as stack, concurrent.futures.ThreadPoolExecutor(99) as pool:
        waits = {}
        for name, listener in chosen:
            topic = f"session-{name}-{listener.lower()}"
            there = stack.enter_context(clients.client(ctx, name, listener))
            waits[f"{listener} {name}"] = pool.submit(load, topic, *there)
        for what, wait in waits.items():
            out, back, anew = wait.result()
            print(f"# {what}: {SECONDS} s, renewed {out} and {back} times"
                  + (f", connected anew {anew} times" if anew else ""), flush=True)


@test("a password that is changed ends a session when it is to be renewed, once", since="4.0")
def changed(ctx):
    def password(word):
        ctx.tool("configs", "--alter", "--add-config", f"SCRAM-SHA-512=[password={word}]",
                 "--entity-type", "users", "--entity-name", "dave")

    password("one")
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", peers.scram(folder, "SCRAM-SHA-512", "dave", "one"), "-b", ctx.sasl)
        klamm.until_it_is_known(*there, "topic", "list")
        klamm.run(*there, "topic", "create", "password")
        producer = Running(there, "produce", "password")
        producer.feed(b"one\n")
        producer.await_session()
        password("two")
        producer.await_loss("its session goes on", lambda: producer.feed(b"more\n"))
        text = producer.end(status=1)
    assert ("SASL SCRAM-SHA-512, authenticating again: the broker says: Authentication failed "
            "during re-authentication due to invalid credentials") in text, told(text)
    # For what was there, and for a record that came later.
    refusals = text.count('"ErrorCode":58')
    assert 1 <= refusals <= 2, f"{refusals} refusals: {told(text)}"
