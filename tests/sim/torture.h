/* SPDX-License-Identifier: BSD-2-Clause */
/* The parts of the program "torture": sessions whose memory runs out, and their rules. */
#ifndef TORTURE_H
#define TORTURE_H

#include <klamm/broker.h>
#include <klamm/consumer.h>
#include <klamm/producer.h>

#include "core/net/loop.h"
#include "tests/sim/torture_memory.h"

#define TORTURE_RECORDS 20
#define TORTURE_PARTITIONS 2
#define TORTURE_TOPIC "torture"

/* What a session is about; settings are pairs, NULL at the end. */
struct torture;

struct torture_session {
	const char *name, *summary;
	const char *const *producer, *const *consumer;
	bool json;     /* values go through serializer and deserializer */
	bool futures;  /* outcomes come by futures */
	bool drains;   /* what is sent last is taken back */
	bool transaction; /* all of it is one, with offsets of a group */
	bool admin;    /* it is about groups, by an admin client */
	bool broker;   /* it is the broker's memory that runs out */
	bool data_dir; /* and it keeps its records in files */
	bool group;    /* instead of clients, the life of a group */
	bool joins;    /* the consumer is two members of one; others have written */
};
extern const struct torture_session torture_sessions[];
extern const size_t torture_session_count;

struct torture_record {
	struct torture *t;
	bool queued;
	unsigned outcomes;
	int error, outcome;
	int32_t partition;
	int64_t offset;
	unsigned logged;  /* so often it is in the log in the end, */
	unsigned visible; /* and to who reads what is committed */
};

struct torture {
	const struct torture_session *session;
	bool once; /* one allocation fails, and there is memory again behind it */
	struct kl_sim *sim;
	struct kl_sim_node *client_node, *broker_node, *reader_node;
	struct klamm_broker *broker;
	struct klamm_loop *broker_loop;
	bool listening, written, ended, read; /* so far the world has come */
	bool committed;              /* the commit was answered */
	struct torture_record records[TORTURE_RECORDS];
	struct kl_buf *why;
	unsigned told;
	char last[KLAMM_ERROR_TEXT]; /* text of the error that was returned last */
};

#define torture_complain(t, ...)                                                         \
	do {                                                                             \
		if ((t)->told++ < 8)                                                     \
			torture_tell((t), __VA_ARGS__);                                  \
	} while (0)
/* One line of what is wrong; the memory for it does not run out. */
void torture_tell(struct torture *t, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* A call ended: it worked, or it says what went wrong. true = it worked. */
bool torture_judge(struct torture *t, const char *call, int rc,
		   const struct klamm_error *err);

/* One run: allocations first to first + count - 1 fail. How many the victim asked for; *why:
 * empty = all was well. */
uint64_t torture_run(const struct torture_session *session, uint64_t first, uint64_t count,
		     bool trace, struct kl_buf *why);

/* --- torture_clients.c, inside the client's node --- */
void torture_produce(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop);
void torture_consume(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop);
/* The number in a value; -1 = not one of ours. */
int torture_number(const struct torture *t, struct klamm_span value);

/* --- torture_admin.c, likewise --- */
void torture_administer(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop);
/* --- torture_members.c, likewise --- */
void torture_join(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop);

/* --- torture_group.c, inside the client's node --- */
void torture_group(struct torture *t);

#endif
