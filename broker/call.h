/* SPDX-License-Identifier: BSD-2-Clause */
/* A request on its way through the broker: from its frame to the last byte of its answer.
 *
 * One request of a connection is handled at a time, as in Kafka: one that has to wait mutes
 * its connection. Answers queue up in the connection, up to a limit. Lives in the broker's
 * loop.
 */
#ifndef KL_DEV_CALL_H
#define KL_DEV_CALL_H

#include "broker/broker.h"
#include "broker/pledge.h"
#include "broker/sasl.h"
#include "core/base/error.h"
#include "core/proto/packet.h"

struct kl_dev_call;
struct kl_dev_fault;

/* An API that is served. The handler ends in kl_dev_answer() or one of its kin, at once or
 * later. Its request is decoded; what it makes of it goes into the call's arena. */
struct kl_dev_api {
	int16_t api;
	int16_t min, max;   /* versions served: what Kafka 4.4 has, or more */
	int16_t advertised; /* the lowest that is told, which may be another */
	void (*fn)(struct kl_dev_call *call);
	int16_t usual; /* the lowest that is served unless a test wants more; 0: as above */
};
extern const struct kl_dev_api kl_dev_apis[];
extern const size_t kl_dev_api_count;
const struct kl_dev_api *kl_dev_api_find(int api); /* NULL: not served */
static inline int kl_dev_api_usual(const struct kl_dev_api *api)
{
	return kl_max(api->usual, kl_max(api->min, api->advertised));
}

struct kl_dev_conn {
	struct kl_conn conn;
	struct kl_dev_node *node;
	struct kl_list link;
	struct kl_list calls;
	struct kl_dev_call *parked; /* it waits, and with it the connection */
	bool choked; /* too many bytes of answers wait to leave */
	bool throttled;
	struct kl_timer throttle; /* made when it is first needed */
	struct kl_hook unpark; /* what came behind the parked call is read after this step */
	struct kl_addr peer;
	struct kl_dev_auth auth;
};

/* Fetch and others name topics by their ids from this version on (KIP-516). */
#define KL_DEV_FETCH_BY_ID 13

/* A fetch in a partition's list. */
struct kl_dev_wait {
	struct kl_list link;
	struct kl_dev_call *call;
};

struct kl_dev_call {
	struct kl_list link; /* in its connection, or among the idle */
	struct klamm_broker *broker;
	struct kl_dev_conn *conn;
	const struct kl_dev_api *api;
	int16_t version;
	int32_t correlation_id;
	struct kl_str client_id; /* in slab; empty = it did not say */
	void *request;        /* NULL: answered, or an unreadable version of ApiVersions */
	struct kl_slab *slab; /* what the request's texts point into, while it is parked */
	struct kl_arena arena;
	struct kl_dev_fault *fault; /* with a reference; NULL = none */
	bool closes, resets; /* the connection, when the answer has left */

	/* While it is parked. */
	struct kl_timer timer;
	void (*on_timer)(struct kl_dev_call *call);
	struct kl_hook wake; /* see kl_dev_call_wake() */
	void (*on_wake)(struct kl_dev_call *call);
	void *work; /* the handler's own, in the arena */
	struct kl_list among; /* those of a member of a group: see classic.h */
	struct kl_dev_wait *waits;
	size_t wait_count;
	struct kl_dev_pledge *pledges; /* see pledge.h */
	size_t pledge_count;
	void (*then)(struct kl_dev_call *call);

	/* The answer. */
	struct kl_buf head;
	struct kl_refs refs;
	struct kl_refs spare_refs; /* of null mode, as the next: see null.c */
	void *stand_ins;
	struct kl_slab **held; /* what refs point into */
	size_t held_count, held_cap;
	struct kl_out out;
};

/* --- conn.c --- */

