/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/admin/pair.h"

#include <stdio.h>

#include "tests/unit/unit.h"

struct peer peers[2];
struct klamm_admin *admin;
_Atomic char second;
static struct klamm_loop *loop;

/* The test's script: how the answers to one API go, by how often it was asked. */
static peer_fn script;

const void *pair_metadata(const struct kl_frame_header *head, struct kl_arena *arena)
{
	struct kl_metadata_response *body = peer_answer(head, arena);
	body->brokers = kl_type_new(&kl_type_metadata_response_broker, arena, 2);
	body->brokers_n = 0;
	for (int i = 1; i >= 0; i--) {
		if (peers[i].port == 0)
			continue;
		body->brokers[body->brokers_n++] = (struct kl_metadata_response_broker){
			.node_id = peers[i].id,
			.host = KL_STR("127.0.0.1"),
			.port = peers[i].port,
			.rack = i == 0 ? KL_STR("r0") : KL_STR_NULL,
		};
	}
	body->cluster_id = KL_STR("cluster");
	body->controller_id = peers[1].port != 0 ? peers[1].id : peers[0].id;
	return body;
}

static const struct peer *coordinator_of(struct kl_str group)
{
	return &peers[second != 0 && group.len > 0 && group.p[0] == second];
}

static const void *coordinators(const struct kl_frame_header *head,
				const struct kl_find_coordinator_request *ask,
				struct kl_arena *arena)
{
	struct kl_find_coordinator_response *body = peer_answer(head, arena);
	if (head->version < 4) {
		const struct peer *peer = coordinator_of(ask->key);
		body->node_id = peer->id;
		body->host = KL_STR("127.0.0.1");
		body->port = peer->port;
		return body;
	}
	size_t n = (size_t)ask->coordinator_keys_n;
	body->coordinators =
		kl_type_new(&kl_type_find_coordinator_response_coordinator, arena, n);
	body->coordinators_n = ask->coordinator_keys_n;
	for (size_t i = 0; i < n; i++) {
		const struct peer *peer = coordinator_of(ask->coordinator_keys[i]);
		body->coordinators[i].key = ask->coordinator_keys[i];
		body->coordinators[i].node_id = peer->id;
		body->coordinators[i].host = KL_STR("127.0.0.1");
		body->coordinators[i].port = peer->port;
	}
	return body;
}

const void *pair_answer(struct peer *peer, const struct kl_frame_header *head,
			const void *request, struct kl_arena *arena)
{
	const void *body = script != NULL ? script(peer, head, request, arena) : NULL;
	if (body == NULL && head->api == KL_API_METADATA)
		return pair_metadata(head, arena);
	if (body == NULL && head->api == KL_API_FIND_COORDINATOR)
		return coordinators(head, request, arena);
	return body;
}

struct klamm_admin *connect_to(const char *servers, struct klamm_loop *on)
{
	struct klamm_conf *conf;
	struct klamm_admin *made;
	struct klamm_error err = {0};
	ck_assert_int_eq(klamm_conf_new(&conf, NULL), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers", servers, NULL), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "retry.backoff.ms", "5", NULL), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "reconnect.backoff.ms", "5", NULL), 0);
	ck_assert_msg(klamm_admin_new(conf, on, &made, &err) == 0, "%s", err.text);
	klamm_conf_free(conf);
	return made;
}

void begin(peer_fn fn, bool own)
{
	script = fn;
	peer_start(&peers[0], 7, pair_answer, NULL);
	if (!own)
		ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	char server[32];
	snprintf(server, sizeof(server), "127.0.0.1:%u", peers[0].port);
	admin = connect_to(server, loop);
}

void begin_both(peer_fn fn)
{
	second = 'b';
	peer_start(&peers[1], 8, pair_answer, NULL);
	begin(fn, false);
}

void end(void)
{
	klamm_admin_free(admin);
	klamm_loop_free(loop);
}
