/* SPDX-License-Identifier: BSD-2-Clause */
/* The world of the scenarios "group-...": three broker nodes, a writer, and consumers that
 * share its topics as members of one group, through trouble of one kind. */
#ifndef GROUPS_H
#define GROUPS_H

#include <klamm/broker.h>
#include <klamm/consumer.h>
#include <klamm/producer.h>

#include "tests/sim/owners.h"
#include "tests/sim/scenario.h"

#define GROUPS_ID "sharers"
#define GROUPS_PORT 9092
#define GROUPS_NODES 3
#define GROUPS_SLOTS 5
#define GROUPS_TOPICS 2
#define GROUPS_PARTS_MAX 8 /* of a topic, when it has grown */
#define GROUPS_PARTS (GROUPS_TOPICS * GROUPS_PARTS_MAX)

/* How a group shares out. */
struct groups_rule {
	const char *protocol; /* group.protocol */
	/* partition.assignment.strategy, or where the broker assigns group.remote.assignor */
	const char *strategy;
	/* Whoever is restarted speaks the other protocol, with this group.remote.assignor; the
	 * group changes with its members. NULL: all speak the one above. */
	const char *other;
};

enum groups_commits {
	GROUPS_AUTO,  /* enable.auto.commit */
	GROUPS_SYNC,  /* after each batch, waiting */
	GROUPS_ASYNC, /* and not waiting */
};

/* A machine on which one member after the other lives. */
struct groups_slot {
	struct groups *g;
	unsigned index;
	struct kl_sim_node *node;
	struct scenario_log log;
	char name[16], instance[16]; /* instance: group.instance.id, "" = none */
	bool wanted;   /* a member is to be here */
	bool running;  /* a fiber is */
	bool is_member, lived; /* there is one; there ever was one */
	bool is_modern;        /* it speaks KIP-848 */
	bool is_fenced;
	unsigned member;       /* its number for the owners */
	struct klamm_consumer *consumer;
	int64_t ended_at;  /* the one before, in order or not */
	int64_t nap_until; /* its application does something else */
	int64_t paused_us; /* so long the machine stood still, in all */
};

struct groups {
	struct scenario_run *run;
	const struct groups_rule *rule;
	struct kl_sim *sim;
	struct kl_sim_node *broker_node, *writer_node, *auditor_node;
	struct scenario_log writer_log, auditor_log;
	struct klamm_broker *broker;
	struct klamm_loop *broker_loop;
	struct owners *owners;
	struct groups_slot slots[GROUPS_SLOTS];

	/* Drawn from the seed. */
	unsigned topics, members; /* members: at first */
	int32_t parts[GROUPS_TOPICS];
	enum groups_commits commits;
	bool is_static, faulty; /* faulty: connections break by themselves */
	bool has_lull;          /* the trouble pauses once, and all has to work */
	int64_t storm_us, gap_us;
	const char *session_timeout, *heartbeat, *max_poll, *request_timeout, *auto_interval,
		*fetch_wait, *max_age;

	int64_t storm_end;
	unsigned strikes, lives;
	bool listening; /* the broker is there */
	bool over;      /* the trouble has ended */
	bool written;   /* so has the writer */
	bool finish;    /* members are to leave for good, */
	bool finished;  /* have left, */
	bool audited;   /* and what they committed was looked at */
	int64_t longest_poll, longest_commit, longest_close;
};

/* With no trouble, an owner waits for records no longer than this: what a fetch waits, and
 * answers on a quiet network. */
#define GROUPS_BOUND (5 * (int64_t)KL_SECOND)

/* --- groups.c --- */
/* So long a partition may wait for an owner: a member that is gone has its session, and one
 * that is asked to come again has max.poll.interval.ms. */
int64_t groups_owner_bound(const struct groups *g);
extern const char *const groups_topics[GROUPS_TOPICS];
uint64_t groups_below(struct groups *g, uint64_t n);
/* Through all topics; and the topic of one. */
unsigned groups_partition(const char *topic, int32_t partition);
bool groups_is(const struct groups *g, const char *kind);
/* Do all speak KIP-848, does anybody? */
bool groups_is_modern(const struct groups *g);
bool groups_has_modern(const struct groups *g);
/* Where the logs end, -1 = no such partition. */
void groups_ends(struct groups *g, int64_t ends[GROUPS_PARTS]);
/* Settings of all clients, and pairs, NULL at the end. */
struct klamm_conf *groups_conf(struct groups *g, struct scenario_log *log,
			       const char *const *pairs);

/* --- groups_member.c --- */
void groups_slot_start(struct groups_slot *slot);

/* --- groups_trouble.c: fibers of the broker's node --- */
void groups_trouble_main(void *arg);
/* Does it happen that requests come late, members are put out for no fault of theirs? */
bool groups_is_rough(const struct groups *g);
/* When faults have ended, all works again within so long. */
int64_t groups_recovery(const struct groups *g);

/* --- groups_audit.c: who looks from outside --- */
void groups_watcher_main(void *arg);
void groups_auditor_main(void *arg);
void groups_writer_main(void *arg);

#endif
