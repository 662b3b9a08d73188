"""OAUTHBEARER against real brokers: unsecured and signed tokens, and a token server by others."""
import contextlib
import json
import os
import socket
import subprocess
import tempfile
import time
import urllib.request

import klamm
import peers
import test_sasl
from frame import equal, test

JAVA = "org.apache.kafka.common.security.oauthbearer."
POM = os.path.join(peers.HERE, "oauth2", "pom.xml")
SERVER = "no.nav.security.mock.oauth2.StandaloneMockOAuth2ServerKt"
# What the OAUTH listener of the harness asks for.
CLAIMS = {"sub": "alice", "aud": ["kafka"], "iss": "kafka-test"}


def properties(folder, options="", **keys):
    """The file of a Java client; options of its login module."""
    path = os.path.join(folder, "oauth.properties")
    with open(path, "w", encoding="utf-8") as file:
        file.write("security.protocol=SASL_PLAINTEXT\nsasl.mechanism=OAUTHBEARER\n"
                   f"sasl.jaas.config={JAVA}OAuthBearerLoginModule required {options};\n")
        for key, value in keys.items():
            file.write(f"{key.replace('_', '.')}={value}\n")
    return path


def unsecured(folder, user="alice"):
    return properties(folder, f'unsecuredLoginStringClaim_sub="{user}" \\\n'
                              '    extension_traceId="a b,c"')


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


@contextlib.contextmanager
def token_server(expiry_s=60):
    """mock-oauth2-server, whose tokens are alice's; its port."""
    class_path = os.path.join(klamm.BUILD, "oauth2-server.cp")
    if not os.path.exists(class_path):
        subprocess.run(["mvn", "-B", "-q", "-f", POM, "dependency:build-classpath",
                        f"-Dmdep.outputFile={class_path}.new"], check=True,
                       stdout=subprocess.DEVNULL)
        os.rename(class_path + ".new", class_path)
    with open(class_path, encoding="ascii") as file:
        jars = file.read().strip()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    config = {"interactiveLogin": False, "tokenCallbacks": [{
        "issuerId": "kafka", "tokenExpiry": expiry_s,
        "requestMappings": [{"requestParam": "grant_type", "match": "*", "claims": CLAIMS}]}]}
    with subprocess.Popen(
            ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", jars, SERVER],
            env={**os.environ, "SERVER_PORT": str(port), "JSON_CONFIG": json.dumps(config)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"http://127.0.0.1:{port}/isalive", timeout=5).close()
                    break
                except OSError:
                    time.sleep(0.1)
            yield port
        finally:
            process.kill()


def jwks(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/kafka/jwks", timeout=5) as answer:
        return json.load(answer)["keys"]


def secret_of(folder, port):
    return properties(folder, 'clientId="me" clientSecret="hush"  scope="kafka"',
                      sasl_oauthbearer_token_endpoint_url=f"http://127.0.0.1:{port}/kafka/token")


def bearer_of(folder, port):
    key = os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", key], check=True, capture_output=True)
    return properties(
        folder, sasl_oauthbearer_token_endpoint_url=f"http://127.0.0.1:{port}/kafka/token",
        sasl_oauthbearer_jwt_retriever_class=JAVA + "JwtBearerJwtRetriever",
        sasl_oauthbearer_assertion_algorithm="ES256",
        sasl_oauthbearer_assertion_private_key_file=key,
        sasl_oauthbearer_assertion_claim_iss="me", sasl_oauthbearer_assertion_claim_sub="me",
        sasl_oauthbearer_assertion_claim_aud="kafka",
        sasl_oauthbearer_assertion_claim_jti_include="true")


@test("tokens of a token server, for a password and for an assertion", since="3.1")
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
        text = klamm.run("-F", secret_of(folder, 1), "-b", ctx.oauth, "--timeout", "2s", "topic",
                         "list", status=3).decode()
        assert "http://127.0.0.1:1: cannot connect: Connection refused" in text, text
