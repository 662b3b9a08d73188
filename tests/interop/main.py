"""Chooses the tests, starts the brokers that they share. Started by ./run."""
import argparse
import contextlib
import os
import sys

import frame
import peers


class Kafka:
    """Real brokers, from start to end of a run."""

    def __init__(self, version, nodes=1, config=(), secure=()):
        self.version = version
        self.nodes = nodes
        self.at = self.sasl = self.oauth = None  # HOST:PORT of listeners
        self.secrets = self.krb5_conf = None  # a folder, a file
        self.env = {}  # by the harness's names without KAFKA_: SSL, MTLS, ...
        self.options = ["--nodes", nodes, *secure]
        for pair in config:
            self.options += ["--config", pair]
        self.cluster = f"klamm-{os.getpid()}"
        self.token_port = None
        self.until_end = contextlib.ExitStack()  # what tests have started beside it

    def __enter__(self):
        peers.harness("up", self.cluster, "--version", self.version,
                      "--port", "auto", *self.options)
        for line in peers.harness("env", self.cluster).decode().splitlines():
            key, value = line.split("=", 1)
            self.env[key.removeprefix("KAFKA_")] = value
            if key == "KAFKA_PLAINTEXT":
                self.at = value
            elif key == "KAFKA_SASL_PLAINTEXT":
                self.sasl = value
            elif key == "KAFKA_OAUTH":
                self.oauth = value
            elif key == "KAFKA_SECRETS":
                self.secrets = value
            elif key == "KRB5_CONFIG":
                self.krb5_conf = value
        return self

    def __exit__(self, *_):
        self.until_end.close()
        peers.harness("down", self.cluster)

    def tool(self, *args, stdin=None):
        return peers.harness("tool", self.cluster, *args, stdin=stdin)


def main():
    parser = argparse.ArgumentParser(prog="run")
    parser.add_argument("what", choices=("kafka", "nodes", "old", "sasl", "kerberos",
                                         "broker", "crashes", "idle"))
    parser.add_argument("patterns", nargs="*")
    parser.add_argument("--version")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--minutes", type=float, default=10)
    args = parser.parse_intermixed_args()
    frame.full = args.full
    version = args.version or "4.4.0"
    if args.what == "crashes":
        import crashes
        print(crashes.run(args.kills))
        return
    if args.what == "broker":
        import test_broker
        import test_broker_aws
        import test_broker_groups
        import test_broker_oauth
        import test_broker_sasl
        import test_exactly_once
        import test_own_transactions
        import test_proxy
        import test_transactions
        with test_broker.Context() as context:
            good = frame.run(context, args.patterns)
    elif args.what == "kerberos":
        import test_kerberos
        with test_kerberos.Context() as context:
            good = frame.run(context, args.patterns)
    elif args.what == "nodes":
        import test_nodes
        import test_nodes_groups
        import test_nodes_once
        with Kafka(version, test_nodes.NODES, test_nodes.CONFIG) as context:
            context.full = args.full
            good = frame.run(context, args.patterns)
    elif args.what == "idle":
        import test_idle
        import test_nodes
        with Kafka(version, test_nodes.NODES, test_nodes.CONFIG) as context:
            context.minutes = args.minutes
            good = frame.run(context, args.patterns)
    elif args.what == "old":
        import test_old
        good = True
        for version in test_old.VERSIONS:
            print(f"# Kafka {version}")
            with Kafka(version, config=test_old.CONFIG) as context:
                good &= frame.run(context, args.patterns)
        import test_zookeeper  # now: none but this one is for that version
        print(f"# Kafka {test_zookeeper.VERSION}")
        if not args.patterns or any(p in test_zookeeper.NAME for p in args.patterns):
            with Kafka(test_zookeeper.VERSION) as context:
                good &= frame.run(context, [test_zookeeper.NAME])
    elif args.what == "sasl":
        import test_listeners
        import test_sasl
        import test_scram
        import test_oauth
        import test_tls
        import test_refusals
        import test_sessions
        import test_gssapi
        import test_rotation  # the last one: what its listener has afterwards is of no use
        good = True
        for version in (args.version,) if args.version else test_sasl.VERSIONS:
            print(f"# Kafka {version}")
            secure = ("--krb", "--iam") if frame.parts(version) >= (2,) else ("--krb",)
            with Kafka(version, config=test_sessions.CONFIG, secure=secure) as context:
                good &= frame.run(context, args.patterns)
    else:
        import test_assignors
        import test_groups
        import test_kafka
        import test_members
        import test_offsets
        import test_outside
        import test_own_transactions
        import test_transactions
        if version.startswith("4."):
            import test_modern_members
        if version.startswith("4.4."):
            import test_likeness
        with Kafka(version, config=test_kafka.CONFIG) as context:
            good = frame.run(context, args.patterns)
    sys.exit(0 if good and frame.ran else 1)


main()
