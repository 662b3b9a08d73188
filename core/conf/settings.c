/* SPDX-License-Identifier: BSD-2-Clause */
/* From texts to struct kl_settings. */
#include "core/base/error.h"
#include "core/base/option.h"
#include "core/conf/object.h"

static int store_list(const struct kl_conf_row *row, const char *text,
		      struct kl_settings *settings, struct kl_arena *arena)
{
	struct klamm_span element;
	size_t n = 0;
	for (const char *p = text; kl_list_next(&p, &element);)
		n++;
	const char **v = kl_arena_array(arena, n, sizeof(*v));
	if (v == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (size_t i = 0; i < n && kl_list_next(&text, &element); i++) {
		v[i] = kl_arena_text(arena, element.data, element.len);
		if (v[i] == NULL)
			return KLAMM_ERR_NO_MEMORY;
	}
	*(struct kl_strlist *)((char *)settings + row->option.offset) =
		(struct kl_strlist){.v = v, .n = n};
	return 0;
}

static int store(const struct kl_conf_row *row, const char *text,
		 struct kl_settings *settings, struct kl_arena *arena)
{
	if (row->fill != NULL)
		return row->fill(row, text, settings, arena);
	if (row->option.type == KLAMM_OPTION_LIST)
		return store_list(row, text, settings, arena);
	if (row->option.type == KLAMM_OPTION_STRING) {
		/* Borrowed: it stays in the configuration or in the table. */
		*(const char **)((char *)settings + row->option.offset) = text;
		return 0;
	}
	kl_option_store(&row->option, text, arena, settings, NULL);
	if (row->values != NULL) {
		int32_t *number = (int32_t *)((char *)settings + row->option.offset);
		*number = row->values[*number];
	}
	return 0;
}

/* KIP-679: idempotence is there unless something speaks against it; who asks for it hears of
 * that (check.c). */
static void follow_idempotence(const struct klamm_conf *conf, struct kl_settings *s)
{
	s->enable_idempotence_asked =
		s->transactional_id != NULL ||
		(s->enable_idempotence && kl_conf_is_set(conf, "enable.idempotence"));
	if (!s->enable_idempotence_asked &&
	    (s->acks != KL_ACKS_ALL || s->retries == 0 ||
	     s->max_in_flight_requests_per_connection > KL_IDEMPOTENT_IN_FLIGHT_MAX))
		s->enable_idempotence = false;
}

/* Values that follow others unless they were set themselves. */
static void follow(const struct klamm_conf *conf, int32_t role, struct kl_settings *s)
{
	if (role == KLAMM_ROLE_PRODUCER &&
	    !kl_conf_is_set(conf, "delivery.timeout.ms")) {
		int64_t least = kl_min(s->linger_ms, INT32_MAX) + s->request_timeout_ms;
		least = kl_min(least, INT32_MAX);
		s->delivery_timeout_ms = (int32_t)kl_max(s->delivery_timeout_ms, least);
	}
	if (role == KLAMM_ROLE_PRODUCER)
		follow_idempotence(conf, s);
	if (role == KLAMM_ROLE_ADMIN && !kl_conf_is_set(conf, "default.api.timeout.ms"))
		s->default_api_timeout_ms =
			kl_max(s->default_api_timeout_ms, s->request_timeout_ms);
	if (role == KLAMM_ROLE_CONSUMER && s->group_id == NULL &&
	    !kl_conf_is_set(conf, "enable.auto.commit"))
		s->enable_auto_commit = false; /* as in Kafka's own client */
	if (role == KLAMM_ROLE_CONSUMER) {
		/* A broker may send one batch more than it was asked for, and a head.
		 */
		int64_t need = (int64_t)s->fetch_max_bytes +
			       s->max_partition_fetch_bytes + 512 * 1024;
		need = kl_min(need, INT32_MAX);
		s->klamm_receive_message_max =
			(int32_t)kl_max(s->klamm_receive_message_max, need);
	}
}

int kl_conf_fill(const struct klamm_conf *conf, int32_t role,
		 struct kl_settings *settings, struct kl_arena *arena)
{
	*settings = (struct kl_settings){.role = role};
	for (size_t i = 0; i < kl_conf_row_count(); i++) {
		const struct kl_conf_row *row = kl_conf_row(i);
		const char *text = kl_conf_row_text(conf, i, role);
		if (row->option.offset == 0 || (row->roles & role) == 0 || text == NULL)
			continue;
		if (store(row, text, settings, arena) != 0)
			return KLAMM_ERR_NO_MEMORY;
	}
	follow(conf, role, settings);
	return 0;
}

int kl_conf_settings(struct klamm_conf *conf, int32_t role,
		     const struct kl_settings **settings_out, struct klamm_error *err)
{
	if (role != KLAMM_ROLE_PRODUCER && role != KLAMM_ROLE_CONSUMER &&
	    role != KLAMM_ROLE_ADMIN)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "%d is not one role",
				role);
	struct kl_settings **made = &conf->settings[role >> 1];
	if (*made == NULL) {
		int rc = klamm_conf_check(conf, role, NULL, NULL, err);
		if (rc != 0)
			return rc;
		struct kl_settings *s = kl_arena_alloc(&conf->arena, sizeof(*s));
		if (s == NULL || kl_conf_fill(conf, role, s, &conf->arena) != 0)
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for settings");
		*made = s;
	}
	*settings_out = *made;
	return 0;
}
