/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings of topics that Kafka 4.4 has: all are checked, kept and shown, those
 * of struct kl_dev_config do something. Lives in the broker's loop. */
#ifndef KL_DEV_CONFIGS_H
#define KL_DEV_CONFIGS_H

#include <klamm/plugin.h>

#include "core/proto/msg.h"

#define KL_DEV_CONFIGS 37

extern const struct klamm_option kl_dev_config_rows[KL_DEV_CONFIGS];

/* What those say that do something. */
struct kl_dev_config {
	int32_t timestamp_type; /* enum klamm_timestamp_type */
	int32_t message_max;
	int64_t before_max, after_max; /* ms that a CreateTime may lie behind or before now */
	int32_t segment_bytes;
	int64_t segment_ms;
	int64_t retention_bytes, retention_ms; /* -1 = no limit */
	bool deletes, compacts; /* cleanup.policy */
	double dirty_ratio;
	int64_t delete_retention_ms, min_lag_ms, max_lag_ms; /* of compaction */
};

/* The settings of one topic: texts that were set, NULL = the default. */
struct kl_dev_settings {
	char *values[KL_DEV_CONFIGS];
	struct kl_dev_config config;
};

/* All defaults. */
void kl_dev_settings_init(struct kl_dev_settings *settings, int32_t message_max);
void kl_dev_settings_free(struct kl_dev_settings *settings);
/* INVALID_CONFIG: no such setting, or not such a value. */
int kl_dev_settings_set(struct kl_dev_settings *settings, struct kl_str name,
			struct kl_str value, struct klamm_error *err);
/* The value in force, as text. */
const char *kl_dev_settings_text(const struct kl_dev_settings *settings, int row,
				 struct kl_arena *arena);
/* Do they go together? INVALID_CONFIG. */
int kl_dev_settings_check(const struct kl_dev_settings *settings, struct klamm_error *err);
/* What Kafka's DescribeConfigs calls the type of a row. */
int8_t kl_dev_config_type(const struct klamm_option *row);

#endif
