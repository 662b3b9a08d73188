/* SPDX-License-Identifier: BSD-2-Clause */
/* Members of modern groups that speak the classic protocol: the coordinator assigns, JoinGroup
 * and SyncGroup wait for nobody, and Heartbeat says when to join again. Joining is a heartbeat
 * of the other protocol in disguise; a generation is the member's epoch. */
#include "broker/batch_make.h"
#include "broker/embedded.h"
#include "broker/groups.h"
#include "broker/migrate.h"
#include "broker/modern_beat.h"
#include "core/consumer/assign.h"

/* The first version in which a member comes with an id (KIP-394). */
#define ID_REQUIRED 4

/* --- who it is --- */

/* By its instance if it has one. 0, UNKNOWN_MEMBER_ID, FENCED_INSTANCE_ID. */
static int find(const struct kl_dev_group *group, struct kl_str id, struct kl_str instance,
		struct kl_dev_modern_member **member_out)
{
	struct kl_dev_modern_member *member = instance.len >= 0
						      ? kl_dev_modern_static(group, instance)
						      : kl_dev_modern_find(group, id);
	*member_out = member;
	if (member == NULL)
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	return kl_str_equal(kl_dev_modern_id(member), id) ? 0 : KLAMM_ERR_FENCED_INSTANCE_ID;
}

/* The same for one that speaks this protocol, and is in this generation. */
static int find_classic(const struct kl_dev_group *group, struct kl_str id,
			struct kl_str instance, int32_t generation,
			struct kl_dev_modern_member **member_out)
{
	int rc = find(group, id, instance, member_out);
	if (rc != 0)
		return rc;
	if (!kl_dev_modern_is_classic(*member_out))
		return KLAMM_ERR_UNKNOWN_MEMBER_ID;
	return (*member_out)->epoch == generation ? 0 : KLAMM_ERR_ILLEGAL_GENERATION;
}

/* --- JoinGroup --- */

struct join {
	struct kl_dev_beat beat;
	const struct kl_join_group_request *request;
	struct kl_dev_partition *home;
	struct kl_consumer_group_heartbeat_request as_beat;
	struct kl_consumer_group_member_metadata_value_classic classic;
	struct kl_dev_modern_member *replaced; /* it has the name of the one that joins */
};

struct joined {
	struct kl_join_group_response response;
	struct kl_dev_pledge pledge;
};

static bool offers(const struct kl_dev_modern_member *member, struct kl_str protocol)
{
	const struct kl_consumer_group_member_metadata_value_classic *classic =
		kl_dev_modern_classic(member);
	for (int32_t i = 0; i < classic->supported_protocols_n; i++)
		if (kl_str_equal(classic->supported_protocols[i].name, protocol))
			return true;
	return false;
}

/* Do all that speak this protocol offer one of these? */
static bool supports(const struct kl_dev_group *group,
		     const struct kl_join_group_request *request)
{
	struct kl_dev_modern_member *member, *next;
	bool any = false;
	for (int32_t i = 0; i < request->protocols_n && !any; i++) {
		any = true;
		HASH_ITER(hh, group->modern->members, member, next)
		{
			if (kl_dev_modern_is_classic(member))
				any = any && offers(member, request->protocols[i].name);
		}
	}
	return any && kl_str_is(request->protocol_type, "consumer");
}

static int check_group(const struct join *j)
{
	const struct kl_dev_group *group = j->beat.group;
	const struct kl_dev_limits *limits = &group->broker->limits;
	if (limits->modern_migration == KL_DEV_STAYS)
		return KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL;
	if ((int64_t)HASH_COUNT(group->modern->members) >= limits->modern_max_size &&
	    kl_dev_modern_find(group, j->request->member_id) == NULL)
		return KLAMM_ERR_GROUP_MAX_SIZE_REACHED;
	return supports(group, j->request) ? 0 : KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL;
}

/* What the member says in this protocol, as it would in the other one. */
static int translate(struct join *j)
{
	const struct kl_join_group_request *r = j->request;
	struct kl_dev_call *call = j->beat.call;
	struct kl_consumer_protocol_subscription *told;
	int rc = kl_subscription_parse(r->protocols[0].metadata, &call->arena, &told, NULL);
	if (rc != 0)
		return rc == KLAMM_ERR_NO_MEMORY ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE
						 : KLAMM_ERR_UNKNOWN_SERVER_ERROR;
	j->as_beat.group_id = r->group_id;
	j->as_beat.member_id = r->member_id;
	j->as_beat.instance_id = r->group_instance_id;
	j->as_beat.rack_id = told->rack_id.len > 0 ? told->rack_id : KL_STR_NULL;
	j->as_beat.rebalance_timeout_ms =
		call->version >= 1 ? r->rebalance_timeout_ms : r->session_timeout_ms;
	j->as_beat.subscribed_topic_names = told->topics;
	j->as_beat.subscribed_topic_names_n = told->topics_n;
	j->as_beat.subscribed_topic_regex = KL_STR("");
	j->as_beat.topic_partitions_n = 0; /* it says what it has: see b->owned */
	return kl_dev_embedded_owned(call->broker, told, &j->beat.owned)
		       ? 0
		       : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
}

