"""AWS_MSK_IAM: klamm's proofs are those of Amazon's own signers, and klamm's broker takes
those of others."""
import base64
import datetime
import json
import os
import subprocess
import tempfile
import time
import unittest.mock
import urllib.parse

import botocore.auth
import botocore.credentials
import kafka.net.sasl
import kafka.net.sasl.msk
import kafka.net.sasl.oauth
from aws_msk_iam_sasl_signer import MSKAuthTokenProvider

import klamm
import peers
import records
import refusal
from amazon import KEY_ID, REGION, SECRET, TOKENS, environment, jar
from frame import each, equal, same, test
from peers import KafkaPython
from test_broker import JAVA

# Of a Java client, as it is.
PROPERTIES = """security.protocol=SASL_PLAINTEXT
sasl.mechanism=AWS_MSK_IAM
sasl.jaas.config=software.amazon.msk.auth.iam.IAMLoginModule required;
sasl.client.callback.handler.class=software.amazon.msk.auth.iam.IAMClientCallbackHandler
"""


def signed(token, user_agent, seconds):
    """What klamm would send at that time: the message, and the token."""
    subprocess.run(["make", "-s", "-C", klamm.BUILD, "tests/unit/aws/sign"], check=True,
                   stdout=subprocess.DEVNULL)
    out = subprocess.run(
        [os.path.join(klamm.BUILD, "tests/unit/aws/sign"), KEY_ID, SECRET, token, REGION,
         "b-1.example.com", user_agent, str(seconds)],
        stdout=subprocess.PIPE, check=True).stdout.decode()
    return out.splitlines()


def java(*args):
    """stdout of AwsIam.java, with Amazon's library in the class path."""
    with open(peers.harness("fetch", JAVA).decode().strip(), encoding="utf-8") as file:
        classpath = file.read().strip()
    done = subprocess.run(
        ["java", "-Xmx256m", "-XX:TieredStopAtLevel=1",
         "-Dorg.slf4j.simpleLogger.defaultLogLevel=error", "-cp", f"{jar()}:{classpath}",
         os.path.join(peers.HERE, "AwsIam.java"), *args],
        capture_output=True, timeout=120, check=False)
    if done.returncode != 0:
        raise AssertionError(done.stderr.decode(errors="replace")[-2000:])
    return done.stdout.decode().splitlines()


@each("the token is that of Amazon's signer for Python: {}", range(len(TOKENS)))
def python_signer(_, i):
    class Provider(botocore.credentials.CredentialProvider):
        def load(self):
            return botocore.credentials.Credentials(KEY_ID, SECRET, TOKENS[i] or None)

    seconds = 1629321911
    now = datetime.datetime.fromtimestamp(seconds, datetime.timezone.utc)
    with unittest.mock.patch.object(botocore.auth, "get_current_datetime", lambda: now):
        want, expires_ms = MSKAuthTokenProvider.generate_auth_token_from_credentials_provider(
            REGION, Provider(None))
    equal(expires_ms, (seconds + 900) * 1000, "expiry")
    user_agent = getattr(MSKAuthTokenProvider, "__get_user_agent__")()
    equal(signed(TOKENS[i], user_agent, seconds)[1], want, "token")


