"""klamm through other people's proxies: dante-server, microsocks and tinyproxy."""
import contextlib
import os
import shutil
import socket
import subprocess
import tempfile
import time

import klamm
import ports
import refusal
from frame import Skip, equal, test

USER = "alice"
WORD = "proxy-secret"


def need(*programs):
    """The first of them that there is."""
    for name in programs:
        path = shutil.which(name, path=os.environ["PATH"] + ":/usr/sbin")
        if path is not None:
            return path
    raise Skip(f"no {programs[0]}")


@contextlib.contextmanager
def running(port, *words):
    """The program, as soon as it listens."""
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(list(map(str, words)), stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL)
        try:
            end = time.monotonic() + 60
            while True:
                with socket.socket() as s:
                    if s.connect_ex(("127.0.0.1", port)) == 0:
                        break
                log.seek(0)
                assert process.poll() is None and time.monotonic() < end, log.read()
                time.sleep(0.05)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(60)


def trip(at, url, topic):
    lines = b"".join(b"%d\n" % i for i in range(5000))
    there = ("-b", at, "-X", f"klamm.proxy.url={url}")
    klamm.run(*there, "produce", topic, stdin=lines)
    got = klamm.run(*there, "consume", topic, "-o", "start", "-e")
    equal(got, lines, "records")


def refused(at, url, words):
    start = time.monotonic()
    text = klamm.run("-b", at, "-X", f"klamm.proxy.url={url}", "topic", "list",
                     status=3).decode()
    assert time.monotonic() - start < refusal.SECONDS, text
    assert text.count("\n") == 1 and words in text and "the proxy 127.0.0.1:" in text, text
    assert "hunter2" not in text, text


@contextlib.contextmanager
def dante():
    port = ports.free()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"""internal: 127.0.0.1 port = {port}
external: 127.0.0.1
clientmethod: none
socksmethod: none
client pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
socks block {{ from: 0.0.0.0/0 to: 127.0.0.0/8 port = 1 }}
socks pass {{ from: 127.0.0.0/8 to: 0.0.0.0/0 }}
""")
        file.flush()
        with running(port, need("danted", "sockd"), "-f", file.name) as at:
            yield at


@test("SOCKS5: dante-server, names looked up here and there")
def dante_trip(_):
    with dante() as proxy, klamm.broker() as at:
        trip(at, f"socks5://{proxy}", "dante")
        trip(at.replace("127.0.0.1", "localhost"), f"socks5h://{proxy}", "dante-names")
        refused("127.0.0.1:1", f"socks5://{proxy}", "forbids it by its rules")


@test("SOCKS5 with user and password: microsocks")
def microsocks_trip(_):
    port = ports.free()
    with running(port, need("microsocks"), "-i", "127.0.0.1", "-p", port, "-u", USER, "-P",
                 WORD) as proxy, klamm.broker() as at:
        trip(at, f"socks5h://{USER}:{WORD}@{proxy}", "microsocks")
        refused(at, f"socks5://{USER}:hunter2@{proxy}", "does not take this user and password")
        refused(at, f"socks5://{proxy}", "wants to know who asks")


@test("HTTP CONNECT: tinyproxy, with and without a password")
def tinyproxy_trip(_):
    port = ports.free()
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as file:
        file.write(f"Port {port}\nListen 127.0.0.1\nTimeout 60\nMaxClients 20\n"
                   f"Allow 127.0.0.1\nBasicAuth {USER} {WORD}\n")
        file.flush()
        with running(port, need("tinyproxy"), "-d", "-c", file.name) as proxy, \
                klamm.broker() as at:
            trip(at, f"http://{USER}:{WORD}@{proxy}", "tinyproxy")
            refused(at, f"http://{USER}:hunter2@{proxy}", "does not take this user and")
            refused(at, f"http://{proxy}", "needs USER:PASSWORD@")
