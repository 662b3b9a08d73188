/* SPDX-License-Identifier: BSD-2-Clause */
/* JoinGroup 0-9. */
#include <stdio.h>

#include "broker/coordinators.h"
#include "broker/groups.h"

/* The first versions in which a member comes with an id (KIP-394), and in which a static
 * leader is told that there is nothing to assign (KIP-814). */
#define ID_REQUIRED 4
#define SKIPS 9

/* Of a client id or a group.instance.id so much is part of the ids that are made of it: they
 * must fit into a text of the protocol. */
#define PREFIX_MAX 255
#define UUID 36

struct join {
	struct kl_dev_call *call;
	const struct kl_join_group_request *request;
	struct kl_dev_group *group;
};

static void refuse(const struct join *j, struct kl_str id, int error)
{
	kl_dev_answer_not_joined(j->call, id, error);
}

/* --- ids --- */

/* Not in the middle of a character: the client must send it back as it was. */
static int prefix_of(struct kl_str text)
{
	int n = kl_min(text.len, PREFIX_MAX);
	while (n > 0 && n < text.len && ((uint8_t)text.p[n] & 0xc0) == 0x80)
		n--;
	return kl_max(n, 0);
}

struct id {
	char text[PREFIX_MAX + 1 + UUID + 1];
	struct kl_str str;
};