def parameters(token):
    """Of the URL that a token is; Java's library puts them in another order."""
    url = urllib.parse.urlsplit(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    return url.netloc, dict(urllib.parse.parse_qsl(url.query, strict_parsing=True))


@each("message and token are those of Amazon's library for Java: {}", range(len(TOKENS)))
def java_signer(_, i):
    with environment(TOKENS[i]):
        message, token = java("sign", "b-1.example.com")
    want = json.loads(message)
    host, query = parameters(token)

    def at(text):
        when = datetime.datetime.strptime(text, "%Y%m%dT%H%M%SZ")
        return int(when.replace(tzinfo=datetime.timezone.utc).timestamp())

    got = signed(TOKENS[i], want["user-agent"], at(want["x-amz-date"]))[0]
    equal(json.loads(got), want, "message")
    got = signed(TOKENS[i], query[b"User-Agent"].decode(),
                 at(query[b"X-Amz-Date"].decode()))[1]
    equal(parameters(got), (host, query), "token")


class Broker:
    """One that wants AWS_MSK_IAM."""

    def __enter__(self):
        self.folder = tempfile.TemporaryDirectory()
        users = os.path.join(self.folder.name, "users")
        self.properties = os.path.join(self.folder.name, "client.properties")
        with open(users, "w", encoding="ascii") as file:
            file.write(f"{KEY_ID} = {SECRET}\n")
        self.running = klamm.broker("--sasl", "AWS_MSK_IAM", "--users", users,
                                    "--reauth-ms", "5000", "-t", "t:1",
                                    "--config", "sasl.aws_msk_iam.hosts=127.0.0.1,localhost")
        at = self.running.__enter__()
        with open(self.properties, "w", encoding="ascii") as file:
            file.write(f"bootstrap.servers={at}\n{PROPERTIES}")
        return at, self.properties

    def __exit__(self, *error):
        self.folder.cleanup()
        return self.running.__exit__(*error)


class OverPlaintext(kafka.net.sasl.msk.SaslMechanismAwsMskIam):
    """kafka-python's own, which wants TLS, on a listener without."""

    def __init__(self, **config):
        super().__init__(**{**config, "security_protocol": "SASL_SSL"})


@test("kafka-python says who it is: AWS_MSK_IAM")
def kafka_python(_):
    kafka.net.sasl.register_sasl_mechanism("AWS_MSK_IAM", OverPlaintext, overwrite=True)
    good = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "AWS_MSK_IAM"}
    with environment(), Broker() as (at, _file):
        want = records.samples(1, KafkaPython.all_nulls)
        KafkaPython.produce(at, "t", want, **good)
        same(KafkaPython.consume(at, "t", **good), want, "AWS_MSK_IAM")


class Tokens(kafka.net.sasl.oauth.AbstractTokenProvider):
    """Amazon's signer for Python."""

    def token(self):
        return MSKAuthTokenProvider.generate_auth_token(REGION)[0]


@test("tokens of OAUTHBEARER: Amazon's signer for Python, and klamm's")
def tokens_of_msk(_):
    with tempfile.TemporaryDirectory() as folder:
        users = os.path.join(folder, "users")
        with open(users, "w", encoding="ascii") as file:
            file.write(f"{KEY_ID} = {SECRET}\n")
        good = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER",
                "sasl_oauth_token_provider": Tokens()}
        ours = ("-X", "security.protocol=SASL_PLAINTEXT", "-X", "sasl.mechanism=OAUTHBEARER",
                "-X", "sasl.oauthbearer.metadata.authentication.type=aws_iam")
        with klamm.broker("--sasl", "OAUTHBEARER", "--users", users, "-t", "t:1", "--config",
                          "sasl.oauthbearer.metadata.authentication.type=aws_iam") as at:
            for token in TOKENS:
                with environment(token):
                    want = records.samples(1, KafkaPython.all_nulls)
                    topic = "with" if token else "without"
                    KafkaPython.produce(at, topic, want, **good)
                    same(KafkaPython.consume(at, topic, **good), want, "kafka-python")
                    klamm.run(*ours, "-b", at, "topic", "list")
            with environment(secret="wrong"):
                text = klamm.run(*ours, "-b", at, "topic", "list", status=3).decode()
                assert '{"status":"invalid_token"}' in text, text


@test("Java says who it is: AWS_MSK_IAM")
def java_logs_in(_):
    with Broker() as (_at, properties):
        with environment(TOKENS[1]):
            equal(java("talk", properties, "t"), ["[t]", "one", "two"], "records")
        with environment(secret="wrong"):
            try:
                java("talk", properties, "t")
            except AssertionError as error:
                assert "Access denied: the access key is not known here" in str(error), error
                return
        raise AssertionError("a wrong secret is let in")


@test("klamm says who it is: AWS_MSK_IAM, with Java's file")
def klamm_logs_in(_):
    lines = b"".join(b"%d\n" % i for i in range(10000))
    with Broker() as (at, properties):
        there = ("-q", "-F", properties, "-b", at)
        with environment(TOKENS[1]):
            klamm.run(*there, "produce", "t", stdin=lines)
            equal(klamm.run(*there, "consume", "t", "-o", "start", "-e"), lines, "records")
        with environment(secret="wrong"):
            start = time.monotonic()
            text = klamm.run(*there, "topic", "list", status=3).decode()
        assert time.monotonic() - start < refusal.SECONDS
        for word in ("127.0.0.1:", "SASL AWS_MSK_IAM: the broker says: [", "]: Access denied"):
            assert word in text, text
        equal(text.count("Access denied"), 1, "refusals")
