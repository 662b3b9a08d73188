/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/txn.h"

#include "cli/io.h"

/* How long a signal may have to wait. */
#define SLICE_MS 100

int cli_txn_configure(struct klamm_conf *conf, const char *id, bool *wanted_out)
{
	static const char key[] = "transactional.id";
	struct klamm_error err;
	if (id != NULL && klamm_conf_set(conf, key, id, &err) != 0)
		return cli_fail(CLI_USAGE, "--transactional-id %s", err.text);
	*wanted_out = klamm_conf_get(conf, key) != NULL;
	return 0;
}

static int interrupted(struct klamm_error *err)
{
	*err = (struct klamm_error){
		.code = KLAMM_ERR_INTERRUPTED,
		.text = "interrupted",
	};
	return err->code;
}

int cli_txn_init(struct cli_txn *txn, struct klamm_producer *producer,
		 struct klamm_error *err)
{
	txn->producer = producer;
	int rc = klamm_producer_init_transactions(producer, KLAMM_TIMEOUT_DEFAULT, err);
	return rc != 0 && cli_interrupted() ? interrupted(err) : rc;
}

int cli_txn_begin(struct cli_txn *txn, struct klamm_error *err)
{
	int rc = klamm_producer_begin_transaction(txn->producer, err);
	if (rc != 0)
		return rc;
	txn->is_open = true;
	txn->records = 0;
	txn->begun_us = cli_now_us();
	return 0;
}

/* Until every record has its outcome, which delivery.timeout.ms bounds. */
static int wait_for_records(struct cli_txn *txn, struct klamm_error *err)
{
	int rc;
	do
		rc = klamm_producer_flush(txn->producer, SLICE_MS, NULL, err);
	while (rc == KLAMM_ERR_TIMED_OUT && !cli_interrupted());
	return cli_interrupted() ? interrupted(err) : rc;
}

int cli_txn_commit(struct cli_txn *txn, struct klamm_error *err)
{
	int rc = wait_for_records(txn, err);
	if (rc != 0)
		return rc;
	rc = klamm_producer_commit_transaction(txn->producer, KLAMM_TIMEOUT_DEFAULT, err);
	txn->in_doubt = rc != 0 && err->outcome == KLAMM_OUTCOME_POSSIBLY_WRITTEN;
	if (rc != 0 && err->outcome != KLAMM_OUTCOME_DELIVERED)
		return rc;
	txn->is_open = false;
	txn->committed += txn->records;
	txn->count++;
	return rc;
}

int cli_txn_abort(struct cli_txn *txn, struct klamm_error *err)
{
	int rc = klamm_producer_abort_transaction(txn->producer, KLAMM_TIMEOUT_DEFAULT, err);
	txn->is_open = false;
	return rc;
}
