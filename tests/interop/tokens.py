"""Tokens for tests: files of Java clients that show some, and a token server by others."""
import contextlib
import json
import os
import subprocess
import time
import urllib.request

import klamm
import peers
import ports

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


def await_answer(url, process):
    end = time.monotonic() + 120
    while time.monotonic() < end and process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
            return
        except OSError:
            time.sleep(0.1)
    raise RuntimeError(f"the token server does not start ({process.poll()})")


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
    port = ports.free()
    config = {"interactiveLogin": False, "tokenCallbacks": [{
        "issuerId": "kafka", "tokenExpiry": expiry_s,
        "requestMappings": [{"requestParam": "grant_type", "match": "*", "claims": CLAIMS}]}]}
    with subprocess.Popen(
            ["java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-cp", jars, SERVER],
            env={**os.environ, "SERVER_PORT": str(port), "JSON_CONFIG": json.dumps(config)},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            await_answer(f"http://127.0.0.1:{port}/isalive", process)
            yield port
        finally:
            process.kill()


def jwks(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/kafka/jwks", timeout=60) as answer:
        return json.load(answer)["keys"]


def secret_of(folder, port):
    return properties(folder, 'clientId="me" clientSecret="hush" scope="kafka"',
                      sasl_oauthbearer_token_endpoint_url=f"http://127.0.0.1:{port}/kafka/token")


def login_of(folder, port):
    """As Java's client wants it, which logs in by OIDC with this handler."""
    url = f"http://127.0.0.1:{port}/kafka/token"
    return properties(
        folder, 'clientId="me" clientSecret="hush" scope="kafka"',
        sasl_oauthbearer_token_endpoint_url=url,
        sasl_login_callback_handler_class=JAVA + "OAuthBearerLoginCallbackHandler")


def bearer_of(folder, port):
    key = os.path.join(folder, "key.pem")
    subprocess.run(["openssl", "genpkey", "-algorithm", "EC", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-out", key], check=True, capture_output=True)
    return properties(
        folder, 'clientId="me" clientSecret="hush" scope="kafka"',
        sasl_oauthbearer_token_endpoint_url=f"http://127.0.0.1:{port}/kafka/token",
        sasl_oauthbearer_jwt_retriever_class=JAVA + "JwtBearerJwtRetriever",
        sasl_oauthbearer_assertion_algorithm="ES256",
        sasl_oauthbearer_assertion_private_key_file=key,
        sasl_oauthbearer_assertion_claim_iss="me", sasl_oauthbearer_assertion_claim_sub="me",
        sasl_oauthbearer_assertion_claim_aud="kafka",
        sasl_oauthbearer_assertion_claim_jti_include="true")