void kl_dev_conn_close(struct kl_dev_conn *conn, bool reset);
void kl_dev_conn_park(struct kl_dev_conn *conn, struct kl_dev_call *call);
/* The call is through; if it was the parked one (NULL: it was), go on reading. */
void kl_dev_conn_answered(struct kl_dev_conn *conn, struct kl_dev_call *call);
/* Where the client is, as Java prints it: "/127.0.0.1". */
void kl_dev_conn_host(const struct kl_dev_conn *conn, char host[static KL_ADDR_TEXT + 1]);
/* An answer has left. */
void kl_dev_conn_sent(struct kl_dev_conn *conn);
/* Read nothing more until then. */
void kl_dev_conn_throttle(struct kl_dev_conn *conn, int64_t until);

/* --- call.c --- */

struct kl_dev_call *kl_dev_call_new(struct kl_dev_conn *conn); /* NULL: out of memory */
/* The answer has left, or there is none. */
void kl_dev_call_free(struct kl_dev_call *call);
void kl_dev_calls_free(struct klamm_broker *broker); /* the idle ones */

/* Encode and send. The request and everything in the arena is gone then. */
void kl_dev_answer(struct kl_dev_call *call, void *response);
/* The same in another version: for ApiVersions. */
void kl_dev_answer_version(struct kl_dev_call *call, int version, void *response);
/* Nothing but these bytes, behind their size; NULL: nothing at all. For SASL before 1.0. */
void kl_dev_answer_bare(struct kl_dev_call *call, const struct klamm_span *bytes);
/* Records in the answer lie in this slab. false: out of memory. */
bool kl_dev_call_hold(struct kl_dev_call *call, struct kl_slab *slab);
/* The client wants no answer. */
void kl_dev_answer_none(struct kl_dev_call *call);
/* Close the connection instead. */
void kl_dev_call_drop(struct kl_dev_call *call, bool reset);
/* Out of memory while answering: the connection is closed. */
void kl_dev_call_fail(struct kl_dev_call *call);

/* Log a message that came ('<') or goes ('>'), if the log wants them. */
void kl_dev_traffic(const struct kl_dev_conn *conn, char direction,
		    const struct kl_frame *frame);

/* Keep the call, and let its connection wait, until `when` at the latest. */
void kl_dev_call_park(struct kl_dev_call *call, int64_t when,
		      void (*on_timer)(struct kl_dev_call *call));
/* Wait for the partition, too: call->waits has room. on_wake is called at the end of a step
 * in which it changed. */
void kl_dev_call_await(struct kl_dev_call *call, struct kl_dev_partition *partition);
void kl_dev_call_wake(struct kl_dev_call *call);
/* Take it out of all lists. The connection still waits for its answer. */
void kl_dev_call_unwait(struct kl_dev_call *call);

/* --- dispatch.c --- */

/* A frame came; slab holds it. */
void kl_dev_dispatch(struct kl_dev_conn *conn, struct kl_slab *slab, const uint8_t *p,
		     size_t n);

/* --- faults.c --- */

/* The fault that a request meets, with a reference; NULL = none. */
struct kl_dev_asked {
	struct klamm_broker *broker;
	int api;
	int32_t node;
	const void *request; /* NULL: it could not be read */
};
struct kl_dev_fault *kl_dev_fault_meet(const struct kl_dev_asked *asked);
void kl_dev_fault_unref(struct kl_dev_fault *fault);
const struct klamm_broker_fault *kl_dev_fault_spec(const struct kl_dev_fault *fault);
/* The error that a fault has for the whole request; for a topic (partition -1) or one of its
 * partitions; 0 = none. */
int kl_dev_call_error(const struct kl_dev_call *call);
int kl_dev_topic_error(const struct kl_dev_call *call, struct kl_str topic, int32_t partition);
void kl_dev_faults_free(struct klamm_broker *broker);

/* --- fault_effect.c --- */

/* What the call's fault does before the request is handled: leaders and coordinators move. */
void kl_dev_fault_before(const struct kl_dev_call *call);
/* To an answer that is about to be encoded; to its bytes. false: out of memory. */
void kl_dev_fault_mark(const struct kl_dev_call *call, int version, void *response);
bool kl_dev_fault_spoil(struct kl_dev_call *call);

/* --- partitions.c: what every handler of records asks --- */

