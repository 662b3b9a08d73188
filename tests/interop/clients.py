"""Files of Java clients, clients/NAME.properties, as Kafka's documentation and Amazon's write
them, with the harness's files and ports in the place of theirs; and what else such a client needs.
"""
import contextlib
import json
import os
import subprocess
import tempfile

import amazon
import kerberos
import peers
import tokens
from frame import parts

ALL = "0"
BOTH = ("SASL_PLAINTEXT", "SASL_SSL")
# Of each file: the listeners it is for, by the harness's names, and the first version of brokers.
FILES = {
    "ssl": (("SSL",), ALL),
    "ssl-pkcs12": (("SSL",), ALL),
    "mutual": (("MTLS",), ALL),
    "mutual-pem": (("MTLS",), "2.7"),
    "plain": (BOTH, ALL),
    "scram-sha-256": (BOTH, ALL),
    "scram-sha-512": (BOTH, ALL),
    "gssapi": (BOTH, ALL),
    "gssapi-cache": (BOTH[:1], ALL),
    "oauthbearer": (BOTH, "2.0"),
    "oauthbearer-file": (("OAUTH",), "3.1"),
    # Brokers before 4.1 read their keys once, and not those of the token server.
    "oauthbearer-jaas": (("OAUTH",), "4.1"),
    "oauthbearer-oidc": (("OAUTH",), "4.1"),
    "aws-msk-iam": ((*BOTH, "IAM"), "2.0"),
    "aws-oauthbearer": (("IAM",), "2.0"),
}
PAIRS = [(name, listener, since) for name, (listeners, since) in FILES.items()
         for listener in listeners]
PROTOCOLS = {"MTLS": "SSL", "OAUTH": "SASL_PLAINTEXT", "IAM": "SASL_SSL"}
# The last are how tokens begin: of the harness, of the token server, of Amazon's keys.
SECRETS = ("alice-secret", amazon.SECRET, "client-secret", "server-secret", "$3cr3+",
           "eyJhbGciOi", "eyJraWQiOi", "aHR0cHM6Ly9rYWZrYS")


def address(ctx, listener):
    """Brokers before 0.11 ask for certificates at the listener of all, and take any or none."""
    return ctx.env.get(listener) or ctx.env["SSL"]


def write(ctx, folder, name, listener, **more):
    """The file, filled in; with the lines of TLS where a file of SASL goes through it. more: what
    else is filled in. Its path."""
    path = os.path.join(folder, f"{name}-{listener.lower()}.properties")
    protocol = PROTOCOLS.get(listener, listener)
    secured = "" if parts(ctx.version) >= (4,) else "secured."
    words = {"protocol": protocol, "secrets": ctx.secrets, "folder": folder,
             "oidc": f"org.apache.kafka.common.security.oauthbearer.{secured}", **more}
    text = read(name)
    if protocol == "SASL_SSL":
        text += read("ssl").split("\n", 1)[1]
    for word, value in words.items():
        text = text.replace(f"@{word}@", str(value))
    with open(path, "w", encoding="ascii") as file:
        file.write(text)
    return path


def read(name):
    with open(os.path.join(peers.HERE, "clients", f"{name}.properties"),
              encoding="ascii") as file:
        return file.read()


def believed(ctx):
    """The port of a token server whose tokens the broker believes, as long as that runs."""
    if ctx.token_port is None:
        ctx.token_port = ctx.until_end.enter_context(tokens.token_server())
        path = os.path.join(ctx.secrets, "jwks.json")
        with open(path, encoding="ascii") as file:
            keys = json.load(file)["keys"] + tokens.jwks(ctx.token_port)
        with open(path, "w", encoding="ascii") as file:  # the broker sees that it changed
            json.dump({"keys": keys}, file)
    return ctx.token_port


def token(ctx, folder, *args):
    """A token of the harness, in the file where oauthbearer-file looks for it."""
    with open(os.path.join(folder, "token"), "wb") as file:
        file.write(peers.harness("token", ctx.cluster, *args))


@contextlib.contextmanager
def client(ctx, name, listener):
    """(path of the file, HOST:PORT), with the environment and the servers that it needs: for
    klamm and for Java's tools."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        java, more = [], {}
        if name.startswith("gssapi"):
            java.append(f"-Djava.security.krb5.conf={ctx.krb5_conf}")
            cache = os.path.join(folder, "cache")
            stack.enter_context(kerberos.environ(KRB5_CONFIG=ctx.krb5_conf, KRB5CCNAME=cache))
            if name == "gssapi-cache":
                subprocess.run(["kinit", "-c", cache, "-k", "-t",
                                os.path.join(ctx.secrets, "alice.keytab"), "alice"],
                               check=True, capture_output=True)
        if name.startswith("aws"):
            stack.enter_context(amazon.environment())
            stack.enter_context(kerberos.environ(KAFKA_CLASSPATH=amazon.jar()))
        if name == "oauthbearer-file":
            token(ctx, folder, "alice")
        elif name.startswith("oauthbearer-"):
            more["token_port"] = believed(ctx)
        path = write(ctx, folder, name, listener, **more)
        with open(path, encoding="ascii") as file:
            urls = [line.split("=", 1)[1] for line in file.read().splitlines()
                    if line.startswith("sasl.oauthbearer.token.endpoint.url=")]
        java += [f"-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls={url}" for url in urls]
        if java:
            stack.enter_context(kerberos.environ(JAVA_TOOL_OPTIONS=" ".join(java)))
        yield path, address(ctx, listener)


def known(version, since):
    return parts(version) >= parts(since)
