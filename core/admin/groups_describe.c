/* SPDX-License-Identifier: BSD-2-Clause */
/* Describing groups. As Java's admin client does, each is asked for as one of KIP-848 first
 * and, when its coordinator knows no such group or no such API, as a classic one. */
#include <stdlib.h>

#include "core/admin/groups.h"
#include "core/base/error.h"
#include "core/base/order.h"

struct result {
	struct klamm_group_descriptions
		list; /* first: this is what the application holds */
	struct kl_arena arena;
	struct klamm_group_description **groups;
};

struct describe {
	struct kl_scatter scatter;
	struct result *result;
	bool operations;
};

static struct describe *describe_of(struct kl_scatter *scatter)
{
	return kl_container(scatter, struct describe, scatter);
}

static struct klamm_group_description *group_of(struct kl_scatter *scatter,
						const struct kl_item *item)
{
	return describe_of(scatter)->result->groups[item - scatter->items];
}

/* --- the question --- */

static struct kl_str *names_of(struct kl_part *part, int32_t *count)
{
	size_t n = 0;
	kl_part_for (item, part)
		n++;
	struct kl_str *names = kl_arena_array(&part->arena, n, sizeof(*names));
	*count = 0;
	if (names != NULL)
		kl_part_for (item, part)
			names[(*count)++] = kl_str(item->name);
	return names;
}

static const void *prepare_classic(struct describe *d, struct kl_part *part, int version)
{
	struct kl_describe_groups_request *body =
		kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_describe_groups_request, body);
	body->groups = names_of(part, &body->groups_n);
	body->include_authorized_operations = d->operations && version >= 3;
	return body->groups != NULL ? body : NULL;
}

static const void *prepare_consumer(struct describe *d, struct kl_part *part)
{
	struct kl_consumer_group_describe_request *body =
		kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_consumer_group_describe_request, body);
	body->group_ids = names_of(part, &body->group_ids_n);
	body->include_authorized_operations = d->operations;
	return body->group_ids != NULL ? body : NULL;
}

static const void *prepare(struct kl_scatter *scatter, struct kl_part *part, int version)
{
	struct describe *d = describe_of(scatter);
	return part->api == KL_API_DESCRIBE_GROUPS ? prepare_classic(d, part, version)
						   : prepare_consumer(d, part);
}

/* --- members --- */

static int by_member_id(const void *a, const void *b)
{
	const struct klamm_group_member *const *x = a, *const *y = b;
	return strcmp((*x)->id, (*y)->id);
}

/* Room for the members of a group; NULL: out of memory. */
static struct klamm_group_member **make_members(struct kl_arena *arena, int32_t n)
{
	struct klamm_group_member **members =
		kl_arena_array(arena, (size_t)kl_max(n, 0), sizeof(*members));
	for (int32_t i = 0; members != NULL && i < n; i++)
		if ((members[i] = kl_arena_alloc(arena, sizeof(**members))) == NULL)
			return NULL;
	return members;
}

static void set_members(struct klamm_group_description *group,
			struct klamm_group_member **members, int32_t n)
{
	group->member_count = (size_t)kl_max(n, 0);
	qsort(members, group->member_count, sizeof(*members), by_member_id);
	group->members = (const struct klamm_group_member *const *)members;
}

static bool copy_span(struct kl_arena *arena, struct kl_bytes bytes,
		      struct klamm_span *span)
{
	span->len = (size_t)kl_max(bytes.len, 0);
	span->data = kl_arena_text(arena, bytes.p, span->len);
	return span->data != NULL;
}

static bool classic_member(struct kl_arena *arena, bool consumers,
			   const struct kl_describe_groups_response_member *told,
			   struct klamm_group_member *m)
{
	m->id = kl_group_text(arena, told->member_id);
	m->client_id = kl_group_text(arena, told->client_id);
	m->host = kl_group_text(arena, told->client_host);
	m->protocol = "classic";
	m->epoch = -1;
	if (!m->id || !m->client_id || !m->host ||
	    !kl_group_copy(arena, told->group_instance_id, &m->instance_id))
		return false;
	if (!consumers)
		return copy_span(arena, told->member_metadata, &m->metadata) &&
		       copy_span(arena, told->member_assignment, &m->raw_assignment);
	/* Both are empty while the group rebalances. */
	kl_group_subscription(arena, told->member_metadata, m);
	kl_group_assignment(arena, told->member_assignment, m);
	return true;
}

static bool copy_assignment(
	struct kl_arena *arena,
	const struct kl_consumer_group_describe_response_assignment *told,
	const struct klamm_topic_partition **out, size_t *count)
{
	const struct kl_consumer_group_describe_response_topic *topics =
		told->topic_partitions;
	struct kl_group_parts parts;
	size_t n = 0;
	for (int32_t i = 0; i < told->topic_partitions_n; i++)
		n += (size_t)kl_max(topics[i].partitions_n, 0);
	bool ok = kl_group_parts_begin(&parts, arena, n);
	for (int32_t i = 0; ok && i < told->topic_partitions_n; i++)
		ok = kl_group_parts_add(&parts, topics[i].topic_name, topics[i].partitions,
					topics[i].partitions_n);
	if (!ok)
		return false;
	kl_group_parts_end(&parts);
	*out = parts.list;
	*count = parts.count;
	return true;
}

