"""Tickets of real brokers' KDC. What needs no real broker is in test_kerberos.py."""
import itertools
import os
import tempfile
import time

import kerberos
import klamm
from frame import equal, test
from test_sessions import AGAIN, Running


def there(ctx, *more):
    return (*kerberos.options(os.path.join(ctx.secrets, "alice.keytab"), *more), "-b", ctx.sasl)


# KIP-368
@test("sessions and tickets are renewed under load, and nothing is lost", since="4.4")
def renewed(ctx):
    with kerberos.environ(KRB5_CONFIG=ctx.krb5_conf):
        klamm.run(*there(ctx), "topic", "create", "gssapi-renewed")
    with tempfile.TemporaryDirectory() as folder:
        short = os.path.join(folder, "krb5.conf")
        with open(ctx.krb5_conf, encoding="ascii") as file:
            conf = file.read()
        with open(short, "w", encoding="ascii") as file:
            file.write(conf.replace("ticket_lifetime = 1h", "ticket_lifetime = 6s"))
        with kerberos.environ(KRB5_CONFIG=short):
            producer = Running(there(ctx, "sasl.kerberos.min.time.before.relogin=1000"),
                               "produce", "gssapi-renewed")
            lines = []
            for step in itertools.count():
                more = [b"%d\n" % i for i in range(step * 80, (step + 1) * 80)]
                producer.feed(b"".join(more))
                lines += more
                if step == 0:
                    producer.await_session()
                    start = time.monotonic()
                time.sleep(0.1)
                took = time.monotonic() - start
                # A busy machine may miss the end of a session; then another one is renewed.
                if took > 60 or (took > 12.5 and producer.count(AGAIN) >= 2 and
                                 producer.count(b"has a ticket for") >= 3):
                    break
            text = producer.end()
    with kerberos.environ(KRB5_CONFIG=ctx.krb5_conf):
        got = klamm.run(*there(ctx), "consume", "gssapi-renewed", "-o", "start", "-e")
    equal(got.splitlines(True), lines, "records")
    assert text.count("authenticated again") >= 2, text[-2000:]
    assert text.count("has a ticket for") >= 3, text[-2000:]
