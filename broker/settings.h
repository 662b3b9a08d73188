/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings of brokers that Kafka has and that do something here, beside those that are
 * options. All nodes have the same. */
#ifndef KL_DEV_SETTINGS_H
#define KL_DEV_SETTINGS_H

#include <klamm/plugin.h>

#define KL_DEV_SETTING_ROWS 33

/* The first of them is the one for members that want none. */
#define KL_DEV_ASSIGNORS "uniform,range|range,uniform|uniform|range"

/* May a group that has members change its protocol, to that of KIP-848 and back? */
enum kl_dev_migration {
	KL_DEV_MIGRATES,
	KL_DEV_UPGRADES,
	KL_DEV_DOWNGRADES,
	KL_DEV_STAYS, /* nor have members of both */
};
#define KL_DEV_MIGRATIONS "bidirectional|upgrade|downgrade|disabled"

struct kl_dev_limits {
	/* Of classic groups. */
	int32_t group_delay_ms; /* so long one that was empty waits for more members */
	int32_t group_min_session_ms, group_max_session_ms;
	int32_t group_max_size;
	/* Of modern ones. */
	int32_t modern_assignors; /* a word of KL_DEV_ASSIGNORS */
	int32_t modern_assignment_ms; /* targets are worked out no sooner again */
	int32_t modern_heartbeat_ms, modern_session_ms;
	int32_t modern_max_size;
	int32_t modern_migration; /* enum kl_dev_migration */
	int32_t modern_regex_ms; /* patterns are held to the topics again */
	/* Of the features that Kafka calls so: 0 or 1, and 0, 1 or 2. */
	int32_t group_version;
	int32_t transaction_version;
	int32_t transaction_max_timeout_ms;
	int32_t transaction_partitions; /* of __transaction_state */
	int32_t abort_interval_ms;      /* how often late transactions are looked for */
	int32_t transactional_id_interval_ms;
	int32_t transactional_id_ms; /* forgotten when nobody used it for so long */
	bool verify_partitions;
	bool two_phase_commit;
	int32_t producer_id_ms, producer_id_interval_ms;
	int32_t offsets_partitions; /* of __consumer_offsets */
	int32_t offsets_minutes;    /* kept for so long after they were committed */
	int64_t offsets_interval_ms;
	int32_t offset_metadata_max;
	int32_t connections, connections_per_ip; /* to each node */
	int64_t idle_ms;          /* a connection at rest is closed */
	int32_t fetch_sessions;   /* of each node */
	int32_t replica_selector; /* enum kl_dev_selector */
	int64_t cleaner_backoff_ms;
	int64_t cleaner_keys; /* bytes for the keys of one compaction */
};

/* Which replica a client is sent to: the leader, or one in its rack (KIP-392). */
enum kl_dev_selector {
	KL_DEV_SELECT_LEADER,
	KL_DEV_SELECT_RACK,
};

extern const struct klamm_option kl_dev_setting_rows[KL_DEV_SETTING_ROWS];

void kl_dev_limits_init(struct kl_dev_limits *limits);
/* "key=value". INVALID_ARGUMENT. */
int kl_dev_limits_set(struct kl_dev_limits *limits, const char *text, struct klamm_error *err);
/* The value in force of a row, as text. */
#define KL_DEV_SETTING_TEXT 64
void kl_dev_setting_print(const struct kl_dev_limits *limits, const struct klamm_option *row,
			  char text[static KL_DEV_SETTING_TEXT]);

#endif
