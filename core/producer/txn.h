/* SPDX-License-Identifier: BSD-2-Clause */
/* Transactions (KIP-98; KIP-447 for offsets; KIP-890, "version 2", where the cluster has it).
 *
 * All of this lives in the loop. The application's calls (txn_call.c) set a state and wait;
 * kl_txn_run(), at the end of each of the sender's rounds, does what the state asks for next,
 * one request at a time, as the coordinator wants it:
 *
 *	none -> initializing -> ready <-> open -> committing | aborting -> (bumping) -> ready
 *
 * and from any of them to "abortable", which only an abort ends, or "fatal". A batch belongs
 * to the transaction that is open when it is sent, and no transaction ends before every batch
 * has.
 */
#ifndef KL_TXN_H
#define KL_TXN_H

#include "core/base/arena.h"
#include "core/broker/coordinator.h"
#include "core/proto/gen/messages.h"

struct klamm_producer;
struct kl_partition;
struct kl_pbatch;

/* The level of the cluster's feature "transaction.version" that brought KIP-890's protocol. */
#define KL_TXN_VERSION_2 2

enum kl_txn_state {
	KL_TXN_NONE,         /* klamm_producer_init_transactions() comes first */
	KL_TXN_INITIALIZING, /* getting producer id and epoch */
	KL_TXN_READY,
	KL_TXN_OPEN,
	KL_TXN_COMMITTING,
	KL_TXN_ABORTING,
	KL_TXN_BUMPING,   /* it has ended; the next one needs another epoch */
	KL_TXN_ABORTABLE, /* txn->error says why */
	KL_TXN_FATAL,     /* likewise */
};

enum kl_txn_call_kind {
	KL_TXN_CALL_NONE,
	KL_TXN_CALL_INIT,
	KL_TXN_CALL_OFFSETS,
	KL_TXN_CALL_COMMIT,
	KL_TXN_CALL_ABORT,
};

/* What the application waits for; it stays when its time is over, and the same call again
 * waits for the same end. */
struct kl_txn_call {
	enum kl_txn_call_kind kind;
	atomic_bool ended;
	struct klamm_error err; /* code 0: it is done */
};

struct kl_txn {
	const char *id; /* transactional.id */
	enum kl_txn_state state;
	struct klamm_error error;
	struct kl_txn_call call;
	struct kl_coordinator coordinator;
	bool coordinator_made;
	struct kl_request request; /* the one that is under way */
	struct kl_node *asked;     /* its broker, NULL = none is under way */
	struct kl_arena arena;     /* of its body */
	struct kl_timer timer;
	bool timer_made;
	int64_t retry_at;
	unsigned failures;
	int64_t makes_way_until; /* an abort is not asked for before: see make_way() */

	uint64_t number; /* of the transaction; partitions know theirs */
	bool v2;         /* KIP-890: no AddPartitionsToTxn, and a new epoch after each one */
	bool started;    /* the coordinator may know of it */
	bool bump;       /* it needs another epoch when this one has ended, */
	bool doubt;      /* because something may have been done that was not answered */
	bool committed;  /* what the coordinator was asked for: to commit, not to abort */
	bool maybe_ended; /* and may have done, though it did not answer */
	struct kl_list adding; /* partitions that the coordinator must hear of first */
	bool added_some;

	/* --- klamm_producer_send_offsets() --- */
	struct kl_coordinator group;
	bool group_made;
	bool offsets_added; /* the coordinator knows of the group */
	struct kl_txn_offsets *offsets; /* what is to be committed; NULL = nothing */
};

/* A copy of what klamm_producer_send_offsets() was given. */
struct kl_txn_offsets {
	struct kl_arena arena;
	char *group_id, *member_id, *instance_id;
	int32_t generation;
	size_t count;
	struct kl_txn_offset {
		char *topic, *metadata;
		int32_t partition, leader_epoch;
		int64_t offset;
		bool done;
	} *list; /* by topic */
};
void kl_txn_offsets_free(struct kl_txn_offsets *offsets);

