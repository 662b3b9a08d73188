/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of klamm's own: plugins, memory, threads. */
#include "core/conf/table.h"

#define AT(member) offsetof(struct kl_settings, member)

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "plugin.path", .type = KLAMM_OPTION_LIST,
			   .flags = KLAMM_OPTION_PATH, .offset = AT(plugin_path),
			   .def = KLAMM_PLUGINDIR,
			   .doc = "Folders that plugins are loaded from, the first one "
				  "that has the file; KLAMM_PLUGIN_PATH in the "
				  "environment comes before them."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "codec.gzip", .type = KLAMM_OPTION_STRING,
			   .offset = AT(codec_gzip), .def = "gzip",
			   .doc = "The codec plugin that packs and unpacks gzip, number "
				  "1 on the wire."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_CONSUMER,
		.kind = KLAMM_KIND_CODEC,
	},
	{
		.option = {.name = "codec.snappy", .type = KLAMM_OPTION_STRING,
			   .offset = AT(codec_snappy), .def = "snappy",
			   .doc = "The codec plugin that packs and unpacks snappy, "
				  "number 2 on the wire."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_CONSUMER,
		.kind = KLAMM_KIND_CODEC,
	},
	{
		.option = {.name = "codec.lz4", .type = KLAMM_OPTION_STRING,
			   .offset = AT(codec_lz4), .def = "lz4",
			   .doc = "The codec plugin that packs and unpacks lz4, number "
				  "3 on the wire."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_CONSUMER,
		.kind = KLAMM_KIND_CODEC,
	},
	{
		.option = {.name = "codec.zstd", .type = KLAMM_OPTION_STRING,
			   .offset = AT(codec_zstd), .def = "zstd",
			   .doc = "The codec plugin that packs and unpacks zstd, number "
				  "4 on the wire."},
		.roles = KLAMM_ROLE_PRODUCER | KLAMM_ROLE_CONSUMER,
		.kind = KLAMM_KIND_CODEC,
	},
	{
		.option = {.name = "klamm.memory.max", .type = KLAMM_OPTION_LONG,
			   .offset = AT(klamm_memory_max), .def = "536870912",
			   .range = "1048576..",
			   .doc = "The most that data from the wire, unpacked batches "
				  "and batches that the application holds may take "
				  "together."},
		.roles = KLAMM_ROLE_ANY, .unit = "bytes",
	},
	{
		.option = {.name = "klamm.decompress.max", .type = KLAMM_OPTION_LONG,
			   .offset = AT(klamm_decompress_max), .def = "134217728",
			   .range = "1024..",
			   .doc = "The most that one batch may grow to when it is "
				  "unpacked; more is an error of that batch."},
		.roles = KLAMM_ROLE_ANY, .unit = "bytes",
	},
	{
		.option = {.name = "klamm.receive.message.max", .type = KLAMM_OPTION_INT,
			   .offset = AT(klamm_receive_message_max), .def = "100000000",
			   .range = "1024..", .aliases = "receive.message.max.bytes",
			   .doc = "The longest answer that a broker is believed to "
				  "send; a longer one ends the connection. A consumer "
				  "takes what fetch.max.bytes and "
				  "max.partition.fetch.bytes need when that is more."},
		.roles = KLAMM_ROLE_ANY, .unit = "bytes",
	},
	{
		.option = {.name = "klamm.codec.threads", .type = KLAMM_OPTION_INT,
			   .offset = AT(klamm_codec_threads), .def = "2",
			   .range = "1..64",
			   .doc = "The most threads that pack and checksum batches; "
				  "they come when needed and leave when idle."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "klamm.blocking.threads", .type = KLAMM_OPTION_INT,
			   .offset = AT(klamm_blocking_threads), .def = "4",
			   .range = "1..64",
			   .doc = "The most threads for what blocks, such as resolving "
				  "names; they come when needed and leave when idle."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "klamm.metrics.interval.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(klamm_metrics_interval_ms), .def = "30000",
			   .range = "10..",
			   .doc = "How often the plugins of metric.reporters are given the "
				  "client's figures."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
	},
	{
		.option = {.name = "klamm.timestamp.exact", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(klamm_timestamp_exact), .def = "false",
			   .doc = "Whether the clock is read for every record, rather "
				  "than once per batch and then at the kernel's tick of "
				  "1 to 10 ms."},
		.roles = KLAMM_ROLE_PRODUCER,
	},
	{
		.option = {.name = "klamm.proxy.url", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET, .offset = AT(klamm_proxy_url),
			   .aliases = "proxy_url socks5_proxy",
			   .doc = "A proxy that all connections to brokers go through: "
				  "socks5://HOST:PORT (this machine looks names of brokers "
				  "up), socks5h://HOST:PORT (the proxy does) or "
				  "http://HOST:PORT (CONNECT), with USER:PASSWORD@ before the "
				  "host if it wants that, where %XX is a byte."},
		.roles = KLAMM_ROLE_ANY, .check = kl_check_proxy,
	},
	{
		.option = {.name = "klamm.broker.version", .type = KLAMM_OPTION_STRING,
			   .offset = AT(klamm_broker_version), .def = "auto",
			   .aliases = "api_version broker.version.fallback",
			   .doc = "The release of brokers that are too old to be asked "
				  "for their versions: before 0.10. With auto or a newer "
				  "release they are asked, and one that cannot answer is "
				  "found out, within two seconds, and taken for 0.9."},
		.roles = KLAMM_ROLE_ANY, .check = kl_check_release,
	},
};

const struct kl_conf_rows kl_conf_klamm_rows = {
	rows, kl_countof(rows), "Plugins, memory and threads"};
