/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm broker: the dev broker as a program. This thread runs its loop. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <klamm/broker.h>

#include "cli/cli.h"

struct options {
	const char *listen, *advertise, *ready_file, *data_dir, *sasl, *users;
	const char *racks, *tls_cert, *tls_key, *tls_ca, *tls_client_auth;
	int64_t reauth;
	int32_t nodes, partitions, replicas, message_max;
	int64_t memory, retention_check;
	struct cli_list topics, faults, config;
	bool no_auto_create, null;
	int32_t record_size, batch_records;
};

#define AT(member) offsetof(struct options, member)

static const struct cli_option rows[] = {
	{0, "listen", "HOST:PORT", CLI_TEXT, AT(listen), 0, 0,
	 "node 1; the others on the next ports (127.0.0.1:9092)"},
	{0, "advertise", "HOST", CLI_TEXT, AT(advertise), 0, 0,
	 "what clients connect to (the host of --listen)"},
	{0, "ready-file", "FILE", CLI_TEXT, AT(ready_file), 0, 0,
	 "write the address there, too"},
	{'d', "data-dir", "DIR", CLI_TEXT, AT(data_dir), 0, 0,
	 "keep topics and records there (in memory)"},
	{0, "retention-check", "MS", CLI_INT64, AT(retention_check), 1, INT32_MAX,
	 "how often old segments are looked for (300000)"},
	{'n', "nodes", "N", CLI_INT32, AT(nodes), 1, 1000,
	 "brokers to pretend to be (1)"},
	{0, "racks", "RACK,...", CLI_TEXT, AT(racks), 0, 0,
	 "their broker.rack, in turn (none)"},
	{'t', "topic", "NAME[:PARTITIONS]", CLI_LIST, AT(topics), 0, 0,
	 "make a topic first; may be repeated"},
	{'p', "partitions", "N", CLI_INT32, AT(partitions), 1, 10000,
	 "of a topic that does not say how many (1)"},
	{0, "replicas", "N", CLI_INT32, AT(replicas), 1, 1000,
	 "of such a topic (the nodes, but at most 3)"},
	{0, "no-auto-create", NULL, CLI_FLAG, AT(no_auto_create), 0, 0,
	 "make no topic because a client asked for it"},
	{0, "fault", "FAULT", CLI_LIST, AT(faults), 0, 0,
	 "trouble on purpose, see klamm fault set; may be repeated"},
	{0, "config", "KEY=VALUE", CLI_LIST, AT(config), 0, 0,
	 "a setting of Kafka's brokers; may be repeated"},
	{0, "memory", "BYTES", CLI_INT64, AT(memory), 1 << 20, INT64_MAX,
	 "bytes of records to keep (1073741824)"},
	{0, "message-max", "BYTES", CLI_INT32, AT(message_max), 1, 100 << 20,
	 "largest batch (1048588)"},
	{0, "sasl", "MECHANISM,...", CLI_TEXT, AT(sasl), 0, 0,
	 "let clients prove who they are: PLAIN, SCRAM-SHA-256, "
	 "SCRAM-SHA-512, GSSAPI, OAUTHBEARER, AWS_MSK_IAM"},
	{0, "users", "FILE", CLI_TEXT, AT(users), 0, 0,
	 "with --sasl: lines of NAME = PASSWORD, or what is stored instead"},
	{0, "reauth-ms", "MS", CLI_INT64, AT(reauth), 1, INT64_MAX,
	 "with --sasl: ask them again after this time"},
	{0, "tls-cert", "FILE", CLI_TEXT, AT(tls_cert), 0, 0,
	 "speak TLS with this certificate, in PEM"},
	{0, "tls-key", "FILE", CLI_TEXT, AT(tls_key), 0, 0,
	 "and this key (that in --tls-cert)"},
	{0, "tls-ca", "FILE", CLI_TEXT, AT(tls_ca), 0, 0,
	 "ask clients for certificates of these issuers"},
	{0, "tls-client-auth", "WORD", CLI_TEXT, AT(tls_client_auth), 0, 0,
	 "none, requested or required (required with --tls-ca)"},
	{0, "null", NULL, CLI_FLAG, AT(null), 0, 0,
	 "take and forget, serve made-up records"},
	{0, "record-size", "BYTES", CLI_INT32, AT(record_size), 1, 1 << 20,
	 "with --null: size of the values served (100)"},
	{0, "batch-records", "N", CLI_INT32, AT(batch_records), 1, 100000,
	 "with --null: records in a batch served (150)"},
	{0, NULL, NULL, CLI_FLAG, 0, 0, 0, NULL},
};

static const struct options defaults = {.listen = "127.0.0.1:9092"};

/* Whoever waits for the file finds it whole. */
static int write_ready_file(const char *file, const char *address, struct stat *written_out)
{
	char *part = NULL;
	if (asprintf(&part, "%s.%d", file, (int)getpid()) < 0)
		return cli_fail(CLI_FAILED, "out of memory");
	FILE *f = fopen(part, "w");
	bool ok = f != NULL && fprintf(f, "%s\n", address) > 0 &&
		  fstat(fileno(f), written_out) == 0;
	if (f != NULL && fclose(f) != 0)
		ok = false;
	if (!ok || rename(part, file) != 0) {
		ok = false;
		cli_fail(CLI_USAGE, "--ready-file %s: %s", file, strerror(errno));
		unlink(part);
	}
	free(part);
	return ok ? CLI_OK : CLI_USAGE;
}

