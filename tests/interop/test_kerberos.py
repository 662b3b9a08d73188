"""GSSAPI at klamm's own broker, with a KDC of our own: klamm's clients and others'."""
import contextlib
import os
import re
import socket
import subprocess
import tempfile
import threading
import time

import kerberos
import klamm
import peers
import ports
import refusal
from frame import equal, test

JAVA = "4.4.0"
SYSTEM_PYTHON = "/usr/bin/python3"  # Debian's python3-gssapi is for this one


class Context:
    """A realm and a broker for all tests; each test has topics of its own."""

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.realm = stack.enter_context(kerberos.Realm())
            stack.enter_context(self.realm.config())
            self.log = self.realm.file("broker.log")
            at = stack.enter_context(klamm.broker(
                "-vv", "--advertise", "localhost", "--sasl", "GSSAPI", "--reauth-ms",
                "3000", "--config",
                f"sasl.kerberos.keytab={self.realm.keytab('kafka')}", log=self.log))
            self.at = at  # localhost, as the keytab has it
            self.address = at.replace("localhost", "127.0.0.1")
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *error):
        return self.stack.__exit__(*error)

    def alice(self, *more):
        return (*kerberos.options(self.realm.keytab("alice"), *more), "-b", self.at)

    def entered(self):
        """Who has come in, by the broker's log."""
        with open(self.log, encoding="utf-8") as file:
            return re.findall(r"node 1: (\S+) has authenticated with GSSAPI", file.read())


def log_of(ctx, *more):
    """What klamm tells at -vv when it comes in as alice."""
    done = subprocess.run([klamm.PROGRAM, "-vv", *ctx.alice(*more), "topic", "list"],
                          capture_output=True, timeout=60, check=False, text=True)
    equal(done.returncode, 0, f"exit status ({done.stderr[-500:]})")
    return done.stderr


def refused(ctx, *more, words, status=3, within=refusal.SECONDS, where="localhost:"):
    """What klamm says: at once, in one line."""
    start = time.monotonic()
    text = klamm.run(*ctx.alice(*more), "topic", "list", status=status).decode()
    took = time.monotonic() - start
    assert took < within, f"{took:.1f} s"
    equal(text.count("\n"), 1, f"lines of {text}")
    for word in (where, "gssapi" if status == 2 else "SASL GSSAPI: ", *words):
        assert word in text, f"no \"{word}\" in: {text}"
    return text


# --- coming in ---

@test("klamm produces and consumes 10,000 records with a Java client's file")
def round_trip(ctx):
    lines = "".join(f"record {i}\n" for i in range(10000)).encode()
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", kerberos.properties(folder, ctx.realm.keytab("alice")), "-b", ctx.at)
        klamm.run(*there, "topic", "create", "krb-trip")
        klamm.run(*there, "produce", "krb-trip", stdin=lines)
        got = klamm.run(*there, "consume", "krb-trip", "-o", "start", "-e")
    equal(got, lines, "records")
    assert "alice" in ctx.entered()


@test("with a keytab neither cache nor keytab of the environment counts")
def opt_sasl_kerberos_keytab(ctx):
    cache = ctx.realm.file("bobs")
    ctx.realm.tool("kinit", "-c", cache, "-k", "-t", ctx.realm.keytab("bob"), "bob")
    with open(cache, "rb") as file:
        before = file.read()
    count = len(ctx.entered())
    with kerberos.environ(KRB5CCNAME=cache, KRB5_KTNAME=ctx.realm.keytab("bob"),
                          KRB5_CLIENT_KTNAME=ctx.realm.keytab("bob")):
        klamm.run(*ctx.alice(), "topic", "list")
    equal(set(ctx.entered()[count:]), {"alice"}, "who came in")
    with open(cache, "rb") as file:
        equal(file.read(), before, "the user's cache")


@test("without a keytab the user's tickets are used: the default ones, or those of a cache")
def opt_sasl_kerberos_ccache(ctx):
    cache = ctx.realm.file("cache")
    there = ("-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=GSSAPI", "-b",
             ctx.at)
    with kerberos.environ(KRB5CCNAME=ctx.realm.file("none")):
        text = klamm.run(*there, "topic", "list", status=3).decode()
        assert "there is no ticket in the cache FILE:" in text and "kinit" in text, text
    ctx.realm.tool("kinit", "-c", cache, "-k", "-t", ctx.realm.keytab("bob"), "bob")
    for way in ({}, {"KRB5CCNAME": cache}):
        count = len(ctx.entered())
        named = () if way else ("-X", f"sasl.kerberos.ccache={cache}")
        with kerberos.environ(**{"KRB5CCNAME": None, **way}):
            klamm.run(*there, *named, "topic", "list")
        equal(set(ctx.entered()[count:]), {"bob"}, "who came in")


