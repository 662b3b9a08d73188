"""Ports for servers that are to be told one."""
import contextlib
import random
import socket


def free():
    """One that stays free until it is used: below those that the system gives to whoever asks for
    any, and below those of the harness."""
    while True:
        port = random.randrange(10000, 19000)
        with socket.socket() as s, contextlib.suppress(OSError):
            s.bind(("127.0.0.1", port))
            return port


def listening(port):
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0
