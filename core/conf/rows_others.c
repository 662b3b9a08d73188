/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of kafka-python, and one of Java, that have no meaning here: accepted, and noted. */
#include "core/conf/table.h"

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "api.version.auto.timeout.ms",
			   .type = KLAMM_OPTION_STRING, .def = "2000",
			   .doc = "How long its constructor waits for a first broker; "
				  "klamm's constructors do not wait."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "bootstrap.timeout.ms", .type = KLAMM_OPTION_STRING,
			   .def = "30000",
			   .doc = "How long its constructor waits for a first broker; "
				  "klamm's constructors do not wait."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "bootstrap.topics.filter", .type = KLAMM_OPTION_STRING,
			   .doc = "Topics of its first metadata request."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "consumer.timeout.ms", .type = KLAMM_OPTION_STRING,
			   .doc = "When its iterator ends; klamm's poll() has a time "
				  "limit of its own."},
		.roles = KLAMM_ROLE_CONSUMER, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "default.offset.commit.callback",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "A Python function that hears of commits."},
		.roles = KLAMM_ROLE_CONSUMER, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "enable.incremental.fetch.sessions",
			   .type = KLAMM_OPTION_STRING, .def = "true",
			   .doc = "Whether it uses fetch sessions (KIP-227), which "
				  "change no result."},
		.roles = KLAMM_ROLE_CONSUMER, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "kafka.client", .type = KLAMM_OPTION_STRING,
			   .doc = "A Python class for the network client."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "metric.group.prefix", .type = KLAMM_OPTION_STRING,
			   .doc = "The first word of its metrics' names."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "metrics.enabled", .type = KLAMM_OPTION_STRING,
			   .def = "true",
			   .doc = "Whether it keeps metrics."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "net", .type = KLAMM_OPTION_STRING,
			   .doc = "The event loop that it runs on."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "selector", .type = KLAMM_OPTION_STRING,
			   .doc = "The event loop that it runs on."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "sock.chunk.buffer.count", .type = KLAMM_OPTION_STRING,
			   .def = "1000",
			   .doc = "How many pieces it reads at once."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "sock.chunk.bytes", .type = KLAMM_OPTION_STRING,
			   .def = "4096",
			   .doc = "The pieces that it reads in."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "socket.options", .type = KLAMM_OPTION_STRING,
			   .doc = "Python objects for setsockopt(); klamm sets "
				  "TCP_NODELAY itself."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
	{
		.option = {.name = "auto.include.jmx.reporter",
			   .type = KLAMM_OPTION_STRING, .def = "true",
			   .doc = "Whether Java's metrics appear in JMX."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
};

const struct kl_conf_rows kl_conf_others_rows = {
	rows, kl_countof(rows), "Keys of kafka-python"};
