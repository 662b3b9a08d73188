/* SPDX-License-Identifier: BSD-2-Clause */
#include "broker/settings.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/option.h"

#define AT(member) offsetof(struct kl_dev_limits, member)
#define INT(name_, member, def_, range_)                                                 \
	{.name = name_, .type = KLAMM_OPTION_INT, .offset = AT(member), .def = def_,     \
	 .range = range_}
#define BOOL(name_, member, def_)                                                        \
	{.name = name_, .type = KLAMM_OPTION_BOOL, .offset = AT(member), .def = def_}

const struct klamm_option kl_dev_setting_rows[KL_DEV_SETTING_ROWS] = {
	{.name = "connections.max.idle.ms", .type = KLAMM_OPTION_LONG,
	 .offset = AT(idle_ms), .def = "600000", .range = "1..31536000000"},
	{.name = "group.consumer.assignors", .type = KLAMM_OPTION_ENUM,
	 .offset = AT(modern_assignors), .def = "uniform,range",
	 .range = KL_DEV_ASSIGNORS},
	INT("group.consumer.assignment.interval.ms", modern_assignment_ms, "1000", "0..15000"),
	INT("group.consumer.heartbeat.interval.ms", modern_heartbeat_ms, "5000", "1.."),
	INT("group.consumer.max.size", modern_max_size, "2147483647", "1.."),
	{.name = "group.consumer.migration.policy", .type = KLAMM_OPTION_ENUM,
	 .offset = AT(modern_migration), .def = "bidirectional", .range = KL_DEV_MIGRATIONS},
	INT("group.consumer.regex.refresh.interval.ms", modern_regex_ms, "600000",
	    "10000.."),
	INT("group.consumer.session.timeout.ms", modern_session_ms, "45000", "1.."),
	INT("group.initial.rebalance.delay.ms", group_delay_ms, "0", "0.."),
	INT("group.max.session.timeout.ms", group_max_session_ms, "1800000", "1.."),
	INT("group.max.size", group_max_size, "2147483647", "1.."),
	INT("group.min.session.timeout.ms", group_min_session_ms, "6000", "1.."),
	INT("group.version", group_version, "1", "0..1"),
	{.name = "log.cleaner.backoff.ms", .type = KLAMM_OPTION_LONG,
	 .offset = AT(cleaner_backoff_ms), .def = "15000", .range = "1.."},
	{.name = "log.cleaner.dedupe.buffer.size", .type = KLAMM_OPTION_LONG,
	 .offset = AT(cleaner_keys), .def = "134217728", .range = "1.."},
	INT("max.connections", connections, "2147483647", "0.."),
	INT("max.connections.per.ip", connections_per_ip, "2147483647", "0.."),
	INT("max.incremental.fetch.session.cache.slots", fetch_sessions, "1000", "0.."),
	INT("offset.metadata.max.bytes", offset_metadata_max, "4096", "0.."),
	{.name = "offsets.retention.check.interval.ms", .type = KLAMM_OPTION_LONG,
	 .offset = AT(offsets_interval_ms), .def = "600000", .range = "1.."},
	INT("offsets.retention.minutes", offsets_minutes, "10080", "1.."),
	INT("offsets.topic.num.partitions", offsets_partitions, "50", "1..10000"),
	INT("producer.id.expiration.check.interval.ms", producer_id_interval_ms, "600000",
	    "1.."),
	INT("producer.id.expiration.ms", producer_id_ms, "86400000", "1.."),
	{.name = "replica.selector.class", .type = KLAMM_OPTION_ENUM,
	 .offset = AT(replica_selector), .def = "none",
	 .range = "none|org.apache.kafka.common.replica.RackAwareReplicaSelector"},
	INT("transaction.abort.timed.out.transaction.cleanup.interval.ms", abort_interval_ms,
	    "10000", "1.."),
	INT("transaction.max.timeout.ms", transaction_max_timeout_ms, "900000", "1.."),
	BOOL("transaction.partition.verification.enable", verify_partitions, "true"),
	INT("transaction.remove.expired.transaction.cleanup.interval.ms",
	    transactional_id_interval_ms, "3600000", "1.."),
	INT("transaction.state.log.num.partitions", transaction_partitions, "50",
	    "1..10000"),
	BOOL("transaction.two.phase.commit.enable", two_phase_commit, "false"),
	INT("transaction.version", transaction_version, "2", "0..2"),
	INT("transactional.id.expiration.ms", transactional_id_ms, "604800000", "1.."),
};

static int store(struct kl_dev_limits *limits, const struct klamm_option *row,
		 const char *value, struct klamm_error *err)
{
	struct kl_arena strings = {0};
	struct klamm_error why;
	int rc = kl_option_store(row, value, &strings, limits, &why);
	kl_arena_free(&strings);
	return rc != 0 ? kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "%s", why.text) : 0;
}

void kl_dev_limits_init(struct kl_dev_limits *limits)
{
	*limits = (struct kl_dev_limits){.transaction_version = 0};
	for (int i = 0; i < KL_DEV_SETTING_ROWS; i++)
		store(limits, &kl_dev_setting_rows[i], kl_dev_setting_rows[i].def, NULL);
}

int kl_dev_limits_set(struct kl_dev_limits *limits, const char *text, struct klamm_error *err)
{
	const char *equal = strchr(text, '=');
	size_t n = equal != NULL ? (size_t)(equal - text) : strlen(text);
	for (int i = 0; i < KL_DEV_SETTING_ROWS && equal != NULL; i++) {
		const struct klamm_option *row = &kl_dev_setting_rows[i];
		if (strncmp(row->name, text, n) == 0 && row->name[n] == '\0')
			return store(limits, row, equal + 1, err);
	}
	return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
			equal != NULL ? "%.*s: this broker has no such setting"
				      : "%.*s: a broker's setting is KEY=VALUE",
			(int)n, text);
}

/* The word at this place of "a|b|c". */
static void print_word(const char *range, int32_t place, char text[static KL_DEV_SETTING_TEXT])
{
	for (; place > 0; place--)
		range = strchr(range, '|') + 1;
	snprintf(text, KL_DEV_SETTING_TEXT, "%.*s", (int)strcspn(range, "|"), range);
}

void kl_dev_setting_print(const struct kl_dev_limits *limits, const struct klamm_option *row,
			  char text[static KL_DEV_SETTING_TEXT])
{
	const char *at = (const char *)limits + row->offset;
	if (row->type == KLAMM_OPTION_BOOL)
		snprintf(text, KL_DEV_SETTING_TEXT, "%s",
			 *(const bool *)at ? "true" : "false");
	else if (row->type == KLAMM_OPTION_ENUM)
		print_word(row->range, *(const int32_t *)at, text);
	else if (row->type == KLAMM_OPTION_LONG)
		snprintf(text, KL_DEV_SETTING_TEXT, "%lld", (long long)*(const int64_t *)at);
	else
		snprintf(text, KL_DEV_SETTING_TEXT, "%d", (int)*(const int32_t *)at);
}
