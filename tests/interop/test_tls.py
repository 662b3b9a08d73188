"""TLS to real brokers: certificates that fit and that do not, and some that change under load.

Runs on the brokers of test_sasl.py."""
import os
import ssl
import subprocess
import tempfile
import threading
import time

import klamm
import peers
from frame import equal, parts, test

COUNT = 10000
NETWORK_THREADS = 3  # of a broker, as it is by default


def secret(ctx, name):
    return os.path.join(ctx.secrets, name)


def write(folder, name, *lines):
    """A file that is there whole or not at all, as one replaces certificates."""
    path = os.path.join(folder, name)
    with open(path + ".part", "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    os.replace(path + ".part", path)
    return path


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def java(ctx, folder, *lines):
    """The file of a Java client, its trust in a store that keytool made."""
    return write(folder, "client.properties", "security.protocol=SSL",
                 f"ssl.truststore.location={secret(ctx, 'trust.p12')}",
                 "ssl.truststore.password=server-secret", *lines)


def own(ctx):
    """What a Java client says of its certificate."""
    return (f"ssl.keystore.location={secret(ctx, 'client.p12')}",
            "ssl.keystore.password=client-secret", "ssl.key.password=client-secret")


def trip(there, topic):
    want = [b"record %d" % i for i in range(COUNT)]
    klamm.run(*there, "topic", "create", topic, "-p", 3)
    klamm.run(*there, "produce", topic, stdin=b"".join(line + b"\n" for line in want))
    got = klamm.run(*there, "consume", topic, "-o", "start", "-e")
    equal(sorted(got.splitlines()), sorted(want), "records")


def refused(at, words, *args):
    """At once, in one line, with the stage and status 3."""
    start = time.monotonic()
    text = klamm.run(*args, "-b", at, "topic", "list", status=3).decode()
    took = time.monotonic() - start
    assert took < 5, f"{took:.1f} s"
    assert text.count("\n") == 1, text
    for word in (at.split(":")[0] + ":", ": TLS: ", words):
        assert word in text, text


def options(*pairs):
    return [word for pair in pairs for word in ("-X", pair)]


@test("SSL: 10,000 records out and in, with a Java client's file", since="0.11")
def ssl_trip(ctx):
    with tempfile.TemporaryDirectory() as folder:
        trip(("-F", java(ctx, folder), "-b", ctx.env["SSL"]), "tls-trip")


@test("SSL, asked one thing")
def ask(ctx):
    with tempfile.TemporaryDirectory() as folder:
        listed = klamm.run("-F", java(ctx, folder), "-b", ctx.env["SSL"], "topic", "list")
    assert listed.startswith(b"TOPIC"), listed


@test("a trust store in JKS, as keytool makes it")
def jks(ctx):
    with tempfile.TemporaryDirectory() as folder:
        store = os.path.join(folder, "trust.jks")
        subprocess.run(["keytool", "-importcert", "-noprompt", "-alias", "ca", "-file",
                        secret(ctx, "ca.pem"), "-keystore", store, "-storetype", "JKS",
                        "-storepass", "jks-secret"], check=True, capture_output=True)
        there = options("security.protocol=SSL", f"ssl.truststore.location={store}")
        klamm.run("-b", ctx.env["SSL"], *there, "-X", "ssl.truststore.password=jks-secret",
                  "topic", "list")
        text = klamm.run("-b", ctx.env["SSL"], *there, "-X", "ssl.truststore.password=wrong",
                         "topic", "list", status=2).decode()
        assert "the password is wrong, or the file was tampered with" in text, text


@test("mutual TLS: 10,000 records out and in, with a Java client's file", since="0.11")
def mutual_trip(ctx):
    with tempfile.TemporaryDirectory() as folder:
        trip(("-F", java(ctx, folder, *own(ctx)), "-b", ctx.env["MTLS"]), "tls-mutual")


@test("SASL_SSL: 10,000 records out and in, with a Java client's file", since="0.11")
def sasl_trip(ctx):
    with tempfile.TemporaryDirectory() as folder:
        file = java(ctx, folder, *peers.PROPERTIES.splitlines()[1:],
                    "security.protocol=SASL_SSL")
        trip(("-F", file, "-b", ctx.env["SASL_SSL"]), "tls-sasl")


@test("a wrong name, a foreign broker, a foreign or missing or expired certificate")
def misfits(ctx):
    at = ctx.env["SSL"]
    trusting = options("security.protocol=SSL", f"ssl.ca.location={secret(ctx, 'ca.pem')}")
    # The same address, written so that no certificate has it.
    refused(at.replace("127.0.0.1", "127.1"), "and not for 127.1", *trusting)
    refused(at, "it is not in ssl.ca.location",
            *options("security.protocol=SSL",
                     f"ssl.ca.location={secret(ctx, 'other-ca.pem')}"))
    if parts(ctx.version) < (0, 11):
        return
    at = ctx.env["MTLS"]
    refused(at, "it wants a certificate from this client", *trusting)
    with tempfile.TemporaryDirectory() as folder:
        expired = certificate(ctx, folder, "expired", "ca", days=0)
        time.sleep(1.1)
        for name in (secret(ctx, "other-client"), expired):
            refused(at, "it does not take this client's certificate", *trusting,
                    *options(f"ssl.certificate.location={name}.pem",
                             f"ssl.key.location={name}.key"))


@test("a listener without TLS, and a client without it")
def crossed(ctx):
    trusting = options("security.protocol=SSL", f"ssl.ca.location={secret(ctx, 'ca.pem')}")
    text = klamm.run("-b", ctx.at, *trusting, "--timeout", 2, "topic", "list",
                     status=3).decode()
    assert "as a listener without it does (security.protocol=PLAINTEXT" in text, text
    text = klamm.run("-b", ctx.env["SSL"], "--timeout", 4, "topic", "list", status=3).decode()
    assert "wants TLS" in text, text


def certificate(ctx, folder, name, ca, days=10):
    """NAME.pem and NAME.key for localhost, issued by one of the harness's CAs."""
    stem = os.path.join(folder, name)
    names = write(folder, f"{name}.ext",
                  "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
    for words in (("req", "-newkey", "rsa:2048", "-nodes", "-keyout", stem + ".key", "-out",
                   stem + ".csr", "-subj", "/CN=localhost"),
                  ("x509", "-req", "-in", stem + ".csr", "-CA", secret(ctx, ca + ".pem"),
                   "-CAkey", secret(ctx, ca + ".key"), "-CAcreateserial", "-days", str(days),
                   "-out", stem + ".pem", "-extfile", names)):
        subprocess.run(["openssl", *words], check=True, capture_output=True)
    return stem


def reconfigure(ctx, **settings):
    """Settings of the mutual listener, while it runs (KIP-226)."""
    pairs = ",".join(f"listener.name.mtls.ssl.{key.replace('_', '.')}={value}"
                     for key, value in settings.items())
    ctx.tool("configs", "--alter", "--entity-type", "brokers", "--entity-name", 1,
             "--add-config", pairs)


def await_certificate(ctx, path):
    """The broker takes a new setting soon after it has said yes, thread by thread."""
    host, port = ctx.env["MTLS"].split(":")
    end = time.monotonic() + 20
    fresh = 0
    while fresh < 2 * NETWORK_THREADS:
        same = ssl.get_server_certificate((host, int(port))).strip() == read(path)
        fresh = fresh + 1 if same else 0
        assert time.monotonic() < end, "the broker keeps its certificate"
        time.sleep(0 if same else 0.1)


class Feed:
    """klamm produce, given a line now and then, over connections that never get old."""

    def __init__(self, there, topic):
        self.sent, self.stop = 0, threading.Event()
        self.process = subprocess.Popen(
            [klamm.PROGRAM, *there, "-X", "connections.max.idle.ms=100", "-q", "produce",
             topic], stdin=subprocess.PIPE, stderr=subprocess.PIPE)
        self.thread = threading.Thread(target=self.feed)
        self.thread.start()

    def feed(self):
        while not self.stop.wait(0.3):
            for _ in range(50):
                self.process.stdin.write(b"%d\n" % self.sent)
                self.sent += 1
            self.process.stdin.flush()

    def end(self):
        self.stop.set()
        self.thread.join()
        _, told = self.process.communicate(timeout=60)
        assert self.process.returncode == 0, told.decode(errors="replace")[-1500:]
        return self.sent


# Another CA for both sides, as one does it: trust both, change, trust the new one alone.
@test("certificates of both sides change under load, and nothing is lost", since="4.4")
def rotation(ctx):
    old, new = read(secret(ctx, "ca.pem")), read(secret(ctx, "other-ca.pem"))
    with tempfile.TemporaryDirectory() as folder:
        broker = certificate(ctx, folder, "broker", "other-ca")
        store = write(folder, "broker-store.pem", read(broker + ".key"), read(broker + ".pem"))
        both = write(folder, "both.pem", old, new)
        trust = write(folder, "trust.pem", old)
        mine = write(folder, "mine.pem", read(secret(ctx, "client.key")),
                     read(secret(ctx, "client.pem")))
        there = ["-b", ctx.env["MTLS"], *options(
            "security.protocol=SSL", f"ssl.ca.location={trust}",
            f"ssl.certificate.location={mine}")]
        klamm.run(*there, "topic", "create", "tls-rotation")
        feed = Feed(there, "tls-rotation")
        try:
            write(folder, "trust.pem", old, new)
            reconfigure(ctx, keystore_location=store, truststore_location=both)
            await_certificate(ctx, broker + ".pem")
            write(folder, "mine.pem", read(secret(ctx, "other-client.key")),
                  read(secret(ctx, "other-client.pem")))
            time.sleep(1.5)
            write(folder, "trust.pem", new)
            reconfigure(ctx, truststore_location=secret(ctx, "other-ca.pem"))
            time.sleep(1.5)
        finally:
            sent = feed.end()
        got = klamm.run(*there, "consume", "tls-rotation", "-o", "start", "-e")
        equal(got.split(), [b"%d" % i for i in range(sent)], "records")
        refused(ctx.env["MTLS"], "it is not in ssl.ca.location",
                *there[2:], "-X", f"ssl.ca.location={secret(ctx, 'ca.pem')}")
        expired = certificate(ctx, folder, "late", "other-ca", days=0)
        reconfigure(ctx, keystore_location=write(
            folder, "late-store.pem", read(expired + ".key"), read(expired + ".pem")))
        await_certificate(ctx, expired + ".pem")
        refused(ctx.env["MTLS"], "has expired at", *there[2:])