/* --- txn.c --- */
int kl_txn_init(struct klamm_producer *p, struct klamm_error *err);
/* Before the cluster goes: what is under way ends with CLOSED. */
void kl_txn_stop(struct klamm_producer *p);
void kl_txn_free(struct klamm_producer *p);
/* What the state asks for next, if it can be done now. */
void kl_txn_run(struct klamm_producer *p);
/* May a batch of this partition be sent now? */
enum kl_txn_gate {
	KL_TXN_GATE_OPEN,
	KL_TXN_GATE_WAITS, /* the coordinator has to hear of the partition */
	KL_TXN_GATE_SHUT,  /* no transaction takes it: *why says so */
};
enum kl_txn_gate kl_txn_gate(struct klamm_producer *p, struct kl_partition *part,
			     const struct klamm_error **why);
/* A batch leaves. */
void kl_txn_sends(struct klamm_producer *p);
/* A batch has failed; stamped: with a sequence that another must not get. */
void kl_txn_batch_failed(struct klamm_producer *p, const struct kl_pbatch *batch, bool stamped,
			 int code, const char *text);
/* Any other state but those two, which are kl_txn_spoil()'s. */
void kl_txn_set_state(struct klamm_producer *p, enum kl_txn_state state);
/* Only an abort helps, or nothing does; from then on send() is refused with this error. The
 * application's call ends with it. */
void kl_txn_spoil(struct klamm_producer *p, bool fatal, const struct klamm_error *why);
void kl_txn_call_end(struct klamm_producer *p, const struct klamm_error *err);
/* The transaction has ended as it was asked to. */
void kl_txn_over(struct klamm_producer *p);

/* txn->group is the coordinator of this group from now on. */
int kl_txn_find_group(struct klamm_producer *p, const char *group, struct klamm_error *err);

/* --- txn_request.c --- */
/* Each sends one request, unless one is under way or the coordinator is not known. */
void kl_txn_ask_identity(struct klamm_producer *p);
void kl_txn_ask_partitions(struct klamm_producer *p);
void kl_txn_ask_end(struct klamm_producer *p);
/* What those and the requests for offsets share. */
enum kl_txn_verdict {
	KL_TXN_DONE,
	KL_TXN_RETRY,
	KL_TXN_FIND,  /* the coordinator is another one */
	KL_TXN_ABORT, /* this transaction cannot go on */
	KL_TXN_DIE,   /* this producer cannot go on */
};
enum kl_txn_verdict kl_txn_judge(int code);
/* The same of partitions and of offsets: what is wrong with these, and not with who says it,
 * an abort gets over. */
enum kl_txn_verdict kl_txn_judge_part(int code);
void kl_txn_back_off(struct klamm_producer *p);
void kl_txn_send(struct klamm_producer *p, struct kl_node *node, enum kl_api api,
		 int min_version, int max_version,
		 const void *(*prepare)(struct kl_request *request, int version),
		 void (*done)(struct kl_request *request, const struct kl_response *response));
/* None is under way any more. */
void kl_txn_answered(struct klamm_producer *p);
/* A request that is still on its way somewhere, as it may be, must find another epoch when the
 * next transaction is open: else it would end that one, or add to it. Version 2 has another
 * epoch for each. */
void kl_txn_in_doubt(struct klamm_producer *p, const struct kl_response *response);
/* A request ended without an answer. */
void kl_txn_unanswered(struct klamm_producer *p, struct kl_coordinator *coordinator,
		       const struct kl_response *response);
/* The answer to what was not "done". api names it in the text, detail may add to it. */
void kl_txn_refused(struct klamm_producer *p, struct kl_coordinator *coordinator,
		    enum kl_txn_verdict verdict, enum kl_api api, int code,
		    const char *detail);

/* --- txn_call.c --- */
/* Before the producer is closed, on the application's thread: what is open is aborted, what
 * ends is waited for. TIMED_OUT. */
int kl_txn_leave(struct klamm_producer *p, int64_t deadline, struct klamm_error *err);
/* Why a transactional producer takes no records [any thread]. */
int kl_txn_explain(struct klamm_producer *p, struct klamm_error *err);

/* --- txn_offsets.c --- */
void kl_txn_ask_offsets(struct klamm_producer *p);

#endif