/* As Java prints a random UUID. */
static void make_id(const struct join *j, struct id *id)
{
	struct kl_os *os = j->call->broker->loop->os;
	struct kl_str from = j->request->group_instance_id.len >= 0
				     ? j->request->group_instance_id
				     : j->call->client_id;
	uint8_t u[16];
	os->random(os, u, sizeof(u));
	u[6] = (u[6] & 0x0f) | 0x40;
	u[8] = (u[8] & 0x3f) | 0x80;
	int n = snprintf(id->text, sizeof(id->text),
			 "%.*s-%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-"
			 "%02x%02x%02x%02x%02x%02x",
			 prefix_of(from), from.p ?: "", u[0], u[1], u[2], u[3], u[4], u[5],
			 u[6], u[7], u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
	id->str = (struct kl_str){id->text, n};
}

/* --- a member --- */

static int32_t rebalance_ms(const struct join *j)
{
	return j->call->version >= 1 ? j->request->rebalance_timeout_ms
				     : j->request->session_timeout_ms;
}

static struct kl_dev_member *make_member(const struct join *j, struct kl_str id)
{
	char host[KL_ADDR_TEXT + 1];
	kl_dev_conn_host(j->call->conn, host);
	return kl_dev_member_new(j->group, &(struct kl_dev_member_spec){
		.id = id,
		.instance = j->request->group_instance_id,
		.client_id = j->call->client_id,
		.client_host = kl_str(host),
		.session_ms = j->request->session_timeout_ms,
		.rebalance_ms = rebalance_ms(j),
	});
}

/* For the log, in the client's own words, too (KIP-800). */
static void rebalance(const struct join *j, const char *what)
{
	char reason[400];
	struct kl_str why = j->request->reason;
	snprintf(reason, sizeof(reason), "rebalance, %s%s%.*s", what,
		 why.len > 0 ? "; client reason: " : "", (int)kl_min(kl_max(why.len, 0), 255),
		 why.p ?: "");
	kl_dev_classic_rebalance(j->group, reason);
}

static void add(const struct join *j, struct kl_str id)
{
	const struct kl_join_group_request *request = j->request;
	struct kl_dev_member *expected = kl_dev_member_expected(j->group, id);
	struct kl_dev_member *member = make_member(j, id);
	if (member == NULL ||
	    !kl_dev_member_offer(member, request->protocols, request->protocols_n) ||
	    !kl_dev_classic_add(member, request->protocol_type)) {
		if (member != NULL)
			kl_dev_member_free(member);
		refuse(j, id, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
		return;
	}
	if (expected != NULL)
		kl_dev_member_free(expected);
	kl_dev_classic_await_join(member, j->call);
	rebalance(j, "a member joins");
}

/* It is in the group, and wants something else of it, or has been away. */
static void update(const struct join *j, struct kl_dev_member *member, const char *what)
{
	const struct kl_join_group_request *request = j->request;
	if (!kl_dev_member_offer(member, request->protocols, request->protocols_n)) {
		refuse(j, member->id, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
		return;
	}
	member->rebalance_ms = rebalance_ms(j);
	member->session_ms = request->session_timeout_ms;
	kl_dev_classic_await_join(member, j->call);
	rebalance(j, what);
}

/* --- one that has no id yet --- */

/* It gets an id, and is to come with it: of one that gave up meanwhile nothing is left. */
static void require_id(const struct join *j, struct kl_str id)
{
	struct kl_dev_member *member = make_member(j, id);
	if (member == NULL || !kl_dev_member_expect(member)) {
		if (member != NULL)
			kl_dev_member_free(member);
		refuse(j, KL_STR(""), KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
		return;
	}
	kl_dev_member_alive(member, member->session_ms);
	refuse(j, id, KLAMM_ERR_MEMBER_ID_REQUIRED);
}

/* What is answered when the group's record with the new id is on the disk. */
struct comeback {
	struct kl_dev_pledge pledge;
	struct kl_str id, leader;
};

static void come_back(struct kl_dev_call *call)
{
	const struct kl_join_group_request *request = call->request;
	const struct comeback *c = call->work;
	struct kl_dev_partition *home;
	int error = c->pledge.error != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
					 : kl_dev_call_home(call, KL_DEV_GROUP,
							    request->group_id, &home);
	struct kl_dev_group *group =
		error == 0 ? kl_dev_group_find(call->broker, request->group_id) : NULL;
	const struct kl_dev_member *member =
		group != NULL ? kl_dev_member_find(group, c->id) : NULL;
	if (member == NULL || member->group->classic.protocol == NULL) {
		kl_dev_answer_not_joined(call, KL_STR(""),
					 error != 0 ? error : KLAMM_ERR_UNKNOWN_MEMBER_ID);
		return;
	}
	/* Old clients that led the group are told who does so no more, and follow. */
	bool skips = call->version >= SKIPS;
	bool leads = skips && group->classic.leader == member;
	kl_dev_answer_joined(call, &(struct kl_dev_joined){
		member, skips ? group->classic.leader->id : c->leader, leads, leads});
}

/* A generation that is stable stays so. */
static void store_comeback(const struct join *j, const struct kl_dev_member *member,
			   struct kl_str old_leader)
{
	struct comeback *c = kl_arena_alloc(&j->call->arena, sizeof(*c));
	char *id = c != NULL ? kl_arena_text(&j->call->arena, member->id.p,
					     (size_t)member->id.len)
			     : NULL;
	/* When it cannot be stored the client asks again, and takes this one's place. */
	int rc = id != NULL ? kl_dev_classic_store(j->group, false)
			    : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (rc != 0) {
		refuse(j, KL_STR(""), rc);
		return;
	}
	*c = (struct comeback){kl_dev_pledge_on(kl_dev_group_home(j->group)),
			       {id, member->id.len}, old_leader};
	j->call->work = c;
	kl_dev_call_settle(j->call, &c->pledge, 1, come_back);
}

/* A static member comes again: it takes its place, and nobody else notices. */
static void replace(const struct join *j, struct kl_dev_member *old, struct kl_str id)
{
	const struct kl_join_group_request *request = j->request;
	struct kl_dev_classic *classic = &j->group->classic;
	struct kl_str leader = {kl_arena_text(&j->call->arena, classic->leader->id.p,
					      (size_t)classic->leader->id.len),
				classic->leader->id.len};
	struct kl_dev_member *member =
		leader.p != NULL ? kl_dev_classic_replace(old, id) : NULL;
	if (member == NULL || !kl_dev_member_offer(member, request->protocols,
						   request->protocols_n)) {
		refuse(j, KL_STR(""), KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
		return;
	}
	member->rebalance_ms = rebalance_ms(j);
	member->session_ms = request->session_timeout_ms;
	if (classic->state == KL_DEV_CLASSIC_STABLE &&
	    kl_str_is(kl_dev_classic_vote(j->group), classic->protocol)) {
		store_comeback(j, member, leader);
		return;
	}
	kl_dev_classic_await_join(member, j->call);
	rebalance(j, "a static member comes again");
}

static void join_new(const struct join *j)
{
	struct id id;
	make_id(j, &id);
	struct kl_dev_member *same =
		kl_dev_member_static(j->group, j->request->group_instance_id);
	if (same != NULL)
		replace(j, same, id.str);
	else if (j->request->group_instance_id.len < 0 && j->call->version >= ID_REQUIRED)
		require_id(j, id.str);
	else
		add(j, id.str);
}

/* --- one that has --- */

static void join_member(const struct join *j, struct kl_dev_member *member)
{
	const struct kl_join_group_request *request = j->request;
	struct kl_dev_classic *classic = &j->group->classic;
	bool leads = classic->leader == member;
	bool same = kl_dev_member_offers(member, request->protocols, request->protocols_n);
	if (classic->state == KL_DEV_CLASSIC_PREPARING)
		update(j, member, "a member joins again");
	else if (!same)
		update(j, member, "a member offers something else");
	else if (leads && classic->state == KL_DEV_CLASSIC_STABLE)
		update(j, member, "the leader joins again");
	else /* it has missed its answer, or nothing is new for it */
		kl_dev_answer_joined(j->call, &(struct kl_dev_joined){
			member, classic->leader->id, leads, false});
}

static void join_known(const struct join *j)
{
	const struct kl_join_group_request *request = j->request;
	struct kl_str id = request->member_id;
	if (kl_dev_member_expected(j->group, id) != NULL) {
		/* Only dynamic members were told to come with an id. */
		if (request->group_instance_id.len >= 0)
			refuse(j, KL_STR(""), KLAMM_ERR_UNKNOWN_SERVER_ERROR);
		else
			add(j, id);
		return;
	}
	int error = kl_dev_member_check(j->group, id, request->group_instance_id);
	if (error != 0)
		refuse(j, id, error);
	else
		join_member(j, kl_dev_member_find(j->group, id));
}

/* --- the request --- */

static bool has_room(const struct join *j)
{
	const struct kl_dev_classic *classic = &j->group->classic;
	const struct kl_dev_member *member =
		kl_dev_member_find(j->group, j->request->member_id);
	size_t max = (size_t)j->call->broker->limits.group_max_size;
	if (classic->state == KL_DEV_CLASSIC_EMPTY)
		return true;
	if (classic->state == KL_DEV_CLASSIC_PREPARING)
		return (member != NULL && member->joins) || classic->joining < max;
	return member != NULL || HASH_COUNT(classic->members) < max;
}

/* The one that finds no room is out, whatever it was before. */
static void put_out(const struct join *j)
{
	struct kl_dev_member *member = kl_dev_member_find(j->group, j->request->member_id);
	struct kl_dev_member *expected =
		kl_dev_member_expected(j->group, j->request->member_id);
	if (expected != NULL)
		kl_dev_member_free(expected);
	if (member != NULL)
		kl_dev_classic_remove(member);
	refuse(j, KL_STR(""), KLAMM_ERR_GROUP_MAX_SIZE_REACHED);
}

static void join(const struct join *j)
{
	const struct kl_join_group_request *request = j->request;
	bool is_new = request->member_id.len == 0;
	if (!has_room(j))
		put_out(j);
	else if (!kl_dev_classic_supports(j->group, request->protocol_type,
					  request->protocols, request->protocols_n))
		refuse(j, request->member_id, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL);
	else if (is_new)
		join_new(j);
	else
		join_known(j);
}

/* An empty group of another type makes room. */
static int drop_other(struct join *j, struct kl_dev_partition *home)
{
	struct klamm_broker *broker = j->call->broker;
	struct kl_dev_batch batch;
	kl_dev_batch_begin(&batch, broker->loop->os->wall_ms(broker->loop->os));
	j->group->type->put_tombstones(j->group, &batch);
	int rc = kl_dev_group_append(broker, home, &batch, -1, -1);
	kl_dev_batch_free(&batch);
	j->group = kl_dev_group_find(broker, j->request->group_id);
	return rc;
}

/* A group begins with a record: what is committed without members would not make it one that
 * was joined. */
static int begin_group(struct join *j, struct kl_dev_partition *home)
{
	j->group = kl_dev_group_find(j->call->broker, j->request->group_id);
	if (j->group != NULL && j->group->type != &kl_dev_classic_type) {
		if (!j->group->type->is_empty(j->group))
			return 0;
		int rc = drop_other(j, home);
		if (rc != 0)
			return rc;
	}
	if (j->group != NULL)
		return 0;
	if (j->request->member_id.len > 0)
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	j->group = kl_dev_group_add(j->call->broker, j->request->group_id, home->index);
	if (j->group == NULL)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	int rc = kl_dev_classic_store(j->group, false);
	if (rc != 0)
		kl_dev_group_forget(j->group);
	return rc;
}

static int begin(struct join *j, struct kl_dev_partition **home_out)
{
	const struct kl_join_group_request *request = j->request;
	const struct kl_dev_limits *limits = &j->call->broker->limits;
	int error = kl_dev_call_error(j->call);
	if (error != 0)
		return error;
	if (request->group_id.len <= 0)
		return KLAMM_ERR_INVALID_GROUP_ID;
	if (request->session_timeout_ms < limits->group_min_session_ms ||
	    request->session_timeout_ms > limits->group_max_session_ms)
		return KLAMM_ERR_INVALID_SESSION_TIMEOUT;
	if (request->protocols_n > KL_DEV_OFFERS_MAX)
		return KLAMM_ERR_INVALID_REQUEST;
	error = kl_dev_call_home(j->call, KL_DEV_GROUP, request->group_id, home_out);
	return error != 0 ? error : begin_group(j, *home_out);
}

void kl_dev_join_group(struct kl_dev_call *call)
{
	struct join j = {.call = call, .request = call->request};
	struct kl_dev_partition *home;
	int error = begin(&j, &home);
	if (error != 0)
		refuse(&j, j.request->member_id, error);
	else if (j.group->type != &kl_dev_classic_type)
		kl_dev_modern_join(call, j.group, home);
	else
		join(&j);
}
