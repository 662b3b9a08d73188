/* SPDX-License-Identifier: BSD-2-Clause */
/* What a member says in a heartbeat, and what errors in the answer mean. */
#include "core/consumer/modern.h"

#include <stdio.h>

#include "core/base/bug.h"
#include "core/base/error.h"

/* --- the request --- */

/* false: out of memory. */
static bool put_owned(const struct kl_modern_set *owned, struct kl_arena *arena,
		      struct kl_consumer_group_heartbeat_request *body)
{
	struct kl_consumer_group_heartbeat_request_topic *topic =
		kl_type_new(&kl_type_consumer_group_heartbeat_request_topic, arena,
			    owned->count);
	int32_t *index = kl_arena_array(arena, owned->count, sizeof(*index));
	if (topic == NULL || index == NULL)
		return false;
	body->topic_partitions = topic--;
	body->topic_partitions_n = 0;
	for (size_t i = 0; i < owned->count; i++) {
		const struct kl_modern_part *part = &owned->list[i];
		index[i] = part->partition;
		if (i == 0 || !kl_uuid_equal(&part->topic, &part[-1].topic)) {
			topic++;
			topic->topic_id = part->topic;
			topic->partitions = &index[i];
			body->topic_partitions_n++;
		}
		topic->partitions_n++;
	}
	return true;
}

static bool add_all(struct kl_modern_set *set, const struct kl_modern_set *more)
{
	for (size_t i = 0; i < more->count; i++)
		if (!kl_modern_set_add(set, &more->list[i].topic, more->list[i].partition))
			return false;
	return true;
}

/* What it has, and what the application is about to take: if that were not told, and the
 * target changed meanwhile, the coordinator would see it given up, and give it to another
 * member. */
static bool put_taken(const struct kl_modern *member, struct kl_arena *arena,
		      struct kl_consumer_group_heartbeat_request *body)
{
	struct kl_modern_set all = KL_MODERN_SET_NONE;
	bool ok = add_all(&all, &member->owned) && add_all(&all, &member->next);
	kl_modern_set_sort(&all);
	ok = ok && put_owned(&all, arena, body);
	kl_modern_set_free(&all);
	return ok;
}

static bool copy(struct kl_arena *arena, const char *text, struct kl_str *copy_out)
{
	size_t n = strlen(text);
	*copy_out = (struct kl_str){kl_arena_text(arena, text, n), (int32_t)n};
	return copy_out->p != NULL;
}

/* A pattern that is no more is told as an empty one. All of it is copied: the request may wait
 * for its connection, and the subscription change meanwhile. */
static bool put_subscription(struct kl_modern *member, const struct kl_modern_facts *facts,
			     struct kl_arena *arena,
			     struct kl_consumer_group_heartbeat_request *body)
{
	struct kl_str *names = kl_arena_array(arena, facts->topic_count, sizeof(*names));
	bool ok = names != NULL;
	for (size_t i = 0; ok && i < facts->topic_count; i++)
		ok = copy(arena, facts->topics[i], &names[i]);
	if (ok && (facts->regex != NULL || member->told.regex))
		ok = copy(arena, facts->regex ?: "", &body->subscribed_topic_regex);
	if (!ok)
		return false;
	body->subscribed_topic_names = names;
	body->subscribed_topic_names_n = (int32_t)facts->topic_count;
	member->told.subscription = facts->subscription;
	member->told.regex = facts->regex != NULL;
	return true;
}

