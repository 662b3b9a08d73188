"""The checks of ./smoke, which starts the cluster and sets the environment."""
import os
import re
import subprocess
import sys
import time
import uuid

from confluent_kafka import Consumer, Producer, TopicPartition

env = os.environ
version = tuple(int(x) for x in env["KAFKA_VERSION"].split("."))
secrets = env["KAFKA_SECRETS"]
has_acl = version >= (0, 10)
# Before 1.0 a topic that may not be seen is simply unknown, so the client waits in vain.
denied = "authoriz" if version >= (1, 0) else "authoriz|timed out"
passed = failed = 0


def check(name, ok, detail=""):
    global passed, failed
    passed, failed = passed + ok, failed + (not ok)
    print(f"{'ok' if ok else 'FAIL'}  {name}  {detail}".rstrip(), flush=True)


def attempt(conf):
    """Moves one record to the topic and back: None, or what went wrong."""
    errors = []
    conf = {**conf, "log_level": 0, "error_cb": lambda e: errors.append(str(e)),
            "message.timeout.ms": 8000}
    if version < (0, 10):
        conf["api.version.request"] = False
        conf["broker.version.fallback"] = ".".join(map(str, version))
    done = []
    body = uuid.uuid4().hex.encode()
    producer = Producer(conf)
    producer.produce("smoke", body, partition=0, on_delivery=lambda e, m: done.append((e, m)))
    end = time.time() + 10
    while not done and time.time() < end:
        producer.poll(0.1)
        if any(re.search("uthentication|SSL handshake|certificate", e) for e in errors):
            return errors[0]
    if not done:
        return "; ".join(errors) or "timed out"
    error, message = done[0]
    if error:
        return "; ".join(errors + [str(error)])
    conf.pop("message.timeout.ms")
    consumer = Consumer({**conf, "group.id": "none", "enable.auto.commit": False})
    consumer.assign([TopicPartition("smoke", 0, message.offset())])
    got = consumer.poll(10)
    consumer.close()
    if got is None or got.error() or got.value() != body:
        return f"consumed {got and (got.error() or got.value())}"
    return None


def works(name, conf):
    error = attempt(conf)
    check(name, error is None, error or "")


def refused(name, conf, pattern):
    error = attempt(conf)
    text = re.sub(r"^.*?\]: *", "", error or "no error")[:150]
    check(name + " is refused", bool(error and re.search(pattern, error)), text)


def check_plain_and_tls():
    ssl = {"security.protocol": "SSL", "ssl.ca.location": env["KAFKA_CA"]}
    cert = {"ssl.certificate.location": env["KAFKA_CLIENT_CERT"],
            "ssl.key.location": env["KAFKA_CLIENT_KEY"]}
    over_ssl = {"bootstrap.servers": env["KAFKA_SSL"], **ssl}
    plain = {"bootstrap.servers": env["KAFKA_PLAINTEXT"]}
    if has_acl:
        refused("PLAINTEXT as nobody (ACL)", plain, denied)
    else:
        works("PLAINTEXT", plain)
        works("SSL", over_ssl)
    if "KAFKA_MTLS" in env:
        mtls = {"bootstrap.servers": env["KAFKA_MTLS"], **ssl}
        refused("SSL as nobody (ACL)", over_ssl, denied)
        if version >= (2, 4):
            works("SSL with a client certificate", {**mtls, **cert})
            works("SSL with an encrypted client key",
                  {**mtls, **cert, "ssl.key.location": secrets + "/client-encrypted.key",
                   "ssl.key.password": "client-secret"})
        alert = "certificate|alert|Receive failed"
        refused("SSL with no client certificate", mtls, alert)
        refused("SSL with another CA's client certificate",
                {**mtls, "ssl.certificate.location": secrets + "/other-client.pem",
                 "ssl.key.location": secrets + "/other-client.key"}, alert)
    refused("SSL with the wrong CA",
            {**over_ssl, "ssl.ca.location": secrets + "/other-ca.pem"},
            "certificate verify failed")


def check_sasl(listener):
    base = {"bootstrap.servers": env["KAFKA_" + listener], "security.protocol": listener,
            "ssl.ca.location": env["KAFKA_CA"]}
    mechanisms = ["PLAIN"] if has_acl else []
    if version >= (0, 10, 2) and not (3, 3) <= version < (3, 5):
        mechanisms += ["SCRAM-SHA-256", "SCRAM-SHA-512"]
    for mechanism in mechanisms:
        conf = {**base, "sasl.mechanism": mechanism, "sasl.username": "alice"}
        works(f"{listener} {mechanism}", {**conf, "sasl.password": "alice-secret"})
        refused(f"{listener} {mechanism} wrong password", {**conf, "sasl.password": "wrong"},
                "uthentication|Disconnected|credentials|timed out|down")
    if has_acl:
        refused(f"{listener} PLAIN bob (ACL)",
                {**base, "sasl.mechanism": "PLAIN", "sasl.username": "bob",
                 "sasl.password": "bob-secret"}, denied)
    if version >= (2, 0):
        works(f"{listener} OAUTHBEARER, unsecured token",
              {**base, "sasl.mechanism": "OAUTHBEARER",
               "enable.sasl.oauthbearer.unsecure.jwt": True,
               "sasl.oauthbearer.config": "principal=alice"})


