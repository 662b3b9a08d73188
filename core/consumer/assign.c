/* SPDX-License-Identifier: BSD-2-Clause */
/* The leader's part: the question as the assignor gets it, and its answer as members
 * do. */
#include "core/consumer/assign.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/sink.h"
#include "core/proto/gen/messages.h"

/* A run of partitions of one topic that one member gets. */
struct run {
	struct run *next;
	uint32_t topic;
	int32_t count;
	int32_t *partitions;
};

struct member {
	const struct kl_joined *joined;
	size_t place;                                   /* in the question */
	struct kl_consumer_protocol_subscription *told; /* NULL = cannot be read */
	struct run *first, **last;
	uint32_t run_count;
	int32_t found; /* partitions of the topic at hand */
};

struct round {
	const struct kl_assign_question *question;
	struct kl_assign_result *result;
	struct kl_lent_arena scratch; /* everything below, and the plugin's */
	struct member *members;       /* as the assignor sees them: in its order */
	struct klamm_assign_member *asked;
	struct klamm_assign_topic *topics; /* by name */
	int32_t **owner;
	struct klamm_span *user_data;
	/* By topic and partition, as owner: the latest generation of those who claim
	 * it, */
	int32_t **claimed;
	/* and whether its owner is one of that generation. */
	bool **stays;
};
/* claimed: by nobody. */
#define UNCLAIMED INT32_MIN

static int no_memory(const struct kl_assign_question *q, struct klamm_error *err)
{
	return kl_error(err, KLAMM_ERR_NO_MEMORY,
			"out of memory to assign %zu topics to %zu members",
			q->topic_count, q->member_count);
}

/* --- the question --- */

static int by_name(const void *a, const void *b)
{
	const struct klamm_assign_topic *x = a, *y = b;
	return strcmp(x->name, y->name);
}

/* Those with an instance id first, by that; the others by their id. */
static int by_identity(const void *a, const void *b)
{
	const struct kl_joined *x = ((const struct member *)a)->joined;
	const struct kl_joined *y = ((const struct member *)b)->joined;
	bool x_static = x->instance_id.len >= 0, y_static = y->instance_id.len >= 0;
	if (x_static != y_static)
		return x_static ? -1 : 1;
	int order = x_static ? kl_assign_compare(x->instance_id, y->instance_id) : 0;
	return order != 0 ? order : kl_assign_compare(x->id, y->id);
}

static int read_members(struct round *r, struct klamm_error *err)
{
	const struct kl_assign_question *q = r->question;
	struct kl_arena *arena = &r->scratch.arena;
	for (size_t i = 0; i < q->member_count; i++) {
		struct member *m = &r->members[i];
		struct klamm_error why;
		m->joined = &q->members[i];
		m->place = i;
		int rc = kl_subscription_parse(m->joined->subscription, arena, &m->told,
					       &why);
		if (rc == KLAMM_ERR_NO_MEMORY)
			return no_memory(q, err);
		if (rc == 0)
			continue;
		r->result->unreadable++;
		kl_error_prefix(&why, "the subscription of member %.*s cannot be read",
				kl_max(m->joined->id.len, 0), m->joined->id.p);
		kl_error_copy(&r->result->why_unreadable, &why);
	}
	qsort(r->members, q->member_count, sizeof(*r->members), by_identity);
	return 0;
}

static int find_topic(const void *key, const void *topic)
{
	const struct kl_str *name = key;
	return kl_assign_compare(
		*name, kl_str(((const struct klamm_assign_topic *)topic)->name));
}

/* Index of the topic, -1 = it is not in the question. */
static int64_t topic_of(const struct round *r, struct kl_str name)
{
	const struct klamm_assign_topic *topic =
		name.len > 0 ? bsearch(&name, r->topics, r->question->topic_count,
				       sizeof(*r->topics), find_topic)
			     : NULL;
	return topic != NULL ? topic - r->topics : -1;
}

static int by_number(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	return (x > y) - (x < y);
}

static bool ask_topics(const struct round *r, const struct member *m,
		       struct klamm_assign_member *asked, struct kl_arena *arena)
{
	uint32_t *topics =
		kl_arena_array(arena, (size_t)m->told->topics_n, sizeof(*topics));
	size_t n = 0, kept = 0;
	if (topics == NULL)
		return false;
	for (int32_t i = 0; i < m->told->topics_n; i++) {
		int64_t topic = topic_of(r, m->told->topics[i]);
		if (topic >= 0)
			topics[n++] = (uint32_t)topic;
	}
	qsort(topics, n, sizeof(*topics), by_number);
	for (size_t i = 0; i < n; i++)
		if (kept == 0 || topics[i] != topics[kept - 1])
			topics[kept++] = topics[i];
	asked->topics = topics;
	asked->topic_count = kept;
	return true;
}