static int put_offers(struct join *j)
{
	const struct kl_join_group_request *r = j->request;
	struct kl_consumer_group_member_metadata_value_protocol *protocols =
		kl_type_new(&kl_type_consumer_group_member_metadata_value_protocol,
			    &j->beat.call->arena, (size_t)r->protocols_n);
	for (int32_t i = 0; protocols != NULL && i < r->protocols_n; i++) {
		protocols[i].name = r->protocols[i].name;
		protocols[i].metadata = r->protocols[i].metadata;
	}
	j->classic.session_timeout_ms = r->session_timeout_ms;
	j->classic.supported_protocols = protocols;
	j->classic.supported_protocols_n = r->protocols_n;
	j->beat.classic = &j->classic;
	return protocols != NULL ? 0 : KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
}

/* The one that joins: an old one, a new one, or one in the place of another. */
static int take_place(struct join *j)
{
	const struct kl_join_group_request *r = j->request;
	struct kl_dev_beat *b = &j->beat;
	char made[KL_UUID_TEXT];
	bool is_new = r->member_id.len <= 0, is_static = r->group_instance_id.len >= 0;
	struct kl_dev_modern_member *known =
		is_static ? kl_dev_modern_static(b->group, r->group_instance_id)
			  : kl_dev_modern_find(b->group, r->member_id);
	if (is_static && !is_new) {
		int rc = find(b->group, r->member_id, r->group_instance_id, &b->member);
		if (rc != 0)
			return rc;
	}
	b->goes_down = is_static && known != NULL &&
		       kl_dev_migrate_goes_down_for(b->group, known);
	if (known != NULL && is_new) {
		kl_dev_modern_make_id(b->call->broker, made);
		return kl_dev_beat_replace(b, known, kl_str(made), j->home) ? 0 : b->err.code;
	}
	b->member = known;
	return known != NULL || kl_dev_beat_add(b, r->member_id) ? 0 : b->err.code;
}

/* With a target that is not for its epoch the group is to share out anew as a classic one. */
static int go_down(struct join *j)
{
	struct kl_dev_group *group = j->beat.group;
	const char *why = group->modern->target_epoch < group->modern->epoch
				  ? "rebalance, the last assignment is stale"
				  : NULL;
	return kl_dev_migrate_down(group, NULL, 0, why);
}

static int join(struct join *j, struct joined *out)
{
	struct kl_dev_beat *b = &j->beat;
	struct kl_join_group_response *response = &out->response;
	int rc = translate(j);
	if (rc == 0)
		rc = put_offers(j);
	if (rc == 0)
		rc = take_place(j);
	if (rc != 0)
		return rc;
	struct kl_str id = kl_dev_modern_id(b->member);
	response->member_id = kl_str(kl_arena_text(&b->call->arena, id.p, (size_t)id.len));
	response->protocol_type = KL_STR("consumer");
	response->protocol_name = j->request->protocols[0].name;
	if (response->member_id.p == NULL)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (!kl_dev_beat_run(b) || !kl_dev_beat_append(b, j->home))
		return b->err.code;
	response->generation_id = b->now.epoch;
	if (b->goes_down)
		rc = go_down(j);
	else
		kl_dev_modern_await_sync(b->member);
	out->pledge = kl_dev_pledge_on(j->home);
	return rc;
}

static void answer_joined(struct kl_dev_call *call)
{
	struct joined *joined = call->work;
	int error = joined->pledge.error != 0 ? KLAMM_ERR_COORDINATOR_NOT_AVAILABLE : 0;
	if (error != 0)
		kl_dev_answer_not_joined(call, KL_STR(""), error);
	else
		kl_dev_answer(call, &joined->response);
}

/* It is to come with an id, which nobody remembers until then. */
static bool requires_id(const struct kl_dev_call *call,
			const struct kl_join_group_request *request)
{
	return call->version >= ID_REQUIRED && request->member_id.len <= 0 &&
	       request->group_instance_id.len < 0;
}

