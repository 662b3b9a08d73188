"""OAUTHBEARER against real brokers: unsecured and signed tokens, and a token server by others."""
import json
import os
import tempfile
import time

import klamm
import peers
import test_sasl
from frame import equal, test
from tokens import bearer_of, jwks, properties, secret_of, token_server, unsecured


def token(ctx, *args):
    return peers.harness("token", ctx.cluster, *args).decode().strip()


def of_file(folder, text):
    path = os.path.join(folder, "token")
    with open(path, "w", encoding="ascii") as file:
        file.write(text + "\n")
    return properties(folder, sasl_oauthbearer_token_endpoint_url=f"file://{path}")


def there_and_back(there, topic, count):
    want = [f"record {i}" for i in range(count)]
    klamm.run(*there, "topic", "create", topic, "-p", 3)
    klamm.run(*there, "produce", topic, stdin="".join(f"{line}\n" for line in want).encode())
    got = klamm.run(*there, "consume", topic, "-o", "start", "-e").decode()
    equal(sorted(got.splitlines()), sorted(want), "records")


def refused(at, path, *words):
    """Told once, soon, with the host, and without the token."""
    start = time.monotonic()
    text = klamm.run("-F", path, "-b", at, "topic", "list", status=3).decode()
    took = time.monotonic() - start
    assert took < 5, f"{took:.1f} s"
    equal(text.count("\n"), 1, text)
    for word in (f"{at}: SASL OAUTHBEARER: ", *words):
        assert word in text, text
    assert "eyJ" not in text, text


@test("unsecured tokens: 10,000 records out and in, with a Java client's file", since="2.0")
def oauth_unsecured(ctx):
    with tempfile.TemporaryDirectory() as folder:
        there_and_back(("-F", unsecured(folder), "-b", ctx.sasl), "oauth-unsecured", 10000)


@test("signed tokens of a file: 10,000 records out and in", since="3.1")
def oauth_signed(ctx):
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", of_file(folder, token(ctx, "alice")), "-b", ctx.oauth)
        there_and_back(there, "oauth-signed", 10000)


@test("a token that is not good is told once, with the broker's words", since="3.1")
def oauth_wrong(ctx):
    with tempfile.TemporaryDirectory() as folder:
        no = 'the broker says: {"status":"invalid_token"}'
        refused(ctx.oauth, of_file(folder, token(ctx, "alice", "unsecured")), no)
        good = token(ctx, "alice")
        refused(ctx.oauth, of_file(folder, good[:-4] + "AAAA"), no)
        refused(ctx.oauth, of_file(folder, token(ctx, "alice", -90)),
                "no token from the token's file: the token expired 90 s ago")


@test("OAUTHBEARER sessions are renewed under load, and nothing is lost or told", since="4.0")
def oauth_renewed(ctx):
    with tempfile.TemporaryDirectory() as folder:
        test_sasl.load_and_renew(ctx, unsecured(folder), "oauth-renewed")


# Brokers before 4.1 read their keys once.
@test("tokens of a token server, for a password and for an assertion", since="4.1")
def oauth_server(ctx):
    secrets = [line.split("=", 1)[1] for line in
               peers.harness("env", ctx.cluster).decode().splitlines()
               if line.startswith("KAFKA_SECRETS=")][0]
    with token_server() as port, tempfile.TemporaryDirectory() as folder:
        path = os.path.join(secrets, "jwks.json")
        with open(path, encoding="ascii") as file:
            before = file.read()
        with open(path, "w", encoding="ascii") as file:  # the broker sees that it changed
            json.dump({"keys": json.loads(before)["keys"] + jwks(port)}, file)
        try:
            there_and_back(("-F", secret_of(folder, port), "-b", ctx.oauth),
                           "oauth-secret", 1000)
            there_and_back(("-F", bearer_of(folder, port), "-b", ctx.oauth),
                           "oauth-bearer", 1000)
        finally:
            with open(path, "w", encoding="ascii") as file:
                file.write(before)


@test("a token server that is not there, or says no, is named", since="4.4")
def oauth_no_server(ctx):
    with tempfile.TemporaryDirectory() as folder, token_server() as port:
        path = secret_of(folder, port)
        wrong = klamm.run("-F", path, "-b", ctx.oauth, "-X",
                          "sasl.oauthbearer.grant.type=jwt_bearer", "-X",
                          f"sasl.oauthbearer.assertion.file={path}", "topic", "list",
                          status=3).decode()
        assert f"no token from the token server: http://127.0.0.1:{port}: HTTP status 400" in wrong
        text = klamm.run("-F", secret_of(folder, 1), "-b", ctx.oauth, "-X",
                         "sasl.login.retry.backoff.max.ms=500", "--timeout", "3", "topic",
                         "list", status=3).decode()
        assert "http://127.0.0.1:1: cannot connect: Connection refused" in text, text