/* Partitions that are not there (any more) are nobody's. */
static bool ask_owned(const struct round *r, const struct member *m,
		      struct klamm_assign_member *asked, struct kl_arena *arena)
{
	size_t n = 0;
	for (int32_t i = 0; i < m->told->owned_partitions_n; i++)
		n += (size_t)m->told->owned_partitions[i].partitions_n;
	struct klamm_owned *owned = kl_arena_array(arena, n, sizeof(*owned));
	if (owned == NULL)
		return false;
	for (int32_t i = 0; i < m->told->owned_partitions_n; i++) {
		const struct kl_consumer_protocol_subscription_topic *told =
			&m->told->owned_partitions[i];
		int64_t topic = topic_of(r, told->topic);
		for (int32_t p = 0; topic >= 0 && p < told->partitions_n; p++)
			if (told->partitions[p] >= 0 &&
			    told->partitions[p] < r->topics[topic].partition_count)
				owned[asked->owned_count++] = (struct klamm_owned){
					(uint32_t)topic, told->partitions[p]};
	}
	asked->owned = owned;
	return true;
}

static bool ask_member(const struct round *r, const struct member *m,
		       struct klamm_assign_member *asked, struct kl_arena *arena)
{
	const struct kl_joined *joined = m->joined;
	asked->generation = -1;
	asked->member_id =
		kl_arena_text(arena, joined->id.p, (size_t)kl_max(joined->id.len, 0));
	if (asked->member_id == NULL)
		return false;
	if (joined->instance_id.len >= 0) {
		asked->instance_id = kl_arena_text(arena, joined->instance_id.p,
						   (size_t)joined->instance_id.len);
		if (asked->instance_id == NULL)
			return false;
	}
	if (m->told == NULL)
		return true;
	if (m->told->rack_id.len > 0) {
		asked->rack = kl_arena_text(arena, m->told->rack_id.p,
					    (size_t)m->told->rack_id.len);
		if (asked->rack == NULL)
			return false;
	}
	asked->generation = m->told->generation_id;
	if (m->told->user_data.len >= 0)
		asked->user_data = (struct klamm_span){m->told->user_data.p,
						       (size_t)m->told->user_data.len};
	return ask_topics(r, m, asked, arena) && ask_owned(r, m, asked, arena);
}

/* The three tables by topic and partition. */
static bool make_tables(struct round *r, struct kl_arena *arena)
{
	size_t topics = r->question->topic_count;
	r->owner = kl_arena_array(arena, topics, sizeof(*r->owner));
	r->claimed = kl_arena_array(arena, topics, sizeof(*r->claimed));
	r->stays = kl_arena_array(arena, topics, sizeof(*r->stays));
	if (r->owner == NULL || r->claimed == NULL || r->stays == NULL)
		return false;
	for (size_t t = 0; t < topics; t++) {
		size_t n = (size_t)kl_max(r->topics[t].partition_count, 0);
		r->owner[t] = kl_arena_array(arena, n, sizeof(**r->owner));
		r->claimed[t] = kl_arena_array(arena, n, sizeof(**r->claimed));
		r->stays[t] = kl_arena_array(arena, n, sizeof(**r->stays));
		if (r->owner[t] == NULL || r->claimed[t] == NULL || r->stays[t] == NULL)
			return false;
		for (size_t p = 0; p < n; p++) {
			r->owner[t][p] = -1;
			r->claimed[t][p] = UNCLAIMED;
		}
	}
	return true;
}

static int make_question(struct round *r, struct klamm_error *err)
{
	const struct kl_assign_question *q = r->question;
	struct kl_arena *arena = &r->scratch.arena;
	r->members = kl_arena_array(arena, q->member_count, sizeof(*r->members));
	r->asked = kl_arena_array(arena, q->member_count, sizeof(*r->asked));
	r->user_data = kl_arena_array(arena, q->member_count, sizeof(*r->user_data));
	r->topics = kl_arena_array(arena, q->topic_count, sizeof(*r->topics));
	if (r->members == NULL || r->asked == NULL || r->user_data == NULL ||
	    r->topics == NULL)
		return no_memory(q, err);
	if (q->topic_count > 0)
		memcpy(r->topics, q->topics, q->topic_count * sizeof(*r->topics));
	qsort(r->topics, q->topic_count, sizeof(*r->topics), by_name);
	int rc = read_members(r, err);
	for (size_t i = 0; rc == 0 && i < q->member_count; i++)
		if (!ask_member(r, &r->members[i], &r->asked[i], arena))
			rc = no_memory(q, err);
	if (rc == 0 && !make_tables(r, arena))
		rc = no_memory(q, err);
	return rc;
}

