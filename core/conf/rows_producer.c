/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of the producer. */
#include "core/conf/table.h"

#define AT(member) offsetof(struct kl_settings, member)

static const int32_t acks_values[] = {KL_ACKS_ALL, KL_ACKS_ALL, KL_ACKS_NONE, KL_ACKS_LEADER};

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "acks", .type = KLAMM_OPTION_ENUM, .offset = AT(acks),
			   .def = "all", .range = "all|-1|0|1",
			   .aliases = "request.required.acks",
			   .doc = "Which replicas must have a batch before it counts as "
				  "written: all in sync (all, -1), the leader alone "
				  "(1), or nobody (0: no answer at all)."},
		.roles = KLAMM_ROLE_PRODUCER, .values = acks_values,
	},
	{
		.option = {.name = "batch.size", .type = KLAMM_OPTION_INT,
			   .offset = AT(batch_size), .def = "16384", .range = "0..",
			   .doc = "A batch of one partition is sent when it has grown "
				  "to this size, compressed; a larger record travels "
				  "alone, and 0 sends each record by itself."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "bytes",
	},
	{
		.option = {.name = "buffer.memory", .type = KLAMM_OPTION_LONG,
			   .offset = AT(buffer_memory), .def = "33554432", .range = "0..",
			   .doc = "Memory for records that are not acknowledged yet; "
				  "when it is used up send() waits for up to "
				  "max.block.ms."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "bytes",
	},
	{
		.option = {.name = "buffer.memory.allocation.strategy",
			   .type = KLAMM_OPTION_STRING, .def = "full",
			   .range = "full|incremental",
			   .doc = "How Java's producer takes batches from its pool; "
				  "klamm's batches always grow by need."},
		.roles = KLAMM_ROLE_PRODUCER, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "compression.type", .type = KLAMM_OPTION_STRING,
			   .offset = AT(compression_type), .def = "none",
			   .aliases = "compression.codec",
			   .doc = "The codec plugin that packs batches: none, gzip, "
				  "snappy, lz4, zstd."},
		.roles = KLAMM_ROLE_PRODUCER, .kind = KLAMM_KIND_CODEC,
	},
	{
		.option = {.name = "compression.gzip.level", .type = KLAMM_OPTION_INT,
			   .def = "-1", .range = "-1|1..9",
			   .doc = "How hard gzip works, from 1 (fast) to 9 (small); -1 "
				  "is zlib's choice (KIP-390)."},
		.roles = KLAMM_ROLE_PRODUCER, .reader = "codec_gzip",
	},
	{
		.option = {.name = "compression.lz4.level", .type = KLAMM_OPTION_INT,
			   .def = "9", .range = "1..17",
			   .doc = "How hard lz4 works, from 1 (fast) to 17 (small) "
				  "(KIP-390)."},
		.roles = KLAMM_ROLE_PRODUCER, .reader = "codec_lz4",
	},
	{
		.option = {.name = "compression.zstd.level", .type = KLAMM_OPTION_INT,
			   .def = "3", .range = "-131072..22",
			   .doc = "How hard zstd works: 22 is the smallest, negative "
				  "levels are the fastest (KIP-390)."},
		.roles = KLAMM_ROLE_PRODUCER, .reader = "codec_zstd",
	},
	{
		.option = {.name = "delivery.timeout.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(delivery_timeout_ms), .def = "120000",
			   .range = "0..",
			   .doc = "From send() on, a record that is not acknowledged in "
				  "this time fails, whatever is tried meanwhile "
				  "(KIP-91)."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "ms",
	},
	{
		.option = {.name = "enable.idempotence", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(enable_idempotence), .def = "true",
			   .doc = "Whether brokers see to it that repetitions neither "
				  "double nor reorder records (KIP-98). It needs acks = "
				  "all, retries above 0, at most 5 requests in flight "
				  "and Kafka 0.11; where one of these is set otherwise, "
				  "and this is not set, it is off (KIP-679)."},
		.roles = KLAMM_ROLE_PRODUCER,
	},
	{
		.option = {.name = "key.serializer", .type = KLAMM_OPTION_STRING,
			   .offset = AT(key_serializer),
			   .doc = "The plugin that turns keys given as values into "
				  "bytes; without one keys are bytes already."},
		.roles = KLAMM_ROLE_PRODUCER, .kind = KLAMM_KIND_SERIALIZER,
		.example = "string",
	},
	{
		.option = {.name = "value.serializer", .type = KLAMM_OPTION_STRING,
			   .offset = AT(value_serializer),
			   .doc = "The plugin that turns values into bytes; without one "
				  "they are bytes already."},
		.roles = KLAMM_ROLE_PRODUCER, .kind = KLAMM_KIND_SERIALIZER,
		.example = "json",
	},
	{
		.option = {.name = "serializer.encoding", .type = KLAMM_OPTION_STRING,
			   .def = "UTF-8", .range = KL_ENCODINGS,
			   .doc = "The encoding of the text that the serializers string "
				  "and uuid write."},
		.roles = KLAMM_ROLE_PRODUCER, .reader = "serializer_string serializer_uuid",
		.words = KL_ENCODING_WORDS,
	},
	{
		.option = {.name = "key.serializer.encoding", .type = KLAMM_OPTION_STRING,
			   .range = KL_ENCODINGS, .doc = "The same for keys alone."},
		.roles = KLAMM_ROLE_PRODUCER, .reader = "serializer_string serializer_uuid",
		.words = KL_ENCODING_WORDS, .example = "ISO-8859-1",
	},
	{
		.option = {.name = "value.serializer.encoding", .type = KLAMM_OPTION_STRING,
			   .range = KL_ENCODINGS, .doc = "The same for values alone."},
		.roles = KLAMM_ROLE_PRODUCER, .reader = "serializer_string serializer_uuid",
		.words = KL_ENCODING_WORDS, .example = "ISO-8859-1",
	},
	{
		.option = {.name = "linger.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(linger_ms), .def = "5", .range = "0..",
			   .aliases = "queue.buffering.max.ms",
			   .doc = "How long a batch that is not full waits for more "
				  "records."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "ms",
	},
	{
		.option = {.name = "max.block.ms", .type = KLAMM_OPTION_LONG,
			   .offset = AT(max_block_ms), .def = "60000", .range = "0..",
			   .doc = "How long send() may wait for metadata and for room "
				  "in buffer.memory."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "ms",
	},
	{
		.option = {.name = "max.in.flight.requests.per.connection",
			   .type = KLAMM_OPTION_INT,
			   .offset = AT(max_in_flight_requests_per_connection),
			   .def = "5", .range = "1..", .aliases = "max.in.flight",
			   .doc = "Requests that a broker may owe an answer for at one "
				  "time."},
		.roles = KLAMM_ROLE_PRODUCER,
	},
	{
		.option = {.name = "max.request.size", .type = KLAMM_OPTION_INT,
			   .offset = AT(max_request_size), .def = "1048576",
			   .range = "0..", .aliases = "message.max.bytes",
			   .doc = "The largest record, and the largest Produce request, "
				  "that is sent."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "bytes",
	},
	{
		.option = {.name = "partitioner.class", .type = KLAMM_OPTION_STRING,
			   .offset = AT(partitioner_class), .def = "murmur2",
			   .aliases = "partitioner",
			   .doc = "The plugin that picks partitions: murmur2 goes by "
				  "the key as Java does and spreads records without "
				  "one, consistent_random and fnv1a_random go by it as "
				  "librdkafka and Sarama do, roundrobin takes turns, "
				  "random chance."},
		.roles = KLAMM_ROLE_PRODUCER, .kind = KLAMM_KIND_PARTITIONER,
	},
	{
		.option = {.name = "partitioner.adaptive.partitioning.enable",
			   .type = KLAMM_OPTION_BOOL,
			   .offset = AT(partitioner_adaptive_partitioning_enable),
			   .def = "true",
			   .doc = "Whether records without a key favour partitions "
				  "whose brokers keep up (KIP-794)."},
		.roles = KLAMM_ROLE_PRODUCER,
	},
	{
		.option = {.name = "partitioner.availability.timeout.ms",
			   .type = KLAMM_OPTION_LONG,
			   .offset = AT(partitioner_availability_timeout_ms), .def = "0",
			   .range = "0..",
			   .doc = "Records without a key avoid a partition whose broker "
				  "has not taken a batch for so long; 0 turns this off."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "ms",
	},
	{
		.option = {.name = "partitioner.ignore.keys", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(partitioner_ignore_keys), .def = "false",
			   .doc = "Whether records with a key are spread like those "
				  "without one (KIP-794)."},
		.roles = KLAMM_ROLE_PRODUCER,
	},
	{
		.option = {.name = "partitioner.rack.aware", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(partitioner_rack_aware), .def = "false",
			   .doc = "Whether records without a key go to partitions whose "
				  "leader is in client.rack, as long as there are such "
				  "(KIP-1123)."},
		.roles = KLAMM_ROLE_PRODUCER,
	},
	{
		.option = {.name = "transactional.id", .type = KLAMM_OPTION_STRING,
			   .offset = AT(transactional_id),
			   .doc = "The name that transactions go by, the same after "
				  "every restart; setting it makes the producer "
				  "transactional (KIP-98), and fences an earlier one of "
				  "that name."},
		.roles = KLAMM_ROLE_PRODUCER,
		.check = kl_check_nonempty, .example = "billing-1",
	},
	{
		.option = {.name = "transaction.timeout.ms", .type = KLAMM_OPTION_INT,
			   .offset = AT(transaction_timeout_ms), .def = "60000",
			   .doc = "A transaction that is open for longer is aborted by "
				  "the broker."},
		.roles = KLAMM_ROLE_PRODUCER, .unit = "ms",
	},
	{
		.option = {.name = "transaction.two.phase.commit.enable",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether an outer coordinator decides on commits "
				  "(KIP-939)."},
		.roles = KLAMM_ROLE_PRODUCER, .status = KL_STATUS_INSTEAD,
		.instead = "Kafka's clients have no call yet that would prepare a "
			   "transaction for it",
	},
};

const struct kl_conf_rows kl_conf_producer_rows = {rows, kl_countof(rows), "Producer"};
