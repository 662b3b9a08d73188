/* SPDX-License-Identifier: BSD-2-Clause */
/* The transactions of a command that sends records, one after the other. */
#ifndef CLI_TXN_H
#define CLI_TXN_H

#include <klamm/producer.h>

#include "cli/cli.h"

struct cli_txn {
	struct klamm_producer *producer; /* NULL = the command has no transactions */
	bool is_open;
	bool in_doubt;		   /* the open one is committed, or not: who knows */
	uint64_t records;	   /* of the open one */
	int64_t begun_us;	   /* when it began */
	uint64_t committed, count; /* records, and transactions, that surely are */
};

/* id: of --transactional-id, NULL = it was not given; a file may name one all the same. The
 * exit status. */
int cli_txn_configure(struct klamm_conf *conf, const char *id, bool *wanted_out);

/* These return a code of the library. */
int cli_txn_init(struct cli_txn *txn, struct klamm_producer *producer,
		 struct klamm_error *err);
int cli_txn_begin(struct cli_txn *txn, struct klamm_error *err);
/* Waits for its records first, and until then a signal is INTERRUPTED. After an error it
 * is open still: to be aborted, if it is not in doubt. */
int cli_txn_commit(struct cli_txn *txn, struct klamm_error *err);
int cli_txn_abort(struct cli_txn *txn, struct klamm_error *err);

#endif