/* --- the assignor --- */

static int ask(struct round *r, struct klamm_error *err)
{
	static const int32_t never;
	const struct kl_assign_question *q = r->question;
	const struct klamm_assignor_plugin *plugin = &q->assignor->plugin->assignor;
	struct klamm_call call = {
		.size = sizeof(call),
		.wait_ms = -1,
		.cancelled = q->cancelled != NULL ? q->cancelled : &never,
	};
	struct klamm_assign in = {
		.size = sizeof(in),
		.member_size = sizeof(*r->asked),
		.topic_size = sizeof(*r->topics),
		.members = r->asked,
		.member_count = q->member_count,
		.topics = r->topics,
		.topic_count = q->topic_count,
		.arena = &r->scratch.lent,
		.call = &call,
	};
	struct klamm_assign_answer answer = {
		.size = sizeof(answer),
		.owner = r->owner,
		.user_data = r->user_data,
	};
	int rc = plugin->assign(q->assignor->self, &in, &answer, err);
	if (rc != 0)
		kl_error_prefix(err, "assignor %s", plugin->head.name);
	return rc;
}

static bool subscribes(const struct klamm_assign_member *member, uint32_t topic)
{
	return member->topic_count > 0 &&
	       bsearch(&topic, member->topics, member->topic_count, sizeof(topic),
		       by_number) != NULL;
}

/* Partitions mostly come in runs of one owner, who is looked up once. */
static int check_owners(const struct round *r, struct klamm_error *err)
{
	const struct kl_assign_question *q = r->question;
	const char *name = q->assignor->plugin->head.name;
	for (uint32_t t = 0; t < q->topic_count; t++) {
		int64_t good = -1;
		for (int32_t p = 0; p < r->topics[t].partition_count; p++) {
			int32_t owner = r->owner[t][p];
			if (owner == good || owner == -1)
				continue;
			if (owner < 0 || (size_t)owner >= q->member_count)
				return kl_error(
					err, KLAMM_ERR_PLUGIN,
					"assignor %s gives %s-%d to member %d of %zu",
					name, r->topics[t].name, p, owner,
					q->member_count);
			if (!subscribes(&r->asked[owner], t))
				return kl_error(
					err, KLAMM_ERR_PLUGIN,
					"assignor %s gives %s-%d to member %.100s, "
					"which does not subscribe to it",
					name, r->topics[t].name, p,
					r->asked[owner].member_id);
			good = owner;
		}
	}
	return 0;
}

/* --- what moves, in a cooperative group --- */

/* Of two who claim a partition the one of the later generation has it; an older claim
 * is a member's that has missed a rebalance (KIP-792). */
static void note_claims(struct round *r)
{
	for (size_t i = 0; i < r->question->member_count; i++) {
		const struct klamm_assign_member *m = &r->asked[i];
		for (size_t k = 0; k < m->owned_count; k++) {
			const struct klamm_owned *at = &m->owned[k];
			int32_t *claimed = &r->claimed[at->topic][at->partition];
			*claimed = kl_max(*claimed, m->generation);
		}
	}
	for (size_t i = 0; i < r->question->member_count; i++) {
		const struct klamm_assign_member *m = &r->asked[i];
		for (size_t k = 0; k < m->owned_count; k++) {
			const struct klamm_owned *at = &m->owned[k];
			if (r->claimed[at->topic][at->partition] == m->generation &&
			    r->owner[at->topic][at->partition] == (int32_t)i)
				r->stays[at->topic][at->partition] = true;
		}
	}
}

/* Its owner gives it up when it sees that it was not given it again, and joins anew:
 * only then somebody else may have it. The assignors do so by themselves; this holds
 * all to it. */
static void withhold(struct round *r)
{
	note_claims(r);
	for (size_t t = 0; t < r->question->topic_count; t++)
		for (int32_t p = 0; p < r->topics[t].partition_count; p++) {
			if (r->claimed[t][p] == UNCLAIMED || r->stays[t][p])
				continue;
			r->owner[t][p] = -1;
			r->result->withheld++;
		}
}

/* --- the answer --- */