void kl_dev_modern_join(struct kl_dev_call *call, struct kl_dev_group *group,
			struct kl_dev_partition *home)
{
	struct klamm_broker *broker = call->broker;
	struct join j = {.request = call->request, .home = home};
	char id[KL_UUID_TEXT];
	j.beat = (struct kl_dev_beat){.call = call, .request = &j.as_beat, .group = group};
	int rc = check_group(&j);
	if (rc == 0 && requires_id(call, j.request)) {
		kl_dev_modern_make_id(broker, id);
		kl_dev_answer_not_joined(call, kl_str(id), KLAMM_ERR_MEMBER_ID_REQUIRED);
		return;
	}
	struct joined *joined = kl_arena_alloc(&call->arena, sizeof(*joined));
	if (joined == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	kl_msg_init(&kl_msg_join_group_response, &joined->response);
	kl_msg_init(&kl_msg_consumer_group_heartbeat_request, &j.as_beat);
	kl_type_init(&kl_type_consumer_group_member_metadata_value_classic, &j.classic);
	kl_dev_batch_begin(&j.beat.batch, broker->loop->os->wall_ms(broker->loop->os));
	if (rc == 0)
		rc = join(&j, joined);
	kl_dev_beat_free(&j.beat);
	if (rc != 0) {
		kl_dev_beat_undo(&j.beat);
		kl_dev_answer_not_joined(call, KL_STR(""), rc);
		return;
	}
	call->work = joined;
	kl_dev_call_settle(call, &joined->pledge, 1, answer_joined);
}

/* --- SyncGroup --- */

struct synced {
	struct kl_sync_group_response response;
	struct kl_dev_pledge pledge;
};

static bool differs(struct kl_str said, struct kl_str is)
{
	return said.len >= 0 && !kl_str_equal(said, is);
}

/* One that is to give up has joined for this target already, and does so first. */
static bool is_behind(const struct kl_dev_group *group,
		      const struct kl_dev_modern_member *member)
{
	return group->modern->target_epoch > member->epoch &&
	       member->state != KL_DEV_MODERN_UNREVOKED;
}

static int sync(struct kl_dev_call *call, const struct kl_dev_group *group,
		struct kl_sync_group_response *response)
{
	const struct kl_sync_group_request *r = call->request;
	struct kl_dev_modern_member *member;
	int rc = find_classic(group, r->member_id, r->group_instance_id, r->generation_id,
			      &member);
	if (rc != 0)
		return rc;
	const struct kl_consumer_group_member_metadata_value_protocol *first =
		kl_dev_modern_classic(member)->supported_protocols;
	if (differs(r->protocol_type, KL_STR("consumer")) ||
	    differs(r->protocol_name, first->name))
		return KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL;
	if (is_behind(group, member)) {
		kl_dev_modern_await_join(member);
		return KLAMM_ERR_REBALANCE_IN_PROGRESS;
	}
	response->protocol_type = r->protocol_type;
	response->protocol_name = r->protocol_name;
	if (!kl_dev_embedded_write(call->broker, &member->has, first->metadata, &call->arena,
				   &response->assignment))
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	kl_timer_stop(call->broker->loop, &member->sync);
	kl_dev_modern_alive(member);
	return 0;
}

static void answer_synced(struct kl_dev_call *call)
{
	struct synced *synced = call->work;
	if (synced->pledge.error != 0)
		kl_dev_answer_not_synced(call, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE);
	else
		kl_dev_answer(call, &synced->response);
}

/* What it was assigned must be on the disk before it hears of it. */
void kl_dev_modern_sync(struct kl_dev_call *call, struct kl_dev_group *group,
			struct kl_dev_partition *home)
{
	struct synced *synced = kl_arena_alloc(&call->arena, sizeof(*synced));
	if (synced == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	kl_msg_init(&kl_msg_sync_group_response, &synced->response);
	int rc = sync(call, group, &synced->response);
	if (rc != 0) {
		kl_dev_answer_not_synced(call, rc);
		return;
	}
	synced->pledge = kl_dev_pledge_on(home);
	call->work = synced;
	kl_dev_call_settle(call, &synced->pledge, 1, answer_synced);
}

/* --- Heartbeat --- */

/* Of what it shall have others have something still. */
static bool waits(const struct kl_dev_modern_member *member)
{
	for (size_t i = 0; i < member->target.count; i++) {
		const struct kl_dev_part *part = &member->target.list[i];
		if (kl_dev_parts_find(&member->has, &part->topic, part->index) == NULL &&
		    kl_dev_modern_is_held(member->group, &part->topic, part->index, NULL))
			return true;
	}
	return false;
}

static bool is_to_join(const struct kl_dev_modern_member *member)
{
	return member->epoch < member->group->modern->target_epoch ||
	       member->state == KL_DEV_MODERN_UNREVOKED ||
	       (member->state == KL_DEV_MODERN_UNRELEASED && !waits(member));
}

int kl_dev_modern_classic_beat(const struct kl_dev_group *group,
			       const struct kl_heartbeat_request *request)
{
	struct kl_dev_modern_member *member;
	int rc = find_classic(group, request->member_id, request->group_instance_id,
			      request->generation_id, &member);
	if (rc != 0)
		return rc;
	kl_dev_modern_alive(member);
	if (!is_to_join(member))
		return 0;
	kl_dev_modern_await_join(member);
	return KLAMM_ERR_REBALANCE_IN_PROGRESS;
}

/* --- LeaveGroup --- */

int kl_dev_modern_leaving(const struct kl_dev_group *group,
			  const struct kl_leave_group_request_member *asked,
			  struct kl_dev_modern_member **member_out)
{
	bool by_instance = asked->group_instance_id.len >= 0 && asked->member_id.len <= 0;
	int rc = find(group, asked->member_id, asked->group_instance_id, member_out);
	return by_instance && rc == KLAMM_ERR_FENCED_INSTANCE_ID ? 0 : rc;
}