@test("the principal is chosen from keytab or cache")
def opt_sasl_kerberos_principal(ctx):
    both = ctx.realm.file("both.keytab")
    ctx.realm.admin(f"ktadd -norandkey -k {both} alice", f"ktadd -norandkey -k {both} bob")
    for pair, who in ((), "alice"), (("sasl.kerberos.principal=bob",), "bob"):
        count = len(ctx.entered())
        klamm.run(*kerberos.options(both, *pair), "-b", ctx.at, "topic", "list")
        equal(set(ctx.entered()[count:]), {who}, "who came in")
    cache = ctx.realm.file("cache")
    ctx.realm.tool("kinit", "-c", cache, "-k", "-t", ctx.realm.keytab("bob"), "bob")
    text = refused(ctx, "sasl.kerberos.keytab=", f"sasl.kerberos.ccache={cache}",
                   "sasl.kerberos.principal=alice", words=["which is not"])
    assert f"bob@{kerberos.NAME}" in text, text


# --- the broker's name ---

@test("the service's name is kafka unless another is set")
def opt_sasl_kerberos_service_name(ctx):
    refused(ctx, "sasl.kerberos.service.name=other",
            words=["other/localhost@", "not found in Kerberos database",
                   "sasl.kerberos.service.name"])


@test("the host part may be set")
def opt_sasl_kerberos_domain_name(ctx):
    here = (*kerberos.options(ctx.realm.keytab("alice")), "-b", ctx.address)
    text = klamm.run(*here, "topic", "list", status=3).decode()
    assert "the broker kafka/127.0.0.1 with" in text, text
    klamm.run(*here, "-X", "sasl.kerberos.domain.name=localhost", "topic", "list")


@test("the whole name may be set, as a principal or as kafka-python writes it")
def opt_sasl_kerberos_name(ctx):
    here = (*kerberos.options(ctx.realm.keytab("alice")), "-b", ctx.address)
    for name in (f"kafka/localhost@{kerberos.NAME}", "kafka/localhost", "kafka@localhost"):
        klamm.run(*here, "-X", f"sasl.kerberos.name={name}", "topic", "list")


@test("names are made as krb5.conf says, and as Java does where it says nothing")
def canonical(ctx):
    ctx.realm.write_config("java.conf", ctx.realm.port, dns_canonicalize_hostname=None)
    ctx.realm.write_config("true.conf", ctx.realm.port, dns_canonicalize_hostname="true")
    for name in "java.conf", "true.conf":
        with ctx.realm.config(name):
            for at in ctx.at, ctx.address:  # an address has the name that leads back to it
                klamm.run(*kerberos.options(ctx.realm.keytab("alice")), "-b", at, "topic",
                          "list")


# --- no ---

@test("a keytab that is missing, or none, or another's is told before anything is asked")
def bad_keytabs(ctx):
    for file, words in ((ctx.realm.file("no-such"), "not found"),
                        (ctx.realm.file("krb5.conf"), "cannot be used"),
                        (ctx.realm.folder, "cannot be used")):
        refused(ctx, f"sasl.kerberos.keytab={file}", words=[file, words], status=2,
                where="")
    refused(ctx, "sasl.kerberos.principal=bob", words=["has no key for bob@"], status=2,
            where="")


@test("a wrong key, and a client that the KDC does not know, are told once")
def bad_keys(ctx):
    ctx.realm.admin("addprinc -randkey carol", f"ktadd -k {ctx.realm.keytab('carol')} carol",
                    "change_password -randkey carol")
    refused(ctx, f"sasl.kerberos.keytab={ctx.realm.keytab('carol')}",
            words=[f"carol@{kerberos.NAME}", "write the keytab anew"])
    ctx.realm.admin("delprinc -force carol")
    refused(ctx, f"sasl.kerberos.keytab={ctx.realm.keytab('carol')}",
            words=["not found in Kerberos database", "sasl.kerberos.principal"])


@test("a KDC that is down is told once; so is a krb5.conf that names none")
def no_kdc(ctx):
    ctx.realm.write_config("down.conf", ports.free())
    with ctx.realm.config("down.conf"):
        refused(ctx, words=["Cannot contact any KDC", kerberos.NAME, "krb5.conf"])
    with open(ctx.realm.file("empty.conf"), "w", encoding="ascii") as file:
        file.write("[libdefaults]\n dns_lookup_kdc = false\n")
    with ctx.realm.config("empty.conf"):
        refused(ctx, words=["krb5.conf does not say where the KDC"])


