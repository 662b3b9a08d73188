/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of classic groups: who they are, what they offer, what they have. */
#include <stdlib.h>

#include "broker/groups.h"

/* --- made and freed --- */

static struct kl_str put_text(char **at, struct kl_str text)
{
	if (text.len < 0)
		return KL_STR_NULL;
	struct kl_str copy = {*at, text.len};
	memcpy(*at, text.p ?: "", (size_t)text.len);
	*at += text.len;
	return copy;
}

static size_t length(struct kl_str text)
{
	return (size_t)kl_max(text.len, 0);
}

struct kl_dev_member *kl_dev_member_new(struct kl_dev_group *group,
					const struct kl_dev_member_spec *spec)
{
	struct klamm_broker *broker = group->broker;
	size_t texts = length(spec->id) + length(spec->instance) + length(spec->client_id) +
		       length(spec->client_host);
	size_t bytes = sizeof(struct kl_dev_member) + texts;
	if (!kl_dev_groups_take(broker, bytes))
		return NULL;
	struct kl_dev_member *member = calloc(1, bytes);
	if (member == NULL || kl_timer_init(broker->loop, &member->session,
					    kl_dev_classic_on_session, NULL) != 0) {
		kl_dev_groups_give(broker, bytes);
		free(member);
		return NULL;
	}
	char *at = member->texts;
	member->id = put_text(&at, spec->id);
	member->instance = put_text(&at, spec->instance);
	member->client_id = put_text(&at, spec->client_id);
	member->client_host = put_text(&at, spec->client_host);
	member->group = group;
	member->session_ms = spec->session_ms;
	member->rebalance_ms = spec->rebalance_ms;
	member->bytes = bytes;
	kl_list_init(&member->join);
	kl_list_init(&member->sync);
	return member;
}

void kl_dev_member_free(struct kl_dev_member *member)
{
	struct kl_dev_classic *classic = &member->group->classic;
	struct klamm_broker *broker = member->group->broker;
	if (member->hh.tbl != NULL)
		HASH_DEL(*member->table, member);
	if (member->by_instance.tbl != NULL)
		HASH_DELETE(by_instance, classic->by_instance, member);
	kl_timer_drop(broker->loop, &member->session);
	kl_list_remove(&member->join);
	kl_list_remove(&member->sync);
	kl_dev_groups_give(broker, member->bytes);
	free(member->offers);
	free((void *)member->assigned.p);
	free((void *)member->next.p);
	free(member);
}

void kl_dev_member_inherit(struct kl_dev_member *member, struct kl_dev_member *old)
{
	size_t bytes = (old->offers != NULL ? old->offers->bytes : 0) +
		       (size_t)old->assigned.len + (size_t)old->next.len;
	member->offers = old->offers;
	member->assigned = old->assigned;
	member->next = old->next;
	member->bytes += bytes;
	old->bytes -= bytes;
	old->offers = NULL;
	old->assigned = old->next = (struct kl_bytes){0};
}

/* --- in the tables --- */

bool kl_dev_member_enter(struct kl_dev_member *member)
{
	struct kl_dev_classic *classic = &member->group->classic;
	bool added = true;
	member->table = &classic->members;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD_KEYPTR(hh, classic->members, member->id.p, (unsigned)member->id.len, member);
	if (added && member->instance.len >= 0)
		HASH_ADD_KEYPTR(by_instance, classic->by_instance, member->instance.p,
				(unsigned)member->instance.len, member);
	return added;
}

bool kl_dev_member_expect(struct kl_dev_member *member)
{
	bool added = true;
	member->table = &member->group->classic.expected;
	HASH_ADD_KEYPTR(hh, member->group->classic.expected, member->id.p,
			(unsigned)member->id.len, member);
	return added;
}

struct kl_dev_member *kl_dev_member_find(const struct kl_dev_group *group, struct kl_str id)
{
	struct kl_dev_member *member = NULL;
	HASH_FIND(hh, group->classic.members, id.p, (unsigned)length(id), member);
	return member;
}

struct kl_dev_member *kl_dev_member_expected(const struct kl_dev_group *group,
					     struct kl_str id)
{
	struct kl_dev_member *member = NULL;
	HASH_FIND(hh, group->classic.expected, id.p, (unsigned)length(id), member);
	return member;
}

struct kl_dev_member *kl_dev_member_static(const struct kl_dev_group *group,
					   struct kl_str instance)
{
	struct kl_dev_member *member = NULL;
	if (instance.len >= 0)
		HASH_FIND(by_instance, group->classic.by_instance, instance.p,
			  (unsigned)instance.len, member);
	return member;
}

