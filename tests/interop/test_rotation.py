"""Certificates and lists of revoked ones that change while records go out and come in, over
mutual TLS: the new ones are used, and nothing is lost."""
import contextlib
import os
import tempfile
import threading
import time

import frame
import klamm
import peers
from certificates import (await_certificate, issue, options, put, read, reconfigure, revoke,
                          secret)
from frame import equal, test
from refusal import refused
from test_sessions import Running, told

ROUNDS = 12 if frame.full else 1
RESTARTS_EVERY = 4  # rounds
CAS = ("ca", "other-ca")


class Feed(Running):
    """klamm produce, given some lines now and then, over connections that never get old."""

    def __init__(self, there, topic):
        super().__init__([*there, "-X", "connections.max.idle.ms=100"], "produce", topic)
        self.sent, self.stop = 0, threading.Event()
        self.thread = threading.Thread(target=self.go_on)
        self.thread.start()

    def go_on(self):
        with contextlib.suppress(BrokenPipeError):
            while not self.stop.wait(0.3):
                self.feed(b"".join(b"%d\n" % i for i in range(self.sent, self.sent + 50)))
                self.sent += 50

    def end(self, status=0):
        self.stop.set()
        self.thread.join()
        return super().end(status)


class Both:
    """What the broker has and trusts, what the client has and trusts; the files of either."""

    def __init__(self, ctx, folder):
        self.ctx, self.folder = ctx, folder
        self.number = 0
        self.trust = put(folder, "trust.pem", self.ca("ca"))
        self.mine = put(folder, "mine.pem", read(secret(ctx, "client.key")),
                        read(secret(ctx, "client.pem")))

    def ca(self, name):
        return read(secret(self.ctx, name + ".pem"))

    def there(self):
        return ["-b", self.ctx.env["MTLS"], *options(
            "security.protocol=SSL", f"ssl.ca.location={self.trust}",
            f"ssl.certificate.location={self.mine}")]

    def store(self, name, stem):
        """A file of a broker, by a name that it has not had: it looks no sooner."""
        self.number += 1
        return put(self.folder, f"{name}-{self.number}.pem",
                   *(read(f"{stem}.{end}") for end in ("key", "pem")))

    def change(self, ca):
        """To that CA on both sides, as one does it: trust both, change, trust the new one alone."""
        both = put(self.folder, "both.pem", *map(self.ca, CAS))
        broker = issue(self.ctx, self.folder, f"broker-{ca}", ca)
        client = issue(self.ctx, self.folder, f"client-{ca}", ca)
        put(self.folder, "trust.pem", *map(self.ca, CAS))
        reconfigure(self.ctx, keystore_location=self.store("broker", broker),
                    truststore_location=both)
        await_certificate(self.ctx, broker + ".pem")
        put(self.folder, "mine.pem", read(client + ".key"), read(client + ".pem"))
        time.sleep(1.5)
        put(self.folder, "trust.pem", self.ca(ca))
        reconfigure(self.ctx, truststore_location=secret(self.ctx, ca + ".pem"))
        time.sleep(1.5)


@test("certificates of both sides change under load, and nothing is lost", since="4.0")
def rotation(ctx):
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryFile() as out:
        files = Both(ctx, folder)
        there, topic = files.there(), "tls-rotation"
        klamm.run(*there, "topic", "create", topic)
        reader = Running(there, "consume", topic, "-o", "start", stdout=out)
        feed, seen = Feed(there, topic), 0
        try:
            for number in range(1, ROUNDS + 1):
                files.change(CAS[number % 2])
                if number % RESTARTS_EVERY == 0:  # so that every connection is made anew
                    peers.harness("restart", ctx.cluster, 1)
                got = klamm.run(*there, "consume", topic, "-o", "start", "-e").split()
                assert len(got) > seen, f"{len(got)} records, as before"
                seen = len(got)
                print(f"# round {number}: {seen} records so far", flush=True)
        finally:
            feed.end()
        want = [b"%d" % i for i in range(feed.sent)]
        end = time.monotonic() + 60
        while os.fstat(out.fileno()).st_size < len(b"\n".join(want)):
            assert time.monotonic() < end, "the reader that stays has not got all"
            time.sleep(0.1)
        reader.process.terminate()
        reader.process.wait(60)
        out.seek(0)
        equal(out.read().split(), want, "records of the reader that stays")
        equal(klamm.run(*there, "consume", topic, "-o", "start", "-e").split(), want, "records")
        print(f"# {feed.sent} records, {ROUNDS} changes of both certificates", flush=True)
        afterwards(ctx, files, CAS[ROUNDS % 2])


def afterwards(ctx, files, ca):
    """What is not trusted any more, or has expired, is refused."""
    there = files.there()[2:]
    before = secret(ctx, CAS[1 - CAS.index(ca)] + ".pem")
    refused(ctx.env["MTLS"], "TLS", ("it is not in ssl.ca.location",), *there, "-X",
            f"ssl.ca.location={before}")
    late = issue(ctx, files.folder, "late", ca, days=0)
    reconfigure(ctx, keystore_location=files.store("late", late))
    await_certificate(ctx, late + ".pem")
    refused(ctx.env["MTLS"], "TLS", ("has expired at",), *there)


@test("a certificate that is revoked while a client runs is not taken any more")
def revoked_meanwhile(ctx):
    with tempfile.TemporaryDirectory() as folder:
        there = ["-b", ctx.env["SSL"], *options(
            "security.protocol=SSL", f"ssl.ca.location={secret(ctx, 'ca.pem')}",
            f"ssl.crl.location={revoke(ctx, folder, 'ca')}")]
        klamm.run(*there, "topic", "create", "revoked-later", "-p", 1, "-r", 1)
        feed = Feed(there, "revoked-later")
        time.sleep(2)
        assert not any(b"not delivered" in line for line in list(feed.log)), "at first"
        revoke(ctx, folder, "ca", "server")
        feed.await_loss("it goes on connecting")
        text = feed.end(status=1)
        assert "was revoked (ssl.crl.location)" in text, told(text)
