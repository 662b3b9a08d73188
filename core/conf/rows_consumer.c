/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of the consumer, with and without a group. */
#include "core/conf/table.h"

#define AT(member) offsetof(struct kl_settings, member)

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "auto.offset.reset", .type = KLAMM_OPTION_STRING,
			   .offset = AT(auto_offset_reset), .def = "latest",
			   .range = "latest|earliest|none|by_duration:PnDTnHnMn.nS",
			   .doc = "Where to begin when a partition has no valid "
				  "position: at its end, its beginning, so long ago, or "
				  "not at all (an error)."},
		.roles = KLAMM_ROLE_CONSUMER,
		.words = "smallest=earliest largest=latest beginning=earliest "
			 "end=latest error=none",
		.check = kl_check_offset_reset, .fill = kl_fill_offset_reset,
	},
	{
		.option = {.name = "check.crcs", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(check_crcs), .def = "true",
			   .doc = "Whether the checksum of each batch is verified."},
		.roles = KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "fetch.max.bytes", .type = KLAMM_OPTION_INT,
			   .offset = AT(fetch_max_bytes), .def = "52428800",
			   .range = "0..",
			   .doc = "How much one answer may bring altogether; a first "
				  "batch that is larger still comes whole."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "bytes",
	},
	{
		.option = {.name = "fetch.max.wait.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(fetch_max_wait_ms), .def = "500", .range = "0..",
			   .aliases = "fetch.wait.max.ms",
			   .doc = "How long a broker may hold back its answer until "
				  "fetch.min.bytes are there."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "ms",
	},
	{
		.option = {.name = "fetch.min.bytes", .type = KLAMM_OPTION_INT,
			   .offset = AT(fetch_min_bytes), .def = "1", .range = "0..",
			   .doc = "How much data a broker waits for before it answers."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "bytes",
	},
	{
		.option = {.name = "max.partition.fetch.bytes", .type = KLAMM_OPTION_INT,
			   .offset = AT(max_partition_fetch_bytes), .def = "1048576",
			   .range = "0..", .aliases = "fetch.message.max.bytes",
			   .doc = "How much one answer may bring of one partition; a "
				  "first batch that is larger still comes whole."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "bytes",
	},
	{
		.option = {.name = "max.poll.records", .type = KLAMM_OPTION_INT,
			   .offset = AT(max_poll_records), .def = "500",
			   .range = "1..",
			   .doc = "How many records klamm_consumer_read() returns at "
				  "most. klamm_consumer_poll() hands out whole batches, "
				  "whose iterator may stop anywhere."},
		.roles = KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "isolation.level", .type = KLAMM_OPTION_ENUM,
			   .offset = AT(isolation_level), .def = "read_uncommitted",
			   .range = "read_uncommitted|read_committed",
			   .doc = "Whether records of open and aborted transactions are "
				  "skipped. A partition is then read up to the first open "
				  "transaction."},
		.roles = KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "key.deserializer", .type = KLAMM_OPTION_STRING,
			   .offset = AT(key_deserializer),
			   .doc = "The plugin that makes values of keys when asked; "
				  "without one they stay bytes."},
		.roles = KLAMM_ROLE_CONSUMER, .kind = KLAMM_KIND_SERIALIZER,
		.example = "string",
	},
	{
		.option = {.name = "value.deserializer", .type = KLAMM_OPTION_STRING,
			   .offset = AT(value_deserializer),
			   .doc = "The plugin that makes values of values when asked; "
				  "without one they stay bytes."},
		.roles = KLAMM_ROLE_CONSUMER, .kind = KLAMM_KIND_SERIALIZER,
		.example = "json",
	},
	{
		.option = {.name = "deserializer.encoding", .type = KLAMM_OPTION_STRING,
			   .def = "UTF-8", .range = KL_ENCODINGS,
			   .doc = "The encoding of the text that the deserializers "
				  "string and uuid read."},
		.roles = KLAMM_ROLE_CONSUMER, .reader = "serializer_string serializer_uuid",
		.words = KL_ENCODING_WORDS,
	},
	{
		.option = {.name = "key.deserializer.encoding", .type = KLAMM_OPTION_STRING,
			   .range = KL_ENCODINGS, .doc = "The same for keys alone."},
		.roles = KLAMM_ROLE_CONSUMER, .reader = "serializer_string serializer_uuid",
		.words = KL_ENCODING_WORDS, .example = "ISO-8859-1",
	},
	{
		.option = {.name = "value.deserializer.encoding", .type = KLAMM_OPTION_STRING,
			   .range = KL_ENCODINGS, .doc = "The same for values alone."},
		.roles = KLAMM_ROLE_CONSUMER, .reader = "serializer_string serializer_uuid",
		.words = KL_ENCODING_WORDS, .example = "ISO-8859-1",
	},
	{
		.option = {.name = "enable.auto.commit", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(enable_auto_commit), .def = "true",
			   .aliases = "auto.commit.enable",
			   .doc = "Whether positions are committed for the group now "
				  "and then without being asked. Without a group.id: false."},
		.roles = KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "auto.commit.interval.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(auto_commit_interval_ms), .def = "5000",
			   .range = "0..",
			   .doc = "The time between two such commits."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "ms",
	},
	{
		.option = {.name = "exclude.internal.topics", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(exclude_internal_topics), .def = "true",
			   .doc = "Whether a pattern leaves out the brokers' own topics."},
		.roles = KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "group.id", .type = KLAMM_OPTION_STRING,
			   .offset = AT(group_id),
			   .doc = "The group that offsets are committed for, and read "
				  "on from."},
		.roles = KLAMM_ROLE_CONSUMER, .check = kl_check_nonempty,
		.example = "orders",
	},
	{
		.option = {.name = "group.instance.id", .type = KLAMM_OPTION_STRING,
			   .offset = AT(group_instance_id),
			   .doc = "A name that makes a member static: it may come back "
				  "within session.timeout.ms without a rebalance "
				  "(KIP-345)."},
		.roles = KLAMM_ROLE_CONSUMER,
		.check = kl_check_instance_id, .example = "orders-1",
	},
	{
		.option = {.name = "group.protocol", .type = KLAMM_OPTION_ENUM,
			   .offset = AT(group_protocol), .def = "classic",
			   .range = "classic|consumer",
			   .doc = "Which rules groups work by: the clients assign, or "
				  "the broker does (KIP-848; Apache Kafka 4.0)."},
		.roles = KLAMM_ROLE_CONSUMER,
	},
	{
		.option = {.name = "group.remote.assignor", .type = KLAMM_OPTION_STRING,
			   .offset = AT(group_remote_assignor),
			   .doc = "With group.protocol=consumer, the assignor that the "
				  "broker is to use: the one that most members name, "
				  "or else its own choice."},
		.roles = KLAMM_ROLE_CONSUMER,
		.check = kl_check_nonempty, .example = "uniform",
	},
	{
		.option = {.name = "heartbeat.interval.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(heartbeat_interval_ms), .def = "3000",
			   .range = "1..",
			   .doc = "How often a member tells the coordinator that it "
				  "lives: less than session.timeout.ms, best a third."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "ms",
	},
	{
		.option = {.name = "session.timeout.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(session_timeout_ms), .def = "45000",
			   .range = "1..",
			   .doc = "A member that is silent for longer is put out of its "
				  "group. Brokers have limits for it "
				  "(group.min.session.timeout.ms, and max)."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "ms",
	},
	{
		.option = {.name = "max.poll.interval.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(max_poll_interval_ms), .def = "300000",
			   .range = "1..",
			   .doc = "A member that does not call poll() for longer gives "
				  "up its partitions; and how long others wait for it "
				  "in a rebalance."},
		.roles = KLAMM_ROLE_CONSUMER, .unit = "ms",
	},
	{
		.option = {.name = "partition.assignment.strategy",
			   .type = KLAMM_OPTION_LIST,
			   .offset = AT(partition_assignment_strategy),
			   .def = "range,cooperative_sticky",
			   .doc = "Assignor plugins that this member offers, the "
				  "preferred one first; all members have to have one "
				  "of them in common."},
		.roles = KLAMM_ROLE_CONSUMER,
		.kind = KLAMM_KIND_ASSIGNOR,
	},
	{
		.option = {.name = "share.acknowledgement.mode",
			   .type = KLAMM_OPTION_ENUM, .def = "implicit",
			   .range = "implicit|explicit",
			   .doc = "Whether a share consumer accepts records by polling "
				  "on or one by one (KIP-932)."},
		.roles = KLAMM_ROLE_CONSUMER, .status = KL_STATUS_OTHER,
		.owner = "share consumers",
		.instead = "a consumer of klamm is none, and reads as it would without it",
	},
	{
		.option = {.name = "share.acquire.mode", .type = KLAMM_OPTION_ENUM,
			   .def = "batch_optimized",
			   .range = "batch_optimized|record_limit",
			   .doc = "Whether a share consumer locks whole batches or no "
				  "more than it asked for (KIP-1206)."},
		.roles = KLAMM_ROLE_CONSUMER, .status = KL_STATUS_OTHER,
		.owner = "share consumers",
		.instead = "a consumer of klamm is none, and reads as it would without it",
	},
	{
		.option = {.name = "internal.throw.on.fetch.stable.offset.unsupported",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "A switch inside Java's streams library for very old "
				  "brokers."},
		.roles = KLAMM_ROLE_CONSUMER, .status = KL_STATUS_JVM,
	},
};

const struct kl_conf_rows kl_conf_consumer_rows = {rows, kl_countof(rows), "Consumer"};