/* Another broker may have put its own there since. */
static void remove_ready_file(const char *file, const struct stat *written)
{
	struct stat there;
	if (stat(file, &there) == 0 && there.st_dev == written->st_dev &&
	    there.st_ino == written->st_ino)
		unlink(file);
}

static int create_topic(struct klamm_broker *broker, const char *text)
{
	const char *colon = strrchr(text, ':');
	size_t n = colon != NULL ? (size_t)(colon - text) : strlen(text);
	int64_t partitions = 0;
	if (colon != NULL && !cli_number(colon + 1, 1, 10000, &partitions))
		return cli_fail(CLI_USAGE, "--topic %s: partitions must be 1..10000",
				text);
	char *name = strndup(text, n);
	if (name == NULL)
		return cli_fail(CLI_FAILED, "out of memory");
	struct klamm_error err;
	int rc = klamm_broker_create_topic(broker, name, (int32_t)partitions, &err);
	free(name);
	if (rc == KLAMM_ERR_TOPIC_ALREADY_EXISTS) /* from an earlier life */
		return CLI_OK;
	return rc != 0 ? cli_fail(CLI_USAGE, "--topic %s: %s", text, err.text) : CLI_OK;
}

static int prepare(struct klamm_broker *broker, const struct options *o,
		   struct stat *ready_out)
{
	for (size_t i = 0; i < o->topics.n; i++) {
		int rc = create_topic(broker, o->topics.v[i]);
		if (rc != CLI_OK)
			return rc;
	}
	for (size_t i = 0; i < o->faults.n; i++) {
		struct klamm_error err;
		if (klamm_broker_fault(broker, o->faults.v[i], NULL, &err) != 0)
			return cli_fail(CLI_USAGE, "--fault: %s", err.text);
	}
	const char *address = klamm_broker_address(broker);
	if (o->ready_file != NULL) {
		int rc = write_ready_file(o->ready_file, address, ready_out);
		if (rc != CLI_OK)
			return rc;
	}
	printf("%s\n", address);
	fflush(stdout);
	return CLI_OK;
}

static int serve(struct klamm_loop *loop, const struct options *o)
{
	struct cli_list config = {0}; /* a list of its own: this one ends with NULL */
	for (size_t i = 0; i < o->config.n; i++)
		cli_list_add(&config, o->config.v[i]);
	cli_list_add(&config, NULL);
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.loop = loop,
		.listen = o->listen,
		.advertise = o->advertise,
		.nodes = o->nodes,
		.partitions = o->partitions,
		.replicas = o->replicas,
		.message_max_bytes = o->message_max,
		.memory_max = o->memory,
		.no_auto_create = o->no_auto_create,
		.null = o->null,
		.sasl = o->sasl,
		.users = o->users,
		.reauth_ms = o->reauth,
		.null_record_size = o->record_size,
		.null_batch_records = o->batch_records,
		.data_dir = o->data_dir,
		.retention_check_ms = o->retention_check,
		.config = config.v,
		.racks = o->racks,
		.tls_certificate = o->tls_cert,
		.tls_key = o->tls_key,
		.tls_ca = o->tls_ca,
		.tls_client_auth = o->tls_client_auth,
	};
	struct klamm_broker *broker;
	struct klamm_error err;
	int made = klamm_broker_new(&options, &broker, &err);
	free(config.v);
	if (made != 0) {
		/* An address or a directory that cannot be had is a wrong option. */
		int status = cli_error(&err);
		return status == CLI_FAILED ? CLI_USAGE : status;
	}
	struct stat ready;
	int rc = prepare(broker, o, &ready);
	while (rc == CLI_OK && !cli_interrupted())
		klamm_loop_step(loop, KLAMM_FOREVER, NULL);
	klamm_broker_free(broker);
	if (rc == CLI_OK && o->ready_file != NULL)
		remove_ready_file(o->ready_file, &ready);
	return rc;
}

static void wake(void *arg)
{
	klamm_loop_wake(arg);
}

static int run(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct klamm_conf *conf;
	int rc = cli_conf(cli, &conf); /* for its log */
	if (rc != CLI_OK)
		return rc;
	struct klamm_loop *loop;
	struct klamm_error err;
	rc = klamm_loop_new(conf, &loop, &err);
	klamm_conf_free(conf);
	if (rc != 0)
		return cli_error(&err);
	cli_catch_signals(wake, loop);
	rc = serve(loop, options);
	cli_release_signals();
	klamm_loop_free(loop);
	return rc;
}

const struct cli_command cli_broker = {
	.name = "broker",
	.args = "",
	.summary = "run a small Kafka, for tests",
	.about = "In production use Apache Kafka. Without --data-dir this one forgets all\n"
		 "when it ends, with SIGINT or SIGTERM; docs/DEVBROKER.md says what it does\n"
		 "not do. It prints the address of its nodes, for -b, when clients may come.\n"
		 "Port 0 means free ports.\n",
	.options = rows,
	.defaults = &defaults,
	.size = sizeof(struct options),
	.run = run,
};
