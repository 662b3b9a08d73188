"""Runs the command line of this build."""
import contextlib
import json
import os
import subprocess
import tempfile
import time

import records

BUILD = os.environ["KLAMM_BUILD"]
PROGRAM = os.path.join(BUILD, "klamm")
TIMEOUT = 120


def run(*args, stdin=b"", status=0):
    """stdout of `klamm ARGS`; another exit status than `status` is an error with stderr."""
    done = subprocess.run([PROGRAM, *map(str, args)], input=stdin, capture_output=True,
                          timeout=TIMEOUT, check=False)
    if done.returncode != status:
        text = done.stderr.decode(errors="replace").strip()
        raise AssertionError(f"klamm {' '.join(map(str, args))}: exit {done.returncode}, "
                             f"should be {status}: {text[-1000:]}")
    return done.stdout if status == 0 else done.stderr


def until_it_is_known(*args):
    """run(), again and again: a broker learns of a user or a token some time after it was made."""
    for _ in range(50):
        try:
            return run(*args)
        except AssertionError:
            time.sleep(0.1)
    return run(*args)


def create_topic(at, name, partitions=1, *args):
    run("-b", at, "topic", "create", name, "-p", partitions, *args)


def describe(at, *topics):
    """What there is of each, as soon as the node that is asked has heard of all."""
    end = time.monotonic() + 60
    while True:
        try:
            out = run("-b", at, "topic", "describe", *topics, "--json")
            return [json.loads(line) for line in out.splitlines()]
        except AssertionError:
            if time.monotonic() > end:
                raise
            time.sleep(0.2)


def produce(at, topic, rows, *args):
    lines = "".join(records.to_line(row) + "\n" for row in rows)
    run("-b", at, "produce", topic, "--json", "--keep-partition", *args,
        stdin=lines.encode())


def consume(at, topic, *args):
    """Records from the start to the end of the topic, in order of partition and offset."""
    out = run("-b", at, "consume", topic, "--json", "-o", "start", "-e", *args)
    return sorted(map(records.from_line, out.splitlines()), key=lambda r: r[:2])


@contextlib.contextmanager
def broker(*args, log=None):
    """A `klamm broker` on a free port: yields HOST:PORT. log: a file for what it says."""
    with tempfile.TemporaryDirectory() as folder:
        ready = os.path.join(folder, "ready")
        with open(log or os.path.join(folder, "log"), "w+b") as log:
            process = subprocess.Popen(
                [PROGRAM, "broker", "--listen", "127.0.0.1:0", "--ready-file", ready, *args],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
            try:
                yield _await_ready(process, ready, log)
                if process.poll() is not None:
                    log.seek(0)
                    raise RuntimeError(f"klamm broker ended with {process.returncode}: "
                                       f"{log.read()[-2000:].decode(errors='replace')}")
            finally:
                process.terminate()
                process.wait(20)


def _await_ready(process, ready, log):
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        if os.path.exists(ready):
            with open(ready, encoding="ascii") as file:
                at = file.read().strip()
            if at:
                return at
        time.sleep(0.02)
    log.seek(0)
    raise RuntimeError("klamm broker is not ready: "
                       + log.read()[-2000:].decode(errors="replace"))
