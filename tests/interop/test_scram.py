"""SCRAM against real brokers: odd names and passwords, delegation tokens."""
import os
import re
import tempfile
from unittest import mock

import klamm
import peers
from frame import test
from peers import SCRAM

TOKENS = "org.apache.kafka.tools.DelegationTokenCommand"
# It looks the same to a reader; SASLprep would make one letter of the last two.
DECOMPOSED = "cafe\u0301"


@test("names have their escapes, and a password is what its bytes are", since="4.0")
def scram_odd(ctx):
    mechanism = "SCRAM-SHA-512"
    with mock.patch.dict(os.environ, LC_ALL="C.UTF-8"):  # of Java's arguments
        ctx.tool("configs", "--alter", "--add-config",
                 f"{mechanism}=[iterations=8192,password={DECOMPOSED}]",
                 "--entity-type", "users", "--entity-name", "a,b=c")
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", peers.scram(folder, mechanism, "a,b=c", DECOMPOSED), "-b", ctx.sasl)
        klamm.until_it_is_known(*there, "topic", "list")
        text = klamm.run(*there, "-X", "sasl.scram.saslprep=true", "topic", "list",
                         status=3).decode()
        assert "invalid credentials" in text, text


# KIP-48
@test("a delegation token lets in its owner", since="4.0")
def scram_token(ctx):
    with tempfile.TemporaryDirectory() as folder:
        alice = peers.scram(folder, "SCRAM-SHA-256")
        out = peers.harness("tool-at", ctx.sasl, "4.4.0", TOKENS, "--bootstrap-server", ctx.sasl,
                            "--command-config", alice, "--create",
                            "--max-life-time-period", "-1").decode()
        found = re.search(r"^(\S{22})\s+(\S+==?)\s+User:alice\b", out, re.M)
        assert found, out
        for mechanism in SCRAM:
            there = ("-b", ctx.sasl, "-F",
                     peers.scram(folder, mechanism, *found.groups(), 'tokenauth="true"'))
            klamm.until_it_is_known(*there, "topic", "list")
            text = klamm.run(*there, "-X", "sasl.scram.tokenauth=false", "topic", "list",
                             status=3).decode()
            assert "invalid credentials" in text, text
            assert found.group(2) not in text, text
