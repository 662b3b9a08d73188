/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys that every client has: servers, connections, time limits, metadata. */
#include "core/conf/table.h"

#define AT(member) offsetof(struct kl_settings, member)

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "bootstrap.servers", .type = KLAMM_OPTION_LIST,
			   .flags = KLAMM_OPTION_REQUIRED,
			   .offset = AT(bootstrap_servers), .range = "host:port,...",
			   .aliases = "metadata.broker.list",
			   .doc = "Brokers to ask first, \"host:port\" each (9092 when "
				  "the port is left out, [brackets] around an IPv6 "
				  "address); the rest of the cluster is learned from "
				  "them."},
		.roles = KLAMM_ROLE_ANY, .check = kl_check_servers,
		.example = "localhost:9092",
		.fill = kl_fill_endpoints,
	},
	{
		.option = {.name = "bootstrap.controllers", .type = KLAMM_OPTION_LIST,
			   .range = "host:port,...",
			   .doc = "KRaft controllers to ask instead of brokers, for "
				  "administration while no broker is up (KIP-919)."},
		.roles = KLAMM_ROLE_ADMIN, .status = KL_STATUS_INSTEAD,
		.instead = "klamm asks brokers, never controllers: set bootstrap.servers",
		.check = kl_check_servers,
	},
	{
		.option = {.name = "bootstrap.resolve.timeout.ms",
			   .type = KLAMM_OPTION_LONG, .def = "0",
			   .range = "0..",
			   .doc = "How long names of bootstrap.servers that do not "
				  "resolve are tried again before the client gives up; "
				  "0 means one attempt."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER, .unit = "ms",
		.owner = "Java's client",
		.instead = "klamm tries names again for as long as a call waits",
	},
	{
		.option = {.name = "client.id", .type = KLAMM_OPTION_STRING,
			   .offset = AT(client_id), .def = "",
			   .doc = "A name that brokers put into their logs, quotas and "
				  "metrics."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "client.rack", .type = KLAMM_OPTION_STRING,
			   .offset = AT(client_rack), .def = "",
			   .doc = "Where this client stands, in the words of the "
				  "brokers' broker.rack: see partitioner.rack.aware. "
				  "A consumer reads from a replica there when the "
				  "brokers' replica.selector.class names one (KIP-392)."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "client.dns.lookup", .type = KLAMM_OPTION_ENUM,
			   .offset = AT(client_dns_lookup), .def = "use_all_dns_ips",
			   .range = "use_all_dns_ips|resolve_canonical_bootstrap_servers_only",
			   .doc = "Whether all addresses of a name are tried in turn, "
				  "or each bootstrap name is first replaced by the "
				  "canonical names of its addresses."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "connections.max.idle.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(connections_max_idle_ms), .def = "540000",
			   .doc = "A connection that was not used for so long is "
				  "closed; a negative value keeps it."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms", .admin_def = "300000",
	},
	{
		.option = {.name = "request.timeout.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(request_timeout_ms), .def = "30000",
			   .range = "0..", .aliases = "socket.timeout.ms",
			   .doc = "How long one request waits for its answer before the "
				  "connection is given up and the request is tried "
				  "again or fails."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "default.api.timeout.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(default_api_timeout_ms), .def = "60000",
			   .range = "0..",
			   .doc = "The time limit of calls that were given none of "
				  "their own (KIP-266)."},
		.roles = KLAMM_ROLE_CONSUMER | KLAMM_ROLE_ADMIN, .unit = "ms",
	},
	{
		.option = {.name = "retries", .type = KLAMM_OPTION_INT,
			   .offset = AT(retries), .def = "2147483647", .range = "0..",
			   .aliases = "message.send.max.retries",
			   .doc = "How often a request that failed for a passing reason "
				  "is sent again; delivery.timeout.ms ends the attempts "
				  "earlier."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_ADMIN,
	},
	{
		.option = {.name = "retry.backoff.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(retry_backoff_ms), .def = "100", .range = "0..",
			   .doc = "The pause before the first repetition of a request; "
				  "it doubles each time, with jitter (KIP-580)."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "retry.backoff.max.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(retry_backoff_max_ms), .def = "1000",
			   .range = "0..",
			   .doc = "The longest pause between two repetitions of a "
				  "request (KIP-580)."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "reconnect.backoff.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(reconnect_backoff_ms), .def = "50",
			   .range = "0..",
			   .doc = "The pause before connecting again to a broker that "
				  "could not be reached; it doubles each time, with "
				  "jitter."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "reconnect.backoff.max.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(reconnect_backoff_max_ms), .def = "1000",
			   .range = "0..",
			   .doc = "The longest pause between two attempts to connect to "
				  "one broker (KIP-144)."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "socket.connection.setup.timeout.ms",
			   .type = KLAMM_OPTION_LONG,
			   .offset = AT(socket_connection_setup_timeout_ms),
			   .def = "10000",
			   .doc = "How long the first attempt to connect to a broker "
				  "may take; it doubles with each failure (KIP-601)."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "socket.connection.setup.timeout.max.ms",
			   .type = KLAMM_OPTION_LONG,
			   .offset = AT(socket_connection_setup_timeout_max_ms),
			   .def = "30000",
			   .doc = "The longest that an attempt to connect may take "
				  "(KIP-601)."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "send.buffer.bytes", .type = KLAMM_OPTION_INT,
			   .offset = AT(send_buffer_bytes), .def = "131072",
			   .range = "-1..",
			   .doc = "Size of a socket's send buffer (SO_SNDBUF); -1 "
				  "leaves it to the system."},
		.roles = KLAMM_ROLE_ANY, .unit = "bytes",
	},
	{
		.option = {.name = "receive.buffer.bytes", .type = KLAMM_OPTION_INT,
			   .offset = AT(receive_buffer_bytes), .def = "32768",
			   .range = "-1..",
			   .doc = "Size of a socket's receive buffer (SO_RCVBUF); -1 "
				  "leaves it to the system."},
		.roles = KLAMM_ROLE_ANY, .unit = "bytes", .consumer_def = "65536",
		.admin_def = "65536",
	},
	{
		.option = {.name = "metadata.max.age.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(metadata_max_age_ms), .def = "300000",
			   .range = "0..",
			   .doc = "What is known about the cluster is asked for again "
				  "after this time even if nothing seems wrong."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "metadata.max.idle.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(metadata_max_idle_ms), .def = "300000",
			   .range = "5000..",
			   .doc = "A topic that nothing was sent to for so long is no "
				  "longer asked about (KIP-526)."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "ms",
	},
	{
		.option = {.name = "metadata.recovery.strategy",
			   .type = KLAMM_OPTION_ENUM,
			   .offset = AT(metadata_recovery_strategy), .def = "rebootstrap",
			   .range = "none|rebootstrap",
			   .doc = "What to do when none of the known brokers answers: "
				  "begin again with bootstrap.servers, or keep trying "
				  "them (KIP-899)."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "metadata.recovery.rebootstrap.trigger.ms",
			   .type = KLAMM_OPTION_LONG,
			   .offset = AT(metadata_recovery_rebootstrap_trigger_ms),
			   .def = "300000", .range = "0..",
			   .doc = "After so long without fresh metadata the client "
				  "begins again with bootstrap.servers (KIP-1102)."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "metadata.cluster.check.enable",
			   .type = KLAMM_OPTION_BOOL,
			   .offset = AT(metadata_cluster_check_enable), .def = "true",
			   .doc = "Whether brokers are told which cluster the client "
				  "believes to talk to, so that a wrong one can refuse "
				  "it."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "allow.auto.create.topics", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(allow_auto_create_topics), .def = "true",
			   .doc = "Whether asking about a topic that does not exist may "
				  "create it, if the brokers allow that. Brokers before 0.11 "
				  "go by their own settings alone."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "config.providers", .type = KLAMM_OPTION_LIST,
			   .def = "",
			   .doc = "Java classes that look up ${name:...}; klamm always "
				  "knows ${env:NAME} and ${file:PATH:KEY}."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "security.protocol", .type = KLAMM_OPTION_ENUM,
			   .offset = AT(security_protocol), .def = "PLAINTEXT",
			   .range = "PLAINTEXT|SSL|SASL_PLAINTEXT|SASL_SSL",
			   .doc = "How connections are protected and clients prove who "
				  "they are."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "metric.reporters", .type = KLAMM_OPTION_LIST,
			   .offset = AT(metric_reporters), .def = "",
			   .doc = "Metrics plugins that receive a snapshot of the client's "
				  "figures every klamm.metrics.interval.ms, and a last one "
				  "when it closes."},
		.roles = KLAMM_ROLE_ANY, .kind = KLAMM_KIND_METRICS,
	},
	{
		.option = {.name = "metrics.num.samples", .type = KLAMM_OPTION_INT,
			   .offset = AT(metrics_num_samples), .def = "2", .range = "1..",
			   .doc = "How many time windows a rate, an average or an "
				  "extreme looks back on."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "metrics.sample.window.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(metrics_sample_window_ms), .def = "30000",
			   .range = "0..",
			   .doc = "The length of one such window."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "metrics.recording.level", .type = KLAMM_OPTION_ENUM,
			   .offset = AT(metrics_recording_level), .def = "INFO",
			   .range = "INFO|DEBUG|TRACE",
			   .doc = "How much detail metrics go into: from DEBUG on, times "
				  "have histograms too."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "enable.metrics.push", .type = KLAMM_OPTION_BOOL,
			   .def = "false",
			   .doc = "Whether metrics that the brokers subscribe to are "
				  "sent to them (KIP-714)."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "Java's client", .also = "false",
		.instead = "klamm sends brokers no metrics; metric.reporters has them",
	},
	{
		.option = {.name = "interceptor.classes", .type = KLAMM_OPTION_LIST,
			   .def = "",
			   .doc = "Java classes that see every record on its way."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_CONSUMER,
		.status = KL_STATUS_INSTEAD,
		.instead = "no Java class can run here; the calls that send and read "
			   "records are the place to see them all",
	},
};

const struct kl_conf_rows kl_conf_common_rows = {rows, kl_countof(rows), "Every client"};
