"""GSSAPI against real brokers and their KDC. What needs no real broker is in
test_kerberos.py."""
import os
import re
import subprocess
import tempfile
import threading
import time

import kerberos
import klamm
from frame import equal, parts, test

VERSIONS = ("4.4.0", "3.9.2", "2.8.2", "0.10.2.2")
CONFIG = ("connections.max.reauth.ms=5000",)
REALM = "KAFKA.TEST"


def keytab(ctx, user="alice"):
    return os.path.join(ctx.secrets, f"{user}.keytab")


def there(ctx, *more):
    return (*kerberos.options(keytab(ctx), *more), "-b", ctx.sasl)


def trip(ctx, topic, at, *more):
    lines = "".join(f"record {i}\n" for i in range(10000)).encode()
    with kerberos.environ(KRB5_CONFIG=ctx.krb5_conf), tempfile.TemporaryDirectory() as folder:
        java = ("-F", kerberos.properties(folder, keytab(ctx), realm=REALM), *more, "-b", at)
        if parts(ctx.version) >= (0, 11):
            klamm.run(*java, "topic", "create", topic)
        klamm.run(*java, "produce", topic, stdin=lines)
        got = klamm.run(*java, "consume", topic, "-o", "start", "-e")
    equal(got, lines, "records")


@test("10,000 records out and in, with a Java client's file")
def round_trip(ctx):
    trip(ctx, "gssapi-trip", ctx.sasl)


@test("10,000 records out and in through TLS", since=VERSIONS[0])
def through_tls(ctx):
    trip(ctx, "gssapi-tls", ctx.env["SASL_SSL"], "-X", "security.protocol=SASL_SSL", "-X",
         f"ssl.ca.location={os.path.join(ctx.secrets, 'ca.pem')}")


@test("a wrong service, key or KDC is told once, with host, stage and reason")
def refused(ctx):
    with tempfile.TemporaryDirectory() as folder:
        wrong, down = os.path.join(folder, "keytab"), os.path.join(folder, "krb5.conf")
        with open(ctx.krb5_conf, encoding="ascii") as file:
            conf = file.read()
        with open(down, "w", encoding="ascii") as file:
            file.write(re.sub(r"kdc = .*", f"kdc = 127.0.0.1:{kerberos.free_port()}", conf))
        subprocess.run(["ktutil"], input=(
            f"addent -password -p alice@{REALM} -k 1 -e aes256-cts\nwrong\nwkt {wrong}\n"),
            text=True, check=True, capture_output=True)
        for krb5_conf, pair, words in (
                (ctx.krb5_conf, "sasl.kerberos.service.name=other", "other/localhost@"),
                (ctx.krb5_conf, f"sasl.kerberos.keytab={wrong}", "write the keytab anew"),
                (down, "client.id=x", "Cannot contact any KDC")):
            start = time.monotonic()
            with kerberos.environ(KRB5_CONFIG=krb5_conf):
                text = klamm.run(*there(ctx, pair), "topic", "list", status=3).decode()
            assert time.monotonic() - start < 5, "late"
            equal(text.count("\n"), 1, f"lines of {text}")
            for word in "127.0.0.1:", "SASL GSSAPI: ", words:
                assert word in text, f"no \"{word}\" in: {text}"


# KIP-368
@test("sessions and tickets are renewed under load, and nothing is lost", since=VERSIONS[0])
def renewed(ctx):
    with kerberos.environ(KRB5_CONFIG=ctx.krb5_conf):
        klamm.run(*there(ctx), "topic", "create", "gssapi-renewed")
    with tempfile.TemporaryDirectory() as folder:
        short = os.path.join(folder, "krb5.conf")
        with open(ctx.krb5_conf, encoding="ascii") as file:
            conf = file.read()
        with open(short, "w", encoding="ascii") as file:
            file.write(conf.replace("ticket_lifetime = 1h", "ticket_lifetime = 6s"))
        with kerberos.environ(KRB5_CONFIG=short), subprocess.Popen(
                [klamm.PROGRAM, *there(ctx, "sasl.kerberos.min.time.before.relogin=1000"),
                 "-q", "-vv", "produce", "gssapi-renewed"],
                stdin=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            log = []
            reader = threading.Thread(target=lambda: log.extend(process.stderr))
            reader.start()
            for i in range(10000):
                process.stdin.write(b"%d\n" % i)
                if i % 80 == 0:
                    process.stdin.flush()
                    time.sleep(0.1)
            process.stdin.close()
            equal(process.wait(60), 0, f"exit status, {log[-3:]}")
            reader.join()
    with kerberos.environ(KRB5_CONFIG=ctx.krb5_conf):
        got = klamm.run(*there(ctx), "consume", "gssapi-renewed", "-o", "start", "-e")
    equal(got.split(), [b"%d" % i for i in range(10000)], "records")
    text = b"".join(log).decode()
    assert text.count("authenticated again") >= 2, text[-2000:]
    assert text.count("has a ticket for") >= 3, text[-2000:]
