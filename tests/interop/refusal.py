"""How klamm tells that a broker does not let it in, or that it does not trust the broker."""
import os
import time

import clients
import klamm
from door import Door
from frame import equal

# A refusal takes less; CI runs it beside compilers and JVMs on two cores.
SECONDS = 20 if "CI" in os.environ else 5
COMMANDS = (("topic", "list"), ("produce", "refused"), ("consume", "refused", "-e"))


def refused(at, stage, words, *args, secrets=(), host="127.0.0.1", connections=1):
    """Each command with these arguments ends at once, after so many connections, with status 3
    and one line that has host, stage and words, and no secret. host: by which the broker is asked
    for."""
    for command in COMMANDS:
        with Door(at, host) as door:
            start = time.monotonic()
            text = klamm.run(*args, "-b", door.at, *command, stdin=b"1\n2\n",
                             status=3).decode()
            took = time.monotonic() - start
        assert took < SECONDS, f"{command[0]}: {took:.1f} s"
        equal(text.count("\n"), 1, f"lines of {text}")
        for word in (f"{door.at}: {stage}: ", *words):
            assert word in text, f"{command[0]}: no \"{word}\" in: {text}"
        for secret in (*clients.SECRETS, *secrets):
            assert secret not in text, f"{command[0]} tells a secret: {text}"
        equal(door.connections, connections, f"{command[0]}: connections")
