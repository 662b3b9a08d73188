/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/configs.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/option.h"

#define NOT_USED SIZE_MAX
#define BOOL(name_, def_)                                                               \
	{.name = name_, .type = KLAMM_OPTION_BOOL, .offset = NOT_USED, .def = def_}
#define INT(name_, def_, range_)                                                        \
	{.name = name_, .type = KLAMM_OPTION_INT, .offset = NOT_USED, .def = def_,       \
	 .range = range_}
#define LONG(name_, def_, range_)                                                       \
	{.name = name_, .type = KLAMM_OPTION_LONG, .offset = NOT_USED, .def = def_,      \
	 .range = range_}
#define TEXT(name_, type_, def_, range_)                                                \
	{.name = name_, .type = type_, .offset = NOT_USED, .def = def_, .range = range_}
#define USED(member) .offset = offsetof(struct kl_dev_config, member)

/* Of one value; Kafka takes what fits a message. */
#define VALUE_MAX 4096

#define LONG_MAX_TEXT "9223372036854775807"

const struct klamm_option kl_dev_config_rows[KL_DEV_CONFIGS] = {
	TEXT("cleanup.policy", KLAMM_OPTION_LIST, "delete", "compact|delete"),
	INT("compression.gzip.level", "-1", "-1|1..9"),
	INT("compression.lz4.level", "9", "1..17"),
	TEXT("compression.type", KLAMM_OPTION_STRING, "producer",
	     "uncompressed|zstd|lz4|snappy|gzip|producer"),
	INT("compression.zstd.level", "3", "-131072..22"),
	{.name = "delete.retention.ms", .type = KLAMM_OPTION_LONG, .def = "86400000",
	 .range = "0..", USED(delete_retention_ms)},
	BOOL("errors.deadletterqueue.group.enable", "false"),
	LONG("file.delete.delay.ms", "60000", "0.."),
	LONG("flush.messages", LONG_MAX_TEXT, "1.."),
	LONG("flush.ms", LONG_MAX_TEXT, "0.."),
	TEXT("follower.replication.throttled.replicas", KLAMM_OPTION_LIST, "", NULL),
	INT("index.interval.bytes", "4096", "0.."),
	TEXT("leader.replication.throttled.replicas", KLAMM_OPTION_LIST, "", NULL),
	LONG("local.retention.bytes", "-2", "-2.."),
	LONG("local.retention.ms", "-2", "-2.."),
	{.name = "max.compaction.lag.ms", .type = KLAMM_OPTION_LONG, .def = LONG_MAX_TEXT,
	 .range = "1..", USED(max_lag_ms)},
	INT("max.decompressed.message.bytes", "2147483639", "1..2147483639"),
	{.name = "max.message.bytes", .type = KLAMM_OPTION_INT, .range = "0..",
	 USED(message_max)},
	{.name = "message.timestamp.after.max.ms", .type = KLAMM_OPTION_LONG,
	 .def = "3600000", .range = "0..", USED(after_max)},
	{.name = "message.timestamp.before.max.ms", .type = KLAMM_OPTION_LONG,
	 .def = LONG_MAX_TEXT, .range = "0..", USED(before_max)},
	{.name = "message.timestamp.type", .type = KLAMM_OPTION_ENUM, .def = "CreateTime",
	 .range = "CreateTime|LogAppendTime", USED(timestamp_type)},
	{.name = "min.cleanable.dirty.ratio", .type = KLAMM_OPTION_DOUBLE, .def = "0.5",
	 .range = "0..1", USED(dirty_ratio)},
	{.name = "min.compaction.lag.ms", .type = KLAMM_OPTION_LONG, .def = "0",
	 .range = "0..", USED(min_lag_ms)},
	INT("min.insync.replicas", "1", "1.."),
	BOOL("preallocate", "false"),
	LONG("remote.copy.lag.bytes", "-1", "-1.."),
	LONG("remote.copy.lag.ms", "0", "-1.."),
	BOOL("remote.log.copy.disable", "false"),
	BOOL("remote.log.delete.on.disable", "false"),
	BOOL("remote.storage.enable", "false"),
	{.name = "retention.bytes", .type = KLAMM_OPTION_LONG, .def = "-1",
	 USED(retention_bytes)},
	{.name = "retention.ms", .type = KLAMM_OPTION_LONG, .def = "604800000",
	 .range = "-1..", USED(retention_ms)},
	{.name = "segment.bytes", .type = KLAMM_OPTION_INT, .def = "1073741824",
	 .range = "1048576..", USED(segment_bytes)},
	INT("segment.index.bytes", "10485760", "4.."),
	LONG("segment.jitter.ms", "0", "0.."),
	{.name = "segment.ms", .type = KLAMM_OPTION_LONG, .def = "604800000", .range = "1..",
	 USED(segment_ms)},
	BOOL("unclean.leader.election.enable", "false"),
};

