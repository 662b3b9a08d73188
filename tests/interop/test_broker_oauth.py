"""Foreign clients that show tokens to klamm's own broker."""
import json
import os
import tempfile
import unittest.mock
import urllib.parse
import urllib.request

import kafka.net.sasl.oauth

import klamm
import peers
import records
import tokens
from frame import same, test
from peers import Confluent, KafkaPython
from test_broker import JAVA

UNSECURED = ("--sasl", "OAUTHBEARER", "--config", "enable.sasl.oauthbearer.unsecure.jwt=true",
             "--reauth-ms", "5000")


def believes(port, jwks=None):
    """Options of a broker that believes the tokens of a token server; jwks: its keys' file."""
    keys = {"jwks.endpoint.url": jwks or f"http://127.0.0.1:{port}/kafka/jwks",
            "expected.audience": "kafka", "expected.issuer": "kafka-test"}
    return ("--sasl", "OAUTHBEARER",
            *(word for key, value in keys.items()
              for word in ("--config", f"sasl.oauthbearer.{key}={value}")))


class Provider(kafka.net.sasl.oauth.AbstractTokenProvider):
    """Of kafka-python: asks the token server."""

    def __init__(self, port):
        super().__init__()
        self.port = port

    def token(self):
        form = urllib.parse.urlencode({"grant_type": "client_credentials", "client_id": "me",
                                       "client_secret": "hush"}).encode()
        url = f"http://127.0.0.1:{self.port}/kafka/token"
        with urllib.request.urlopen(url, form, timeout=60) as answer:
            return json.load(answer)["access_token"]

    def extensions(self):
        return {"traceId": "abc"}


@test("tokens of a token server at klamm broker: klamm, kafka-python, librdkafka")
def tokens_of_a_server(_):
    with tokens.token_server() as port, klamm.broker(*believes(port)) as at, \
            tempfile.TemporaryDirectory() as folder:
        for make in (tokens.secret_of, tokens.bearer_of):
            klamm.run("-F", make(folder, port), "-b", at, "topic", "list")
        options = {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER",
                   "sasl_oauth_token_provider": Provider(port)}
        want = records.samples(1, KafkaPython.all_nulls)
        KafkaPython.produce(at, "python", want, **options)
        same(KafkaPython.consume(at, "python", **options), want, "kafka-python")
        options = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER",
                   "sasl.oauthbearer.method": "oidc", "sasl.oauthbearer.client.id": "me",
                   "sasl.oauthbearer.client.secret": "hush",
                   "sasl.oauthbearer.token.endpoint.url": f"http://127.0.0.1:{port}/kafka/token"}
        want = records.samples(1, Confluent.all_nulls)
        Confluent.produce(at, "rdkafka", want, **options)
        same(Confluent.consume(at, "rdkafka", **options), want, "librdkafka")
        # Somebody else's token
        path = tokens.unsecured(folder)
        text = klamm.run("-F", path, "-b", at, "topic", "list", status=3).decode()
        assert '{"status":"invalid_token"}' in text, text


def java_there_and_back(at, topic, path):
    peers.harness("tool-at", at, JAVA, "producer", "--topic", topic,
                  "--producer.config", path, stdin=b"one\ntwo\n")
    got = peers.harness("tool-at", at, JAVA, "consumer", "--topic", topic,
                        "--from-beginning", "--max-messages", 2, "--timeout-ms", 30000,
                        "--consumer.config", path).decode()
    assert sorted(got.split()[-2:]) == ["one", "two"], got


@test("tokens of a token server at klamm broker: Java's OIDC login, keys of a URL and a file")
def tokens_of_java(_):
    with tokens.token_server() as port, tempfile.TemporaryDirectory() as folder:
        path = tokens.login_of(folder, port)
        jwks = os.path.join(folder, "jwks.json")
        with open(jwks, "w", encoding="ascii") as file:
            json.dump({"keys": tokens.jwks(port)}, file)
        allowed = ("-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls="
                   f"http://127.0.0.1:{port}/kafka/token")
        with unittest.mock.patch.dict(os.environ, {"JAVA_TOOL_OPTIONS": allowed}):
            with klamm.broker(*believes(port), "--reauth-ms", "5000") as at:
                java_there_and_back(at, "java-url", path)
            with klamm.broker(*believes(port, f"file://{jwks}")) as at:
                java_there_and_back(at, "java-file", path)
                klamm.run("-F", path, "-b", at, "topic", "list")


@test("unsecured tokens at klamm broker: librdkafka, Java, and a refusal")
def unsecured_tokens(_):
    with klamm.broker(*UNSECURED) as at, tempfile.TemporaryDirectory() as folder:
        options = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER",
                   "enable.sasl.oauthbearer.unsecure.jwt": "true",
                   "sasl.oauthbearer.config": "principal=alice extension_traceId=abc"}
        want = records.samples(1, Confluent.all_nulls)
        Confluent.produce(at, "rdkafka", want, **options)
        same(Confluent.consume(at, "rdkafka", **options), want, "librdkafka")
        java_there_and_back(at, "java", tokens.unsecured(folder))
    with klamm.broker("--sasl", "OAUTHBEARER", "--config",
                      "sasl.oauthbearer.jwks.endpoint.url=file:///nowhere") as at, \
            tempfile.TemporaryDirectory() as folder:
        try:
            peers.harness("tool-at", at, JAVA, "topics", "--list", "--command-config",
                          tokens.unsecured(folder))
        except AssertionError as error:
            assert '{"status":"invalid_token"}' in str(error), error
            return
        raise AssertionError("a token that nobody has signed is taken")