int kl_dev_member_check(const struct kl_dev_group *group, struct kl_str id,
			struct kl_str instance)
{
	const struct kl_dev_member *known = kl_dev_member_static(group, instance);
	if (known != NULL && !kl_str_equal(known->id, id))
		return KLAMM_ERR_FENCED_INSTANCE_ID;
	if ((instance.len >= 0 && known == NULL) || kl_dev_member_find(group, id) == NULL)
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	return 0;
}

void kl_dev_member_alive(struct kl_dev_member *member, int64_t ms)
{
	struct klamm_loop *loop = member->group->broker->loop;
	kl_timer_set(loop, &member->session, loop->now + ms * KL_MS);
}

/* --- what they offer --- */

static size_t bytes_of(const struct kl_join_group_request_protocol *protocols, int32_t n)
{
	size_t bytes = sizeof(struct kl_dev_offers) + (size_t)n * sizeof(struct kl_dev_offer);
	for (int32_t i = 0; i < n; i++)
		bytes += length(protocols[i].name) +
			 (size_t)kl_max(protocols[i].metadata.len, 0);
	return bytes;
}

bool kl_dev_member_offer(struct kl_dev_member *member,
			 const struct kl_join_group_request_protocol *protocols, int32_t n)
{
	struct klamm_broker *broker = member->group->broker;
	size_t bytes = bytes_of(protocols, n);
	if (!kl_dev_groups_take(broker, bytes))
		return false;
	struct kl_dev_offers *offers = malloc(bytes);
	if (offers == NULL) {
		kl_dev_groups_give(broker, bytes);
		return false;
	}
	*offers = (struct kl_dev_offers){.bytes = bytes, .count = n};
	char *at = (char *)&offers->list[n];
	for (int32_t i = 0; i < n; i++) {
		struct kl_bytes metadata = protocols[i].metadata;
		offers->list[i].name = put_text(&at, protocols[i].name);
		offers->list[i].metadata = (struct kl_bytes){(uint8_t *)at,
							     kl_max(metadata.len, 0)};
		memcpy(at, metadata.p ?: (const uint8_t *)"", (size_t)kl_max(metadata.len, 0));
		at += kl_max(metadata.len, 0);
	}
	if (member->offers != NULL)
		kl_dev_groups_give(broker, member->offers->bytes);
	member->bytes += bytes - (member->offers != NULL ? member->offers->bytes : 0);
	free(member->offers);
	member->offers = offers;
	return true;
}

bool kl_dev_member_offers(const struct kl_dev_member *member,
			  const struct kl_join_group_request_protocol *protocols, int32_t n)
{
	const struct kl_dev_offers *offers = member->offers;
	if (offers->count != n)
		return false;
	for (int32_t i = 0; i < n; i++) {
		const struct kl_dev_offer *offer = &offers->list[i];
		struct kl_bytes metadata = protocols[i].metadata;
		if (!kl_str_equal(offer->name, protocols[i].name) ||
		    offer->metadata.len != kl_max(metadata.len, 0) ||
		    (metadata.len > 0 &&
		     memcmp(offer->metadata.p, metadata.p, (size_t)metadata.len) != 0))
			return false;
	}
	return true;
}

const struct kl_bytes *kl_dev_member_metadata(const struct kl_dev_member *member,
					      struct kl_str protocol)
{
	for (int32_t i = 0; i < member->offers->count; i++)
		if (kl_str_equal(member->offers->list[i].name, protocol))
			return &member->offers->list[i].metadata;
	return NULL;
}

/* --- what they have --- */

bool kl_dev_member_assign(struct kl_dev_member *member, struct kl_bytes *slot,
			  struct kl_bytes assignment)
{
	struct klamm_broker *broker = member->group->broker;
	size_t old = (size_t)slot->len, n = (size_t)kl_max(assignment.len, 0);
	uint8_t *copy = NULL;
	if (n > 0) {
		if (!kl_dev_groups_take(broker, n))
			return false;
		copy = malloc(n);
		if (copy == NULL) {
			kl_dev_groups_give(broker, n);
			return false;
		}
		memcpy(copy, assignment.p, n);
	}
	kl_dev_groups_give(broker, old);
	member->bytes += n - old;
	free((void *)slot->p);
	*slot = (struct kl_bytes){copy, (int32_t)n};
	return true;
}
