"""Certificates beside the harness's own, and what takes them."""
import os
import ssl
import subprocess
import time

import klamm

NETWORK_THREADS = 3  # of a broker, as it is by default


def secret(ctx, name):
    return os.path.join(ctx.secrets, name)


def options(*pairs):
    return [word for pair in pairs for word in ("-X", pair)]


def works(at, *args):
    listed = klamm.run(*args, "-b", at, "topic", "list")
    assert listed.startswith(b"TOPIC"), listed


def put(folder, name, *lines):
    """A file that is there whole or not at all, as one replaces certificates."""
    path = os.path.join(folder, name)
    with open(path + ".part", "w", encoding="ascii") as file:
        file.write("\n".join(lines) + "\n")
    os.replace(path + ".part", path)
    return path


def read(path):
    with open(path, encoding="ascii") as file:
        return file.read().strip()


def openssl(*words):
    return subprocess.run(["openssl", *words], check=True, capture_output=True,
                          text=True).stdout


def issue(ctx, folder, name, ca, days=10):
    """NAME.pem and NAME.key for localhost, issued by one of the harness's CAs."""
    stem = os.path.join(folder, name)
    names = put(folder, f"{name}.ext", "subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1")
    openssl("req", "-newkey", "rsa:2048", "-nodes", "-keyout", stem + ".key", "-out",
            stem + ".csr", "-subj", "/CN=localhost")
    openssl("x509", "-req", "-in", stem + ".csr", "-CA", secret(ctx, ca + ".pem"), "-CAkey",
            secret(ctx, ca + ".key"), "-CAcreateserial", "-days", str(days), "-out",
            stem + ".pem", "-extfile", names)
    return stem


def revoke(ctx, folder, ca, *names, late=False):
    """A CRL of one of the harness's CAs that has these certificates of the harness; its path."""
    index = os.path.join(folder, "index.txt")
    with open(index, "w", encoding="ascii") as file:
        for name in names:
            serial = openssl("x509", "-in", secret(ctx, name + ".pem"), "-noout", "-serial")
            file.write(f"R\t400101000000Z\t200101000000Z\t{serial.strip().split('=')[1]}\t"
                       "unknown\t/CN=localhost\n")
    conf = put(folder, "ca.conf", "[ca]", "default_ca = one", "[one]", f"database = {index}",
               "default_md = sha256")
    path = os.path.join(folder, "crl.pem")
    times = (("-crl_lastupdate", "20200101000000Z", "-crl_nextupdate", "20200201000000Z")
             if late else ("-crldays", "10"))
    openssl("ca", "-config", conf, "-gencrl", "-keyfile", secret(ctx, ca + ".key"), "-cert",
            secret(ctx, ca + ".pem"), "-out", path + ".part", *times)
    os.replace(path + ".part", path)
    return path


def reconfigure(ctx, **settings):
    """Settings of the mutual listener, while it runs (KIP-226)."""
    pairs = ",".join(f"listener.name.mtls.ssl.{key.replace('_', '.')}={value}"
                     for key, value in settings.items())
    ctx.tool("configs", "--alter", "--entity-type", "brokers", "--entity-name", 1,
             "--add-config", pairs)


def await_certificate(ctx, path):
    """The broker takes a new setting soon after it has said yes, thread by thread."""
    host, port = ctx.env["MTLS"].split(":")
    end = time.monotonic() + 60
    fresh = 0
    while fresh < 2 * NETWORK_THREADS:
        same = ssl.get_server_certificate((host, int(port))).strip() == read(path)
        fresh = fresh + 1 if same else 0
        assert time.monotonic() < end, "the broker keeps its certificate"
        time.sleep(0 if same else 0.1)
