"""Token servers, seen from clients of real brokers: what clients/ has not."""
import tempfile

import clients
import klamm
from frame import equal, test
from tokens import bearer_of, secret_of, token_server


# KIP-1139. Java's client says nothing of itself beside the assertion, and this server wants that.
@test("a token for an assertion", since="4.1")
def oauth_assertion(ctx):
    want = b"".join(b"%d\n" % i for i in range(1000))
    with tempfile.TemporaryDirectory() as folder:
        there = ("-F", bearer_of(folder, clients.believed(ctx)), "-b", ctx.oauth)
        klamm.run(*there, "topic", "create", "oauth-bearer")
        klamm.run(*there, "produce", "oauth-bearer", stdin=want)
        got = klamm.run(*there, "consume", "oauth-bearer", "-o", "start", "-e")
        equal(got, want, "records")


@test("a token server that is not there, or says no, is named", since="4.4")
def oauth_no_server(ctx):
    with tempfile.TemporaryDirectory() as folder, token_server() as port:
        path = secret_of(folder, port)
        wrong = klamm.run("-F", path, "-b", ctx.oauth, "-X",
                          "sasl.oauthbearer.grant.type=jwt_bearer", "-X",
                          f"sasl.oauthbearer.assertion.file={path}", "topic", "list",
                          status=3).decode()
        assert f"no token from the token server: http://127.0.0.1:{port}: HTTP status 400" in wrong
        text = klamm.run("-F", secret_of(folder, 1), "-b", ctx.oauth, "-X",
                         "sasl.login.retry.backoff.max.ms=500", "--timeout", "3", "topic",
                         "list", status=3).decode()
        assert "http://127.0.0.1:1: cannot connect: Connection refused" in text, text