/* What a request is about: by name or, where it has one, by id. The partition, or NULL with
 * the error; a fault's error may come with the partition. */
struct kl_dev_partition *kl_dev_call_find(struct kl_dev_call *call, struct kl_str name,
					  const struct klamm_uuid *id, int32_t index,
					  int *error_out);
/* The same, where the node must lead it: NOT_LEADER_OR_FOLLOWER. */
struct kl_dev_partition *kl_dev_call_partition(struct kl_dev_call *call, struct kl_str name,
					       const struct klamm_uuid *id, int32_t index,
					       int *error_out);
/* May this node answer for it to a client that believes in this epoch (-1 = in none)? 0,
 * NOT_LEADER_OR_FOLLOWER, FENCED_ or UNKNOWN_LEADER_EPOCH. */
int kl_dev_call_check(const struct kl_dev_call *call,
		      const struct kl_dev_partition *partition, int32_t epoch,
		      bool only_leader);
/* Replicas as metadata shows them; the lists are borrowed, or in the call's arena. */
struct kl_dev_replicas {
	int32_t *all, *in_sync, *offline;
	int32_t count, in_sync_count, offline_count;
};
/* false: out of memory. */
bool kl_dev_call_replicas(struct kl_dev_call *call, const struct kl_dev_partition *partition,
			  struct kl_dev_replicas *out);

/* --- the handlers --- */

/* What Kafka tells of permissions when nothing is forbidden: a bit for each AclOperation. */
#define KL_DEV_TOPIC_OPERATIONS 0x0df8
#define KL_DEV_CLUSTER_OPERATIONS 0x1fa0

void kl_dev_add_offsets_to_txn(struct kl_dev_call *call);
void kl_dev_add_partitions_to_txn(struct kl_dev_call *call);
void kl_dev_alter_configs(struct kl_dev_call *call);
void kl_dev_api_versions(struct kl_dev_call *call);
void kl_dev_consumer_group_describe(struct kl_dev_call *call);
void kl_dev_consumer_group_heartbeat(struct kl_dev_call *call);
void kl_dev_create_partitions(struct kl_dev_call *call);
void kl_dev_create_topics(struct kl_dev_call *call);
void kl_dev_delete_groups(struct kl_dev_call *call);
void kl_dev_delete_records(struct kl_dev_call *call);
void kl_dev_delete_topics(struct kl_dev_call *call);
void kl_dev_describe_cluster(struct kl_dev_call *call);
void kl_dev_describe_configs(struct kl_dev_call *call);
void kl_dev_describe_groups(struct kl_dev_call *call);
void kl_dev_describe_topic_partitions(struct kl_dev_call *call);
void kl_dev_describe_producers(struct kl_dev_call *call);
void kl_dev_describe_transactions(struct kl_dev_call *call);
void kl_dev_end_txn(struct kl_dev_call *call);
void kl_dev_fetch(struct kl_dev_call *call);
void kl_dev_find_coordinator(struct kl_dev_call *call);
void kl_dev_heartbeat(struct kl_dev_call *call);
void kl_dev_init_producer_id(struct kl_dev_call *call);
void kl_dev_join_group(struct kl_dev_call *call);
void kl_dev_leave_group(struct kl_dev_call *call);
void kl_dev_list_groups(struct kl_dev_call *call);
void kl_dev_list_offsets(struct kl_dev_call *call);
void kl_dev_list_transactions(struct kl_dev_call *call);
void kl_dev_metadata(struct kl_dev_call *call);
void kl_dev_offset_commit(struct kl_dev_call *call);
void kl_dev_offset_delete(struct kl_dev_call *call);
void kl_dev_offset_fetch(struct kl_dev_call *call);
void kl_dev_offset_for_leader_epoch(struct kl_dev_call *call);
void kl_dev_produce(struct kl_dev_call *call);
void kl_dev_sync_group(struct kl_dev_call *call);
void kl_dev_txn_offset_commit(struct kl_dev_call *call);
void kl_dev_write_txn_markers(struct kl_dev_call *call);

#endif
