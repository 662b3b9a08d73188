/* SPDX-License-Identifier: BSD-2-Clause */
/* What the members of a classic group of consumers subscribe to: what is committed for it does
 * not expire and is not deleted. */
#include <stdlib.h>

#include "broker/groups.h"

struct kl_dev_group_topic {
	UT_hash_handle hh;
	char name[];
};

void kl_dev_classic_forget_topics(struct kl_dev_group *group)
{
	struct kl_dev_group_topics *topics = &group->classic.topics;
	struct kl_dev_group_topic *topic, *next;
	HASH_ITER(hh, topics->by_name, topic, next)
	{
		HASH_DEL(topics->by_name, topic);
		free(topic);
	}
	topics->known = false;
}

static struct kl_dev_group_topic *find(const struct kl_dev_group *group, struct kl_str name)
{
	struct kl_dev_group_topic *topic = NULL;
	HASH_FIND(hh, group->classic.topics.by_name, name.p, (unsigned)kl_max(name.len, 0),
		  topic);
	return topic;
}

bool kl_dev_classic_has_topic(const struct kl_dev_group *group, struct kl_str topic)
{
	return find(group, topic) != NULL;
}

static bool add(struct kl_dev_group *group, struct kl_str name)
{
	if (name.len < 0 || name.len > KL_DEV_TOPIC_NAME_MAX || find(group, name) != NULL)
		return true; /* there is no such topic, or it is there */
	struct kl_dev_group_topic *topic = malloc(sizeof(*topic) + (size_t)name.len);
	if (topic == NULL)
		return false;
	memcpy(topic->name, name.p, (size_t)name.len);
	bool added = true;
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
	HASH_ADD(hh, group->classic.topics.by_name, name, (unsigned)name.len, topic);
	if (!added)
		free(topic);
	return added;
}

/* Version 0 is how all versions of a subscription begin. false: it is none, or out of
 * memory. */
static bool add_subscription(struct kl_dev_group *group, struct kl_bytes metadata)
{
	struct kl_reader reader = kl_reader(metadata.p, (size_t)kl_max(metadata.len, 0));
	struct kl_arena arena = {0};
	void *obj;
	kl_read_i16(&reader);
	bool ok = !reader.failed &&
		  kl_msg_decode(&kl_msg_consumer_protocol_subscription, 0, &reader, &arena,
				&obj, NULL) == 0;
	if (ok) {
		const struct kl_consumer_protocol_subscription *subscription = obj;
		for (int32_t i = 0; ok && i < subscription->topics_n; i++)
			ok = add(group, subscription->topics[i]);
	}
	kl_arena_free(&arena);
	return ok;
}

/* Who is not known to subscribe may subscribe to anything: that is the safe side, also when
 * memory is short. */
void kl_dev_classic_read_topics(struct kl_dev_group *group)
{
	const struct kl_dev_classic *classic = &group->classic;
	struct kl_dev_member *member, *next;
	bool ok = kl_dev_classic_uses_consumers(group);
	kl_dev_classic_forget_topics(group);
	HASH_ITER(hh, classic->members, member, next)
	{
		const struct kl_bytes *metadata =
			kl_dev_member_metadata(member, kl_str(classic->protocol));
		ok = ok && metadata != NULL && add_subscription(group, *metadata);
	}
	if (!ok)
		kl_dev_classic_forget_topics(group);
	group->classic.topics.known = ok;
}