@test("a KDC that says nothing is waited for as long as a connection may take to set up")
def silent_kdc(ctx):
    with socket.socket() as kdc:
        kdc.bind(("127.0.0.1", 0))
        kdc.listen(20)
        ctx.realm.write_config("silent.conf", kdc.getsockname()[1])
        with ctx.realm.config("silent.conf"):
            refused(ctx, "socket.connection.setup.timeout.ms=1500",
                    "socket.connection.setup.timeout.max.ms=1500",
                    words=["the KDC does not answer"], within=9)  # it is 10 by default


@test("a broker with another key is told, in Kafka's words, and its log says why")
def bad_broker(ctx):
    other = ctx.realm.file("other.keytab")
    log = ctx.realm.file("other.log")
    ctx.realm.admin("addprinc -randkey kafka/other", f"ktadd -k {other} kafka/other")
    with klamm.broker("-v", "--advertise", "localhost", "--sasl", "GSSAPI", "--config",
                      f"sasl.kerberos.keytab={other}", log=log) as at:
        text = klamm.run(*kerberos.options(ctx.realm.keytab("alice")), "-b", at, "topic",
                         "list", status=3).decode()
    assert ("the broker says: Authentication failed during authentication due to invalid "
            "credentials with SASL mechanism GSSAPI") in text, text
    with open(log, encoding="utf-8") as file:
        told = file.read()
    assert "its ticket is not taken" in told and "kafka/localhost" in told, told


# --- renewal ---

@test("tickets are renewed at the part of their life that is set")
def opt_sasl_kerberos_ticket_renew_window_factor(ctx):
    text = log_of(ctx, "sasl.kerberos.ticket.renew.window.factor=0.5",
                  "sasl.kerberos.ticket.renew.jitter=0")
    found = re.search(r"ticket for (\d+) s, to be renewed in (\d+) s", text)
    life, after = map(int, found.groups())
    assert 3590 <= life <= 3600 and abs(after - life / 2) < 10, found[0]


@test("chance moves that moment")
def opt_sasl_kerberos_ticket_renew_jitter(ctx):
    seen = set()
    for _ in range(3):
        text = log_of(ctx, "sasl.kerberos.ticket.renew.window.factor=0.5",
                      "sasl.kerberos.ticket.renew.jitter=0.4")
        after = int(re.search(r"to be renewed in (\d+) s", text)[1])
        assert 1790 <= after <= 3240, after
        seen.add(after)
    assert len(seen) > 1, seen


@test("logins are apart unless the ticket ends before that")
def opt_sasl_kerberos_min_time_before_relogin(ctx):
    for apart, want in (900000, 900), (9000000, 1):
        text = log_of(ctx, "sasl.kerberos.ticket.renew.window.factor=0",
                      "sasl.kerberos.ticket.renew.jitter=0",
                      f"sasl.kerberos.min.time.before.relogin={apart}")
        assert f"to be renewed in {want} s" in text, text[-1000:]


