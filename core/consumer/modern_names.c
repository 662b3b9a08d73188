/* SPDX-License-Identifier: BSD-2-Clause */
/* Names for the ids of topics, by which a member of a group of KIP-848 is told of them. */
#include <stdlib.h>

#include "core/consumer/consumer.h"
#include "core/consumer/modern_member.h"

/* A topic that only its id was told of. */
struct kl_modern_name {
	UT_hash_handle hh; /* by id */
	struct klamm_uuid id;
	char text[];
};

const char *kl_modern_name_of(struct kl_modern_member *k, const struct klamm_uuid *id)
{
	const struct kl_watch_list *watched = &k->m->watched;
	struct kl_modern_name *name = NULL;
	for (size_t i = 0; i < watched->n; i++)
		if (kl_uuid_equal(&watched->v[i].info->id, id))
			return watched->v[i].info->name;
	HASH_FIND(hh, k->names, id, sizeof(*id), name);
	return name != NULL ? name->text : NULL;
}

static bool knows_all(struct kl_modern_member *k)
{
	const struct kl_modern_set *target = &k->machine.target;
	for (size_t i = 0; i < target->count; i++)
		if (kl_modern_name_of(k, &target->list[i].topic) == NULL)
			return false;
	return true;
}

/* Of topics that a pattern of the broker's means, only a list of all topics tells. */
void kl_modern_ask_names(struct kl_modern_member *k, int64_t *when)
{
	struct klamm_consumer *c = kl_modern_consumer(k);
	if (knows_all(k))
		return;
	if (k->names_at <= c->loop->now) {
		k->names_at = c->loop->now +
			      (int64_t)c->settings->retry_backoff_max_ms * KL_MS;
		if (k->m->regex != NULL)
			kl_cluster_list(&c->cluster, true);
		else
			kl_membership_refresh(k->m);
	}
	*when = kl_min(*when, k->names_at);
}

static void keep_name(struct kl_modern_member *k,
		      const struct kl_metadata_response_topic *topic)
{
	struct kl_modern_name *name = calloc(1, sizeof(*name) + (size_t)topic->name.len + 1);
	bool added = name != NULL;
	if (!added)
		return; /* the next list will do */
	name->id = topic->topic_id;
	memcpy(name->text, topic->name.p, (size_t)topic->name.len);
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, k->names, id, sizeof(name->id), name);
	if (!added)
		free(name);
}

static bool is_in_target(const struct kl_modern_member *k, const struct klamm_uuid *id)
{
	const struct kl_modern_set *target = &k->machine.target;
	for (size_t i = 0; i < target->count; i++)
		if (kl_uuid_equal(&target->list[i].topic, id))
			return true;
	return false;
}

void kl_modern_listing(struct kl_membership *m, const struct kl_metadata_response *body)
{
	struct kl_modern_member *k = m->self;
	for (int32_t i = 0; m->regex != NULL && i < body->topics_n; i++) {
		const struct kl_metadata_response_topic *topic = &body->topics[i];
		if (topic->name.len > 0 && topic->error_code == 0 &&
		    is_in_target(k, &topic->topic_id) &&
		    kl_modern_name_of(k, &topic->topic_id) == NULL)
			keep_name(k, topic);
	}
	if (m->regex != NULL && knows_all(k))
		kl_cluster_list(&kl_modern_consumer(k)->cluster, false);
	kl_membership_changed(m);
}

void kl_modern_drop_names(struct kl_modern_member *k)
{
	struct kl_modern_name *name, *next;
	HASH_ITER(hh, k->names, name, next)
	{
		HASH_DEL(k->names, name);
		free(name);
	}
}
