"""What does not fit, at every kind of real broker: told once and soon, with host, stage and
reason, after one connection."""
import os
import re
import subprocess
import tempfile
import time

import amazon
import certificates
import clients
import kerberos
import library
import peers
import ports
from certificates import options, secret
from door import Door
from frame import parts, test
from refusal import refused

WRONG = "hunter2"


@test("a wrong password or user")
def passwords(ctx):
    said = {"plain": "Authentication failed: Invalid username or password",
            "scram-sha-256": "Authentication failed during authentication due to invalid "
                             "credentials with SASL mechanism SCRAM-SHA-256",
            "scram-sha-512": "Authentication failed during authentication due to invalid "
                             "credentials with SASL mechanism SCRAM-SHA-512"}
    for name, text in said.items():
        for listener in clients.BOTH:
            with clients.client(ctx, name, listener) as (path, at):
                if parts(ctx.version) >= (1, 0):
                    words, connections = f"the broker says: {text}", 1
                else:  # it says nothing, as one that goes away: klamm tries once more
                    words, connections = "as one before Kafka 1.0 does", 2
                pairs = (f"sasl.password={WRONG}", "sasl.username=nobody")
                for pair in pairs if listener == "SASL_PLAINTEXT" else pairs[:1]:
                    refused(at, f"SASL {name.upper()}", (words,), "-F", path, "-X", pair,
                            secrets=(WRONG,), connections=connections)


@test("a wrong service, a wrong keytab, a KDC that is away")
def tickets(ctx):
    with clients.client(ctx, "gssapi", "SASL_PLAINTEXT") as (path, at), \
            tempfile.TemporaryDirectory() as folder:
        wrong, down = os.path.join(folder, "keytab"), os.path.join(folder, "krb5.conf")
        with open(ctx.krb5_conf, encoding="ascii") as file:
            conf = file.read()
        with open(down, "w", encoding="ascii") as file:
            file.write(re.sub(r"kdc = .*", f"kdc = 127.0.0.1:{ports.free()}", conf))
        subprocess.run(["ktutil"], input=(
            "addent -password -p alice@KAFKA.TEST -k 1 -e aes256-cts\nwrong\n"
            f"wkt {wrong}\n"), text=True, check=True, capture_output=True)
        for krb5_conf, pair, words in (
                (ctx.krb5_conf, "sasl.kerberos.service.name=other", "other/localhost@"),
                (ctx.krb5_conf, f"sasl.kerberos.keytab={wrong}", "write the keytab anew"),
                (down, "client.id=x", "Cannot contact any KDC")):
            with kerberos.environ(KRB5_CONFIG=krb5_conf):
                refused(at, "SASL GSSAPI", (words,), "-F", path, "-X", pair)


@test("a token that is unsecured, of somebody else, expired", since="3.1")
def bad_tokens(ctx):
    no = 'the broker says: {"status":"invalid_token"}'
    with tempfile.TemporaryDirectory() as folder:
        path = clients.write(ctx, folder, "oauthbearer-file", "OAUTH")
        token = os.path.join(folder, "token")
        clients.token(ctx, folder, "alice")
        with open(token, encoding="ascii") as file:
            good = file.read().strip()
        for words, args in (((no,), ("alice", "unsecured")), ((no,), None),
                            (("no token from the token's file: the token expired 9", " s ago"),
                             ("alice", -900))):
            if args:
                clients.token(ctx, folder, *args)
            else:
                with open(token, "w", encoding="ascii") as file:
                    file.write(good[:-4] + "AAAA\n")
            refused(ctx.oauth, "SASL OAUTHBEARER", words, "-F", path)


@test("a wrong secret of Amazon's", since="2.0")
def access_keys(ctx):
    for name, mechanism, words in (
            ("aws-msk-iam", "AWS_MSK_IAM", ": Access denied: the signature is another"),
            ("aws-oauthbearer", "OAUTHBEARER", '{"status":"invalid_token"}')):
        with clients.client(ctx, name, "IAM") as (path, at), \
                amazon.environment(secret=WRONG):
            refused(at, f"SASL {mechanism}", ("the broker says: ", words), "-F", path,
                    secrets=(WRONG,))


@test("a broker of somebody else, or by another name")
def brokers(ctx):
    trusting = options(f"ssl.ca.location={secret(ctx, 'ca.pem')}")
    foreign = options(f"ssl.ca.location={secret(ctx, 'other-ca.pem')}")
    for listener in "SSL", "SASL_SSL":
        at = ctx.env[listener]
        there = options(f"security.protocol={listener}", "sasl.mechanism=PLAIN",
                        "sasl.username=alice", "sasl.password=alice-secret")
        # The same address, written so that no certificate has it.
        refused(at, "TLS", ("and not for 127.1",), *there, *trusting, host="127.1")
        refused(at, "TLS", ("it is not in ssl.ca.location",), *there, *foreign)


@test("a client's certificate that is missing, of somebody else, expired")
def own(ctx):
    at = clients.address(ctx, "MTLS")
    trusting = options("security.protocol=SSL", f"ssl.ca.location={secret(ctx, 'ca.pem')}")
    with tempfile.TemporaryDirectory() as folder:
        expired = certificates.issue(ctx, folder, "expired", "ca", days=0)
        time.sleep(1.1)
        words = ("it does not take this client's certificate"
                 if parts(ctx.version) >= (0, 11) else "the handshake failed: ")
        for name in secret(ctx, "other-client"), expired:
            refused(at, "TLS", (words,), *trusting,
                    *options(f"ssl.certificate.location={name}.pem",
                             f"ssl.key.location={name}.key"))
    if parts(ctx.version) >= (0, 11):
        refused(at, "TLS", ("it wants a certificate from this client",), *trusting)


@test("a broker's certificate that was revoked; lists that are late, or of others")
def revoked(ctx):
    at = ctx.env["SSL"]
    trusting = options("security.protocol=SSL", f"ssl.ca.location={secret(ctx, 'ca.pem')}")
    with tempfile.TemporaryDirectory() as folder:
        def revoking(*args, **more):
            return options(f"ssl.crl.location={certificates.revoke(ctx, folder, *args, **more)}")

        certificates.works(at, *trusting, *revoking("ca"))
        refused(at, "TLS", ("was revoked (ssl.crl.location)",), *trusting,
                *revoking("ca", "server"))
        no_list = ("ssl.crl.location has no current list",)
        refused(at, "TLS", no_list, *trusting, *revoking("other-ca"))
        refused(at, "TLS", no_list, *trusting, *revoking("ca", late=True))


@test("an application that goes on asking is told once, and connects ever less often")
def storm(ctx):
    """Reconnects double their pause, from 50 ms to a second, with a fifth of chance."""
    wrong = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
             "sasl.username": "alice", "sasl.password": WRONG}
    seconds, failed = 6, 0
    with Door(ctx.sasl) as door:
        client = library.Consumer(door.at, **wrong)
        client.assign(("storm", 0))
        start = time.monotonic()
        while (took := time.monotonic() - start) < seconds or \
                (took < 60 and (door.connections < 3 or failed < 1)):  # the machine is busy
            try:
                client.poll(50)
            except library.Failed as error:
                assert error.name.endswith(("AUTHENTICATION", "AUTHENTICATION_FAILED")), error
                failed += 1
                time.sleep(0.01)
        client.close()
        took = time.monotonic() - start
    print(f"# {door.connections} connections in {took:.0f} s", flush=True)
    limit = 6 + took / 0.8  # so many have pauses of less than a second
    assert 3 <= door.connections <= limit, f"{door.connections} connections"
    assert failed == 1, f"told {failed} times"