void kl_dev_settings_init(struct kl_dev_settings *settings, int32_t message_max)
{
	*settings = (struct kl_dev_settings){.config = {
		.timestamp_type = KLAMM_TIMESTAMP_CREATE,
		.message_max = message_max,
		.before_max = INT64_MAX,
		.after_max = 3600000,
		.segment_bytes = 1 << 30,
		.segment_ms = INT64_C(604800000),
		.retention_bytes = -1,
		.retention_ms = INT64_C(604800000),
		.deletes = true,
		.dirty_ratio = 0.5,
		.delete_retention_ms = 86400000,
		.max_lag_ms = INT64_MAX,
	}};
}

void kl_dev_settings_free(struct kl_dev_settings *settings)
{
	for (int i = 0; i < KL_DEV_CONFIGS; i++)
		free(settings->values[i]);
	*settings = (struct kl_dev_settings){0};
}

static int find_row(struct kl_str name)
{
	for (int i = 0; i < KL_DEV_CONFIGS; i++)
		if (kl_str_is(name, kl_dev_config_rows[i].name))
			return i;
	return -1;
}

int kl_dev_settings_set(struct kl_dev_settings *settings, struct kl_str name,
			struct kl_str value, struct klamm_error *err)
{
	int i = find_row(name);
	if (i < 0)
		return kl_error(err, KLAMM_ERR_INVALID_CONFIG,
				"topics have no setting called %.*s",
				(int)kl_max(name.len, 0), name.p);
	const struct klamm_option *row = &kl_dev_config_rows[i];
	if (value.len < 0)
		return kl_error(err, KLAMM_ERR_INVALID_CONFIG,
				"%s: a setting needs a value", row->name);
	if (value.len > VALUE_MAX)
		return kl_error(err, KLAMM_ERR_INVALID_CONFIG,
				"%s: a value of more than %d bytes", row->name, VALUE_MAX);
	char *text = strndup(value.p ?: "", (size_t)value.len);
	if (text == NULL)
		return kl_error(err, KLAMM_ERR_KAFKA_STORAGE_ERROR, "out of memory");
	struct kl_arena strings = {0};
	bool used = row->offset != NOT_USED;
	struct klamm_error why;
	int rc = kl_option_store(row, text, &strings, used ? &settings->config : NULL, &why);
	kl_arena_free(&strings);
	if (rc != 0) {
		free(text);
		return kl_error(err, KLAMM_ERR_INVALID_CONFIG, "%s", why.text);
	}
	free(settings->values[i]);
	settings->values[i] = text;
	if (strcmp(row->name, "cleanup.policy") == 0) {
		settings->config.deletes = strstr(text, "delete") != NULL;
		settings->config.compacts = strstr(text, "compact") != NULL;
	}
	return 0;
}

/* As Kafka's LogConfig.validateValues(). */
int kl_dev_settings_check(const struct kl_dev_settings *settings, struct klamm_error *err)
{
	const struct kl_dev_config *config = &settings->config;
	if (config->min_lag_ms <= config->max_lag_ms)
		return 0;
	return kl_error(err, KLAMM_ERR_INVALID_CONFIG,
			"min.compaction.lag.ms (%lld) is more than max.compaction.lag.ms "
			"(%lld)",
			(long long)config->min_lag_ms, (long long)config->max_lag_ms);
}

const char *kl_dev_settings_text(const struct kl_dev_settings *settings, int i,
				 struct kl_arena *arena)
{
	const struct klamm_option *row = &kl_dev_config_rows[i];
	if (settings->values[i] != NULL)
		return settings->values[i];
	if (row->def != NULL)
		return row->def;
	char text[16];
	int n = snprintf(text, sizeof(text), "%d", (int)settings->config.message_max);
	return kl_arena_text(arena, text, (size_t)n);
}

int8_t kl_dev_config_type(const struct klamm_option *row)
{
	switch (row->type) {
	case KLAMM_OPTION_BOOL:
		return 1;
	case KLAMM_OPTION_INT:
		return 3;
	case KLAMM_OPTION_LONG:
		return 5;
	case KLAMM_OPTION_DOUBLE:
		return 6;
	case KLAMM_OPTION_LIST:
		return 7;
	default:
		return 2; /* STRING */
	}
}