static bool copy_topics(struct kl_arena *arena, const struct kl_str *told, int32_t n,
			struct klamm_group_member *m)
{
	m->topic_count = (size_t)kl_max(n, 0);
	const char **topics = kl_arena_array(arena, m->topic_count, sizeof(*topics));
	for (size_t i = 0; topics != NULL && i < m->topic_count; i++)
		if ((topics[i] = kl_group_text(arena, told[i])) == NULL)
			return false;
	if (topics == NULL)
		return false;
	qsort(topics, m->topic_count, sizeof(*topics), kl_by_text);
	m->topics = topics;
	return true;
}

static bool consumer_member(struct kl_arena *arena,
			    const struct kl_consumer_group_describe_response_member *told,
			    struct klamm_group_member *m)
{
	m->id = kl_group_text(arena, told->member_id);
	m->client_id = kl_group_text(arena, told->client_id);
	m->host = kl_group_text(arena, told->client_host);
	m->protocol = told->member_type == 0   ? "classic"
		      : told->member_type == 1 ? "consumer"
					       : "";
	m->epoch = told->member_epoch;
	return m->id && m->client_id && m->host &&
	       kl_group_copy(arena, told->instance_id, &m->instance_id) &&
	       kl_group_copy(arena, told->rack_id, &m->rack) &&
	       kl_group_copy(arena, told->subscribed_topic_regex, &m->regex) &&
	       copy_topics(arena, told->subscribed_topic_names,
			   told->subscribed_topic_names_n, m) &&
	       copy_assignment(arena, &told->assignment, &m->assignment,
			       &m->assignment_count) &&
	       copy_assignment(arena, &told->target_assignment, &m->target,
			       &m->target_count);
}

/* --- groups --- */

static bool describe_classic(struct kl_arena *arena,
			     const struct kl_describe_groups_response_group *told,
			     int32_t broker, struct klamm_group_description *g)
{
	/* Called so until Kafka 1.1. */
	bool old_name = kl_str_is(told->group_state, "AwaitingSync");
	g->type = "classic";
	g->state =
		old_name ? "CompletingRebalance" : kl_group_text(arena, told->group_state);
	g->protocol_type = kl_group_text(arena, told->protocol_type);
	g->assignor = kl_group_text(arena, told->protocol_data);
	g->operations = told->authorized_operations;
	g->coordinator = broker;
	struct klamm_group_member **members = make_members(arena, told->members_n);
	if (members == NULL || !g->state || !g->protocol_type || !g->assignor)
		return false;
	bool consumers = strcmp(g->protocol_type, "consumer") == 0;
	for (int32_t i = 0; i < told->members_n; i++)
		if (!classic_member(arena, consumers, &told->members[i], members[i]))
			return false;
	set_members(g, members, told->members_n);
	return true;
}

static bool describe_consumer(struct kl_arena *arena,
			      const struct kl_consumer_group_describe_response_group *told,
			      int32_t broker, struct klamm_group_description *g)
{
	g->type = "consumer";
	g->state = kl_group_text(arena, told->group_state);
	g->protocol_type = "consumer";
	g->assignor = kl_group_text(arena, told->assignor_name);
	g->operations = told->authorized_operations;
	g->coordinator = broker;
	g->epoch = told->group_epoch;
	g->assignment_epoch = told->assignment_epoch;
	struct klamm_group_member **members = make_members(arena, told->members_n);
	if (members == NULL || !g->state || !g->assignor)
		return false;
	for (int32_t i = 0; i < told->members_n; i++)
		if (!consumer_member(arena, &told->members[i], members[i]))
			return false;
	set_members(g, members, told->members_n);
	return true;
}

/* --- the answer --- */

/* Before version 6 a group that nobody knows is a dead one without members. */
static int classic_error(const struct kl_describe_groups_response_group *told, int version)
{
	bool unknown = version < 6 && told->error_code == 0 && told->members_n <= 0 &&
		       kl_str_is(told->group_state, "Dead");
	return unknown ? KLAMM_ERR_GROUP_ID_NOT_FOUND : told->error_code;
}

static void answer_classic(struct kl_scatter *scatter, struct kl_part *part,
			   const struct kl_describe_groups_response *body, int version)
{
	struct kl_arena *arena = &describe_of(scatter)->result->arena;
	for (int32_t i = 0; i < body->groups_n; i++) {
		const struct kl_describe_groups_response_group *told = &body->groups[i];
		struct kl_item *item = kl_part_item(part, told->group_id);
		if (item == NULL)
			continue;
		int code = classic_error(told, version);
		if (code == 0 &&
		    !describe_classic(arena, told, part->node, group_of(scatter, item)))
			kl_item_no_memory(scatter, item);
		else
			kl_item_told(scatter, item, code, told->error_message);
	}
}

