/* SPDX-License-Identifier: BSD-2-Clause */
/* What a client knows of its cluster: brokers, and the topics it asked for.
 *
 * Metadata is fetched when something is missing, when an error says that it is stale, and
 * once per metadata.max.age.ms. Lives in its loop.
 */
#ifndef KL_CLUSTER_H
#define KL_CLUSTER_H

#include <klamm/error.h>

#include "core/broker/node.h"
#include "core/broker/replicas.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

struct kl_cluster;

struct kl_partition_info {
	int32_t leader; /* node id, -1 = none now */
	int32_t leader_epoch; /* -1 = not known (brokers before 2.1) */
	int32_t error;        /* enum klamm_err */
};

struct kl_topic_info {
	UT_hash_handle hh; /* by name */
	struct kl_list wanted; /* in the list of topics to ask for next, or empty */
	unsigned users;
	bool answered; /* some answer named it */
	int32_t error; /* of the last answer; UNKNOWN_TOPIC_OR_PARTITION before the first */
	struct klamm_uuid id; /* zero before Kafka 2.8 */
	bool internal;
	int32_t partition_count;
	struct kl_partition_info *partitions;
	int32_t partition_cap;
	struct kl_replicas replicas; /* with kl_cluster.replicas_wanted */
	void *user;                  /* the owner's */
	char name[];
};

struct kl_cluster_ops {
	/* New facts about a topic, or an error in its stead. */
	void (*topic)(struct kl_cluster *cluster, struct kl_topic_info *topic);
	/* An answer came, and brokers may be others than before. */
	void (*updated)(struct kl_cluster *cluster);
	/* With kl_cluster_list(): an answer that names every topic, borrowed. */
	void (*listing)(struct kl_cluster *cluster, const struct kl_metadata_response *body);
	/* A connection became ready (err NULL) or was lost. */
	void (*node)(struct kl_cluster *cluster, struct kl_node *node,
		     const struct klamm_error *err);
};

struct kl_broker {
	struct kl_node node;
	UT_hash_handle hh; /* by node.id */
	char *rack;
	bool listed; /* by the last answer */
	struct kl_list going; /* not listed any more, to be freed */
};

struct kl_cluster {
	struct kl_nodes nodes;
	const struct kl_cluster_ops *ops; /* any member may be NULL */
	const struct kl_settings *settings;
	struct kl_broker *brokers;   /* uthash */
	struct kl_node *bootstrap;   /* one per bootstrap.servers entry */
	size_t bootstrap_count;
	struct kl_topic_info *topics; /* uthash */
	char *cluster_id;
	int32_t controller_id;

	struct kl_request request; /* Metadata */
	struct kl_metadata_request *body;
	struct kl_arena arena; /* of the body */
	bool asking, asking_all;
	bool lists, lists_once, asking_list; /* of all topics that there are */
	bool all_wanted;
	bool replicas_wanted; /* set by the owner; from the next answer on */
	bool brokers_known; /* some answer came since the last (re)bootstrap */
	struct kl_list wanted;
	struct kl_timer timer;
	struct kl_task task;
	struct kl_list going;
	struct kl_task bury_task;
	int64_t next_at;   /* not before, after a failure or an empty answer */
	int64_t max_age_at;
	int64_t updated_at; /* by the last good answer */
	int64_t trying_since; /* no good answer since then; KL_NEVER = not trying */
	unsigned failures;
	bool stopped;
	struct klamm_error last_error; /* why the last attempt got nothing */
	/* How often a broker has answered, and how often one has refused to let this client
	 * in, for those that wait [any thread]; and why, until one gives metadata. */
	atomic_uint answers, refusals;
	struct kl_gate *told; /* where answers are waited for; NULL = nobody did yet */
	struct klamm_error refusal;
};

int kl_cluster_init(struct kl_cluster *cluster, struct klamm_loop *loop,
		    const struct kl_settings *settings, const struct kl_log *log,
		    struct kl_slab_pool *slabs, const struct kl_cluster_ops *ops,
		    struct klamm_error *err);
void kl_cluster_free(struct kl_cluster *cluster);

/* Be told of a topic from now on; the same name gives the same object. NULL: out of memory. */
struct kl_topic_info *kl_cluster_want(struct kl_cluster *cluster, const char *name);
/* Once per want. */
void kl_cluster_unwant(struct kl_cluster *cluster, struct kl_topic_info *topic);

/* Something is stale: ask again soon, for one topic, or (NULL) for brokers and all topics. */
void kl_cluster_refresh(struct kl_cluster *cluster, struct kl_topic_info *topic);

/* From now on (or not any more) whoever asks for all topics asks for those as well that nobody
 * wants; see ops. */
void kl_cluster_list(struct kl_cluster *cluster, bool lists);
/* The same for the next good answer alone, or not even for that any more. */
void kl_cluster_list_once(struct kl_cluster *cluster, bool lists);

/* KIP-951: a broker's answer said who leads a partition now. */
struct kl_leader_hint {
	int32_t leader, epoch; /* -1: it did not */
	struct kl_str host;    /* where that one is; len 0 = it did not say */
	int32_t port;
	struct kl_str rack;
};
/* How many endpoints of an answer are looked at: more than a cluster has. */
#define KL_HINT_ENDPOINTS 4096
/* What an answer says of one partition; those to Produce and to Fetch have types of their own
 * for the same fields. */
#define kl_leader_hint_of(body, told)                                                   \
	({                                                                              \
		struct kl_leader_hint hint_ = {                                         \
			.leader = (told)->current_leader.leader_id,                     \
			.epoch = (told)->current_leader.leader_epoch};                  \
		int32_t n_ = kl_min((body)->node_endpoints_n, KL_HINT_ENDPOINTS);       \
		for (int32_t i_ = 0; i_ < n_; i_++) {                                   \
			const typeof(*(body)->node_endpoints) *at_ =                    \
				&(body)->node_endpoints[i_];                            \
			if (at_->node_id != hint_.leader)                               \
				continue;                                               \
			hint_.host = at_->host;                                         \
			hint_.port = at_->port;                                         \
			hint_.rack = at_->rack;                                         \
			break;                                                          \
		}                                                                       \
		hint_;                                                                  \
	})
/* A leader that is not known yet is from now on. false: that was no news. */
bool kl_cluster_leader_hint(struct kl_cluster *cluster, struct kl_topic_info *topic,
			    int32_t partition, const struct kl_leader_hint *hint);

/* NULL: no broker of that id is known. */
struct kl_node *kl_cluster_node(struct kl_cluster *cluster, int32_t id);
/* What it says of its rack; NULL: nothing, or it is not known. */
const char *kl_cluster_rack(struct kl_cluster *cluster, int32_t id);
struct kl_node *kl_cluster_controller(struct kl_cluster *cluster); /* may be NULL */
/* The broker with the least to do, a bootstrap server while no other is usable; NULL: every
 * address has to wait for its backoff. */
struct kl_node *kl_cluster_any_node(struct kl_cluster *cluster);

/* Requests that wait for an answer, of all brokers. */
unsigned kl_cluster_in_flight(const struct kl_cluster *cluster);

/* "...; last error: broker 3 (h:p): cannot connect: Connection refused", with the stage of
 * that error, or what is being waited for: for calls that gave up waiting. A refusal is told
 * as it is. */
int kl_cluster_timed_out(const struct kl_cluster *cluster, struct klamm_error *err,
			 const char *what);
/* The same from an application's thread: the last error may only be read in the loop. */
int kl_cluster_ask_why(struct kl_cluster *cluster, struct klamm_error *err, const char *what);

#endif
