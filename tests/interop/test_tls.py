"""TLS to real brokers: what is wrong on this side, and listeners without it."""
import klamm
from certificates import options, secret
from frame import test


@test("a trust store with another password")
def jks(ctx):
    text = klamm.run("-b", ctx.env["SSL"], *options(
        "security.protocol=SSL", f"ssl.truststore.location={secret(ctx, 'trust.jks')}",
        "ssl.truststore.password=wrong"), "topic", "list", status=2).decode()
    assert "the password is wrong, or the file was tampered with" in text, text


def in_vain(at, *args, words):
    """It tries until its time is over, which may be too short to hear of the broker at all."""
    for timeout in 4, 30:
        text = klamm.run("-b", at, *args, "--timeout", timeout, "topic", "list",
                         status=3).decode()
        if words in text:
            return
    raise AssertionError(text)


@test("a listener without TLS, and a client without it")
def crossed(ctx):
    trusting = options("security.protocol=SSL", f"ssl.ca.location={secret(ctx, 'ca.pem')}")
    in_vain(ctx.at, *trusting, words="as a listener without it does (security.protocol=PLAINTEXT")
    in_vain(ctx.env["SSL"], words="wants TLS")