static bool is_other_kind(int code)
{
	return code == KLAMM_ERR_GROUP_ID_NOT_FOUND ||
	       code == KLAMM_ERR_UNSUPPORTED_VERSION;
}

static void answer_consumer(struct kl_scatter *scatter, struct kl_part *part,
			    const struct kl_consumer_group_describe_response *body)
{
	struct kl_arena *arena = &describe_of(scatter)->result->arena;
	for (int32_t i = 0; i < body->groups_n; i++) {
		const struct kl_consumer_group_describe_response_group *told =
			&body->groups[i];
		struct kl_item *item = kl_part_item(part, told->group_id);
		if (item == NULL)
			continue;
		if (is_other_kind(told->error_code)) {
			item->api = KL_API_DESCRIBE_GROUPS;
			kl_item_at_once(scatter, item);
		} else if (told->error_code == 0 &&
			   !describe_consumer(arena, told, part->node,
					      group_of(scatter, item))) {
			kl_item_no_memory(scatter, item);
		} else {
			kl_item_told(scatter, item, told->error_code, told->error_message);
		}
	}
}

static void answer(struct kl_scatter *scatter, struct kl_part *part, const void *body,
		   int version)
{
	if (part->api == KL_API_DESCRIBE_GROUPS)
		answer_classic(scatter, part, body, version);
	else
		answer_consumer(scatter, part, body);
}

static bool unsupported(struct kl_scatter *scatter, struct kl_item *item)
{
	bool other = item->api == KL_API_CONSUMER_GROUP_DESCRIBE;
	item->api = KL_API_DESCRIBE_GROUPS;
	return other;
}

static const struct kl_scatter_ops ops = {
	.what = "describing groups",
	.prepare = prepare,
	.answer = answer,
	.unsupported = unsupported,
};

/* --- the call --- */

static struct result *make_result(const char *const *ids, size_t count)
{
	struct result *r = calloc(1, sizeof(*r));
	if (r == NULL)
		return NULL;
	r->groups = kl_arena_array(&r->arena, count, sizeof(*r->groups));
	r->list.groups = (const struct klamm_group_description *const *)r->groups;
	r->list.count = count;
	bool ok = r->groups != NULL;
	for (size_t i = 0; ok && i < count; i++) {
		struct klamm_group_description *g = kl_arena_alloc(&r->arena, sizeof(*g));
		r->groups[i] = g;
		if (g == NULL ||
		    !(g->id = kl_arena_text(&r->arena, ids[i], strlen(ids[i])))) {
			ok = false;
			break;
		}
		g->type = g->state = g->protocol_type = g->assignor = "";
		g->coordinator = g->epoch = g->assignment_epoch = -1;
		g->operations = INT32_MIN;
	}
	if (ok)
		return r;
	klamm_group_descriptions_free(&r->list);
	return NULL;
}

/* What was known when an error came is not shown beside it. */
static void set_error(struct klamm_group_description *g, const struct klamm_error *err)
{
	g->error = *err;
	if (err->code == 0)
		return;
	g->type = g->state = g->protocol_type = g->assignor = "";
	g->members = NULL;
	g->member_count = 0;
}

int klamm_admin_describe_groups(struct klamm_admin *admin, const char *const *ids,
				size_t count, uint32_t flags, int64_t timeout_ms,
				struct klamm_group_descriptions **groups_out,
				struct klamm_error *err)
{
	*groups_out = NULL;
	int rc = kl_check_groups(ids, count, err);
	if (rc != 0)
		return rc;
	struct describe d = {.operations = (flags & KLAMM_ADMIN_OPERATIONS) != 0};
	d.result = make_result(ids, count);
	kl_scatter_init(&d.scatter, &ops, count, KL_API_CONSUMER_GROUP_DESCRIBE);
	if (d.result == NULL || d.scatter.items == NULL) {
		kl_scatter_free(&d.scatter);
		klamm_group_descriptions_free(d.result != NULL ? &d.result->list : NULL);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu groups",
				count);
	}
	for (size_t i = 0; i < count; i++)
		d.scatter.items[i].name = ids[i];
	rc = kl_scatter_run(admin, &d.scatter, timeout_ms, err);
	for (size_t i = 0; i < count; i++)
		set_error(d.result->groups[i], &d.scatter.items[i].err);
	kl_scatter_free(&d.scatter);
	*groups_out = &d.result->list;
	return rc;
}

void klamm_group_descriptions_free(struct klamm_group_descriptions *groups)
{
	if (groups == NULL)
		return;
	struct result *r = kl_container(groups, struct result, list);
	kl_arena_free(&r->arena);
	free(r);
}