const struct kl_consumer_group_heartbeat_request *
kl_modern_body(struct kl_modern *member, const struct kl_modern_facts *facts,
	       struct kl_arena *arena)
{
	struct kl_modern_told *told = &member->told;
	struct kl_consumer_group_heartbeat_request *body =
		kl_arena_alloc(arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_consumer_group_heartbeat_request, body);
	body->group_id = kl_str(facts->group_id);
	body->member_id = kl_str(member->id);
	body->member_epoch = member->epoch;
	body->instance_id = kl_str(facts->instance_id);
	if (member->epoch < 0)
		return body;
	if (member->epoch == KL_MODERN_JOINS)
		body->rack_id = kl_str(facts->rack);
	if (!told->timeout)
		body->rebalance_timeout_ms = facts->rebalance_timeout_ms;
	if (!told->assignor)
		body->server_assignor = kl_str(facts->assignor);
	bool early = KL_BUG(EARLY_ACK) && member->reconciling;
	bool ok = true;
	if (early)
		ok = put_owned(&member->next, arena, body);
	else if (told->owned != member->owned_version)
		ok = member->reconciling ? put_taken(member, arena, body)
					 : put_owned(&member->owned, arena, body);
	if (!ok)
		return NULL;
	if (told->subscription != facts->subscription &&
	    !put_subscription(member, facts, arena, body))
		return NULL;
	told->timeout = told->assignor = true;
	told->owned = member->owned_version;
	return body;
}

/* --- errors of the answer --- */

enum verdict {
	ELSEWHERE, /* find the coordinator, and go on at once */
	AGAIN,     /* later */
	FENCED,    /* it is a member no more */
	TOLD,      /* the application may mend it while the member goes on */
	UNMADE,    /* there is no such group (any more): harmless for who has left */
	TAKEN,     /* its instance is a member already: which may be this one itself */
	FATAL,     /* as what is not in this table */
};

#define NEEDS_KAFKA_4                                                                    \
	"group.protocol=consumer needs Apache Kafka 4.0 or later, with its feature "      \
	"group.version: set group.protocol=classic"

static const struct {
	int code;
	enum verdict verdict;
	const char *advice;
} verdicts[] = {
	{KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, AGAIN, NULL},
	{KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, ELSEWHERE, NULL},
	{KLAMM_ERR_NOT_COORDINATOR, ELSEWHERE, NULL},
	{KLAMM_ERR_NO_MEMORY, AGAIN, NULL},
	{KLAMM_ERR_UNKNOWN_MEMBER_ID, FENCED, NULL},
	{KLAMM_ERR_FENCED_MEMBER_EPOCH, FENCED, NULL},
	{KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, TOLD,
	 "allow DESCRIBE on the topics; the member goes on asking"},
	{KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, FATAL, "allow READ on the group"},
	{KLAMM_ERR_GROUP_ID_NOT_FOUND, UNMADE,
	 "the group is of another kind, or was deleted: use another group.id, or "
	 "group.protocol=classic"},
	{KLAMM_ERR_INVALID_REQUEST, FATAL, "the broker takes the request for a broken one"},
	{KLAMM_ERR_GROUP_MAX_SIZE_REACHED, FATAL,
	 "the broker's group.consumer.max.size lets in no more members"},
	{KLAMM_ERR_UNSUPPORTED_ASSIGNOR, FATAL,
	 "set group.remote.assignor to one of the broker's group.consumer.assignors, or leave "
	 "it out"},
	{KLAMM_ERR_INVALID_REGULAR_EXPRESSION, FATAL,
	 "the broker takes patterns in the syntax of RE2"},
	{KLAMM_ERR_UNRELEASED_INSTANCE_ID, TAKEN,
	 "another member has this group.instance.id: give each its own, or close that one"},
	{KLAMM_ERR_FENCED_INSTANCE_ID, FATAL,
	 "another member took this group.instance.id over: give each its own"},
	{KLAMM_ERR_UNSUPPORTED_VERSION, FATAL, NEEDS_KAFKA_4},
	{KLAMM_ERR_UNSUPPORTED, FATAL, NEEDS_KAFKA_4},
};

/* Not a broker's: it did not answer, or could not be asked. */
static bool is_own(int code)
{
	return code <= KLAMM_ERR_INVALID_ARGUMENT;
}