def check_oauth():
    def conf(token):
        return {"bootstrap.servers": env["KAFKA_OAUTH"], "security.protocol": "SASL_PLAINTEXT",
                "sasl.mechanism": "OAUTHBEARER",
                "oauth_cb": lambda _: (token, time.time() + 3600)}
    against = "token against the JWKS"
    works(f"OAUTHBEARER, signed {against}", conf(env["TOKEN"]))
    for kind in "EXPIRED", "UNSIGNED":
        refused(f"OAUTHBEARER, {kind.lower()} {against}", conf(env["TOKEN_" + kind]),
                "uthentication|invalid")
    head, body, sig = env["TOKEN"].split(".")
    refused("OAUTHBEARER, a token with a broken signature",
            conf(f"{head}.{body}.{'A' * 8}{sig[8:]}"), "uthentication|invalid")


def kcat(listener, user, keytab):
    """The same by GSSAPI: confluent-kafka's wheel comes without it."""
    conf = {"security.protocol": listener, "ssl.ca.location": env["KAFKA_CA"],
            "sasl.mechanisms": "GSSAPI", "sasl.kerberos.keytab": keytab,
            "sasl.kerberos.principal": f"{user}@KAFKA.TEST"}
    if not has_acl:
        conf["api.version.request"] = "false"
        conf["broker.version.fallback"] = env["KAFKA_VERSION"]
    base = ["timeout", "10", "kcat", "-b", env["KAFKA_" + listener]]
    for key, value in conf.items():
        base += ["-X", f"{key}={value}"]
    body = uuid.uuid4().hex
    cache = {**env, "KRB5CCNAME": f"FILE:{env['KAFKA_DIR']}/ccache-{uuid.uuid4().hex}"}

    def run(args, text=None):
        return subprocess.run(base + args, input=text, env=cache, capture_output=True,
                              text=True)
    out = run(["-P", "-t", "smoke", "-p", "0", "-X", "message.timeout.ms=6000"], body)
    if out.returncode:
        return out.stderr
    out = run(["-C", "-t", "smoke", "-p", "0", "-o", "-1", "-c", "1", "-q"])
    return None if out.stdout.strip() == body else out.stdout + out.stderr


def check_gssapi(listener):
    def first_line(error):
        return (error or "no error").split("\n")[0][:150]
    error = kcat(listener, "alice", secrets + "/alice.keytab")
    check(f"{listener} GSSAPI", error is None, (error or "")[:300])
    error = kcat(listener, "alice", secrets + "/bob.keytab")
    check(f"{listener} GSSAPI with another's keytab gets no ticket",
          bool(error and "kinit" in error), first_line(error))
    if has_acl:
        error = kcat(listener, "bob", secrets + "/bob.keytab")
        check(f"{listener} GSSAPI bob (ACL) is refused",
              bool(error and re.search(denied, error)), first_line(error))


def check_telemetry():
    producer = Producer({"bootstrap.servers": env["KAFKA_SASL_PLAINTEXT"],
                         "security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN",
                         "sasl.username": "alice", "sasl.password": "alice-secret",
                         "client.id": "telemetry-smoke"})
    end = time.time() + 10
    seen = False
    while not seen and time.time() < end:
        producer.produce("smoke", b"x")
        producer.poll(0.2)
        if os.path.exists(env["KAFKA_TELEMETRY"]):
            with open(env["KAFKA_TELEMETRY"], encoding="utf-8") as file:
                seen = "telemetry-smoke" in file.read()
    check("client telemetry (KIP-714) reaches the broker's receiver", seen)


check_plain_and_tls()
for name in "SASL_PLAINTEXT", "SASL_SSL":
    check_sasl(name)
if "KAFKA_OAUTH" in env:
    check_oauth()
for name in "SASL_PLAINTEXT", "SASL_SSL":
    check_gssapi(name)
if "KAFKA_TELEMETRY" in env:
    check_telemetry()
print(f"{passed} passed, {failed} failed, 0 skipped")
sys.exit(failed > 0)