class Producer:
    """klamm produce, fed line by line; its log at -vv is read meanwhile."""

    def __init__(self, ctx, topic, *more):
        # pylint: disable=consider-using-with
        self.process = subprocess.Popen(
            [klamm.PROGRAM, *ctx.alice(*more), "-q", "-vv", "produce", topic],
            stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self.log = []
        self.reader = threading.Thread(target=lambda: self.log.extend(self.process.stderr))
        self.reader.start()

    def feed(self, seconds):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            line = f"{len(self.lines)}\n"
            self.lines.append(line)
            self.process.stdin.write(line)
            self.process.stdin.flush()
            time.sleep(0.005)

    def end(self):
        self.process.stdin.close()
        equal(self.process.wait(60), 0, f"exit status, {self.log[-3:]}")
        self.reader.join()
        return "".join(self.log)


@test("tickets of seconds are renewed under load, also when the KDC is away for a while")
def renewed(ctx):
    klamm.run(*ctx.alice(), "topic", "create", "krb-renewed")
    ctx.realm.write_config("short.conf", ctx.realm.port, ticket_lifetime="6s")
    with ctx.realm.config("short.conf"):
        producer = Producer(ctx, "krb-renewed",
                            "sasl.kerberos.ticket.renew.window.factor=0.4",
                            "sasl.kerberos.min.time.before.relogin=1000")
        producer.feed(5)
        ctx.realm.down()
        try:
            producer.feed(2)
        finally:
            ctx.realm.up()
        producer.feed(5)
        text = producer.end()
    got = klamm.run(*ctx.alice(), "consume", "krb-renewed", "-o", "start", "-e").decode()
    equal(got, "".join(producer.lines), "records")
    assert text.count("has a ticket for") >= 2, text[-3000:]
    assert text.count("authenticated again") >= 2, text[-3000:]


# --- others' clients ---

@test("Java's console producer and consumer come in with their own file")
def java(ctx):
    klamm.run(*ctx.alice(), "topic", "create", "krb-java")
    with tempfile.TemporaryDirectory() as folder:
        file = kerberos.properties(folder, ctx.realm.keytab("alice"))
        ctx.realm.write_config("krb5-java.conf", ctx.realm.port)
        opts = f"-Djava.security.krb5.conf={ctx.realm.file('krb5.conf')}"
        with kerberos.environ(JAVA_TOOL_OPTIONS=opts):
            peers.harness("tool-at", ctx.at, JAVA, "producer", "--topic", "krb-java",
                          "--command-config", file, stdin=b"a\nb\nc\n")
            got = peers.harness("tool-at", ctx.at, JAVA, "consumer", "--topic", "krb-java",
                                "--command-config", file, "--from-beginning",
                                "--max-messages", "3", "--timeout-ms", "20000")
    equal(got.split(), [b"a", b"b", b"c"], "records")


@test("librdkafka comes in, with Cyrus SASL and kinit")
def librdkafka(ctx):
    klamm.run(*ctx.alice(), "topic", "create", "krb-kcat")
    there = [word for pair in (
        "security.protocol=SASL_PLAINTEXT", "sasl.mechanisms=GSSAPI",
        f"sasl.kerberos.keytab={ctx.realm.keytab('bob')}",
        f"sasl.kerberos.principal=bob@{kerberos.NAME}") for word in ("-X", pair)]
    count = len(ctx.entered())
    with kerberos.environ(KRB5CCNAME=ctx.realm.file("kcat")):
        peers.kcat(ctx.at, *there, "-P", "-t", "krb-kcat", stdin=b"a\nb\n")
        got = peers.kcat(ctx.at, *there, "-C", "-t", "krb-kcat", "-e", "-q")
    equal(got, b"a\nb\n", "records")
    equal(set(ctx.entered()[count:]), {"bob"}, "who came in")


PYTHON = """
import sys, kafka
at, = sys.argv[1:]
there = dict(bootstrap_servers=at, security_protocol="SASL_PLAINTEXT",
             sasl_mechanism="GSSAPI", sasl_kerberos_service_name="kafka")
producer = kafka.KafkaProducer(**there)
for word in b"a", b"b":
    producer.send("krb-python", word).get(20)
producer.close()
consumer = kafka.KafkaConsumer("krb-python", auto_offset_reset="earliest", group_id=None,
                               consumer_timeout_ms=20000, **there)
print(*(next(consumer).value.decode() for _ in range(2)))
"""


@test("kafka-python comes in, with python-gssapi")
def kafka_python(ctx):
    klamm.run(*ctx.alice(), "topic", "create", "krb-python")
    cache = ctx.realm.file("python")
    ctx.realm.tool("kinit", "-c", cache, "-k", "-t", ctx.realm.keytab("bob"), "bob")
    here = os.path.dirname(os.path.dirname(peers.kafka.__file__))
    done = subprocess.run(
        [SYSTEM_PYTHON, "-c", PYTHON, ctx.at], capture_output=True, text=True, timeout=60,
        check=False, env={**os.environ, "KRB5CCNAME": cache, "PYTHONPATH": here})
    equal(done.stdout, "a b\n", f"records ({done.stderr[-1000:]})")


@test("hostile peers are refused: wrong layers, wrapped messages of wrong size, no end")
def hostile(ctx):
    subprocess.run(["make", "-s", "-C", klamm.BUILD, "tests/unit/plugins/test_plugins"],
                   check=True, stdout=subprocess.DEVNULL)
    done = subprocess.run(
        [os.path.join(klamm.BUILD, "tests/unit/plugins/test_plugins")],
        env={**os.environ, "KLAMM_TEST_KEYTAB": ctx.realm.keytab("kafka"),
             "KLAMM_TEST_CLIENT_KEYTAB": ctx.realm.keytab("alice"),
             "CK_RUN_SUITE": "sasl_gssapi_kdc"},
        capture_output=True, text=True, timeout=120, check=False)
    bad = [line for line in done.stdout.splitlines() if line.startswith("not ok")]
    assert done.returncode == 0 and not bad, "\n".join(bad) or done.stderr
    assert done.stdout.count("\nok ") > 5, done.stdout