static enum verdict judge(int code, const char **advice_out)
{
	*advice_out = NULL;
	for (size_t i = 0; i < kl_countof(verdicts); i++) {
		if (verdicts[i].code != code)
			continue;
		*advice_out = verdicts[i].advice;
		return verdicts[i].verdict;
	}
	return is_own(code) && klamm_err_retriable(code) ? AGAIN : FATAL;
}

/* "group orders: heartbeat: UNSUPPORTED_ASSIGNOR: what the broker said: what to do". */
static void explain(struct klamm_error *err, const char *group, const char *advice)
{
	const char *said = err->text[0] != '\0' ? err->text : klamm_err_text(err->code);
	int32_t node = err->node, stage = err->stage;
	kl_error(err, err->code, "group %.100s: heartbeat: %s: %.*s%s%s", group,
		 klamm_err_name(err->code), advice != NULL ? 180 : 300, said,
		 advice != NULL ? ": " : "", advice ?: "");
	err->node = node;
	if (stage != KLAMM_STAGE_NONE)
		err->stage = stage;
}

/* A static member whose answer to a join got lost, or that was fenced, is a member still for
 * the coordinator, which then refuses the next join of the same instance; Kafka's client gives
 * up there. This one says first that it leaves for a while, which only the member itself may.
 */
static bool gives_back(const struct kl_modern *member)
{
	return member->state == KL_MODERN_JOINING && member->epoch == KL_MODERN_LEAVES_STATIC;
}

/* Answered while it gives its name back: nobody has it, or somebody else. */
static bool was_not_its_own(const struct kl_modern *member, struct klamm_error *err)
{
	if (!gives_back(member))
		return false;
	if (err->code == KLAMM_ERR_FENCED_INSTANCE_ID)
		err->code = KLAMM_ERR_UNRELEASED_INSTANCE_ID;
	return err->code == KLAMM_ERR_UNKNOWN_MEMBER_ID ||
	       err->code == KLAMM_ERR_GROUP_ID_NOT_FOUND;
}

unsigned kl_modern_failed(struct kl_modern *member, const struct kl_modern_facts *facts,
			  int64_t again_at, struct klamm_error *err)
{
	const char *advice;
	member->straggles |= is_own(err->code);
	if (kl_modern_is_outdated(member)) {
		member->in_flight = false;
		return KL_MODERN_HEARTBEAT;
	}
	bool is_free = was_not_its_own(member, err);
	enum verdict verdict = judge(err->code, &advice);
	explain(err, facts->group_id, advice);
	kl_modern_unanswered(member, verdict == AGAIN || verdict == TOLD ? again_at : 0);
	if (is_free) {
		member->epoch = KL_MODERN_JOINS;
		return KL_MODERN_HEARTBEAT;
	}
	switch (verdict) {
	case ELSEWHERE:
		return KL_MODERN_FIND | KL_MODERN_HEARTBEAT;
	case AGAIN:
		return KL_MODERN_HEARTBEAT | (is_own(err->code) ? KL_MODERN_FIND : 0);
	case TOLD:
		return KL_MODERN_HEARTBEAT | KL_MODERN_TELL;
	case FENCED:
		return kl_modern_on(member, KL_MODERN_ON_FENCED);
	case TAKEN:
		if (member->state != KL_MODERN_JOINING || gives_back(member) ||
		    KL_BUG(NAME_NOT_GIVEN_BACK))
			break;
		member->epoch = KL_MODERN_LEAVES_STATIC;
		return KL_MODERN_HEARTBEAT;
	case UNMADE:
		if (member->state == KL_MODERN_UNSUBSCRIBED)
			return kl_modern_on(member, KL_MODERN_ON_LEFT);
		/* The last member of this protocol that was put out left a classic group
		 * behind, which changes back when it joins: Kafka's client gives up there. */
		if (member->epoch > KL_MODERN_JOINS)
			return kl_modern_on(member, KL_MODERN_ON_FENCED);
		/* fall through */
	case FATAL:
		break;
	}
	return kl_modern_on(member, KL_MODERN_ON_FATAL) | KL_MODERN_TELL;
}