static bool add_run(struct round *r, struct member *m, uint32_t topic)
{
	struct kl_arena *arena = &r->scratch.arena;
	struct run *run = kl_arena_alloc(arena, sizeof(*run));
	if (run == NULL)
		return false;
	run->topic = topic;
	run->partitions =
		kl_arena_array(arena, (size_t)m->found, sizeof(*run->partitions));
	if (run->partitions == NULL)
		return false;
	*m->last = run;
	m->last = &run->next;
	m->run_count++;
	m->found = 0;
	return true;
}

/* The topic's partitions to their owners' runs. */
static bool deal_topic(struct round *r, uint32_t t)
{
	int32_t count = r->topics[t].partition_count;
	const int32_t *owner = r->owner[t];
	for (int32_t p = 0; p < count; p++)
		if (owner[p] >= 0)
			r->members[owner[p]].found++;
	for (int32_t p = 0; p < count; p++) {
		if (owner[p] < 0)
			continue;
		struct member *m = &r->members[owner[p]];
		if (m->found > 0 && !add_run(r, m, t))
			return false;
		struct run *run = kl_container(m->last, struct run, next);
		run->partitions[run->count++] = p;
	}
	return true;
}

static int write_member(struct round *r, size_t i, struct kl_buf *buf,
			struct klamm_error *err)
{
	const struct kl_msg *msg = &kl_msg_consumer_protocol_assignment;
	struct member *m = &r->members[i];
	struct kl_consumer_protocol_assignment told;
	kl_msg_init(msg, &told);
	told.assigned_partitions =
		kl_type_new(&kl_type_consumer_protocol_assignment_topic,
			    &r->scratch.arena, m->run_count);
	if (told.assigned_partitions == NULL)
		return no_memory(r->question, err);
	for (const struct run *run = m->first; run != NULL; run = run->next) {
		struct kl_consumer_protocol_assignment_topic *topic =
			&told.assigned_partitions[told.assigned_partitions_n++];
		topic->topic = kl_str(r->topics[run->topic].name);
		topic->partitions = run->partitions;
		topic->partitions_n = run->count;
	}
	if (r->user_data[i].data != NULL && r->user_data[i].len <= INT32_MAX)
		told.user_data = (struct kl_bytes){r->user_data[i].data,
						   (int32_t)r->user_data[i].len};
	kl_buf_clear(buf);
	kl_buf_i16(buf, KL_ASSIGN_VERSION);
	int rc = kl_msg_encode(msg, KL_ASSIGN_VERSION, &told, buf, err);
	if (rc != 0)
		return rc;
	struct kl_given *given = &r->result->given[m->place];
	given->id = m->joined->id;
	given->bytes.p =
		(uint8_t *)kl_arena_text(&r->result->arena, buf->data, buf->len);
	given->bytes.len = (int32_t)buf->len;
	return given->bytes.p != NULL ? 0 : no_memory(r->question, err);
}

static int make_answer(struct round *r, struct klamm_error *err)
{
	const struct kl_assign_question *q = r->question;
	KL_AUTO(kl_buf_free) struct kl_buf buf = {.max = INT32_MAX};
	struct kl_assign_result *result = r->result;
	result->given =
		kl_arena_array(&result->arena, q->member_count, sizeof(*result->given));
	if (result->given == NULL)
		return no_memory(q, err);
	result->count = q->member_count;
	for (size_t i = 0; i < q->member_count; i++)
		r->members[i].last = &r->members[i].first;
	for (uint32_t t = 0; t < q->topic_count; t++)
		if (!deal_topic(r, t))
			return no_memory(q, err);
	int rc = 0;
	for (size_t i = 0; rc == 0 && i < q->member_count; i++)
		rc = write_member(r, i, &buf, err);
	return rc;
}

int kl_assign_run(const struct kl_assign_question *question,
		  struct kl_assign_result *result_out, struct klamm_error *err)
{
	struct round r = {.question = question, .result = result_out};
	*result_out = (struct kl_assign_result){0};
	kl_lent_arena_init(&r.scratch, 0, NULL);
	int rc = make_question(&r, err);
	if (rc == 0)
		rc = ask(&r, err);
	if (rc == 0)
		rc = check_owners(&r, err);
	if (rc == 0 && question->cooperative)
		withhold(&r);
	if (rc == 0)
		rc = make_answer(&r, err);
	kl_lent_arena_free(&r.scratch);
	if (rc != 0)
		kl_assign_result_free(result_out);
	return rc;
}

void kl_assign_result_free(struct kl_assign_result *result)
{
	kl_arena_free(&result->arena);
	*result = (struct kl_assign_result){0};
}
