/* SPDX-License-Identifier: BSD-2-Clause */
/* ListTransactions 0-2: those whose coordinator is asked. */
#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "broker/coordinators.h"
#include "broker/txns.h"

/* A client's pattern may not keep the broker busy. */
#define MATCH_LIMIT 10000

struct listing {
	struct kl_dev_call *call;
	const struct kl_list_transactions_request *request;
	struct kl_list_transactions_response response;
	unsigned states; /* bits: those that were asked for */
	int64_t now_ms;
	pcre2_code *pattern; /* NULL = none */
	pcre2_match_data *match;
	pcre2_match_context *context;
};

/* --- filters --- */

/* 0, INVALID_REGULAR_EXPRESSION, or out of memory as COORDINATOR_NOT_AVAILABLE. */
static int compile(struct listing *l)
{
	struct kl_str text = l->request->transactional_id_pattern;
	int code;
	PCRE2_SIZE at;
	if (text.len <= 0)
		return 0;
	l->pattern = pcre2_compile((PCRE2_SPTR)text.p, (PCRE2_SIZE)text.len,
				   PCRE2_ANCHORED | PCRE2_ENDANCHORED | PCRE2_UTF |
					   PCRE2_NEVER_BACKSLASH_C,
				   &code, &at, NULL);
	if (l->pattern == NULL)
		return KLAMM_ERR_INVALID_REGULAR_EXPRESSION;
	l->match = pcre2_match_data_create_from_pattern(l->pattern, NULL);
	l->context = pcre2_match_context_create(NULL);
	if (l->match == NULL || l->context == NULL)
		return KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	pcre2_set_match_limit(l->context, MATCH_LIMIT);
	return 0;
}

static void listing_free(struct listing *l)
{
	pcre2_match_data_free(l->match);
	pcre2_match_context_free(l->context);
	pcre2_code_free(l->pattern);
}

static bool has_producer(const struct listing *l, int64_t id)
{
	const struct kl_list_transactions_request *request = l->request;
	for (int32_t i = 0; i < request->producer_id_filters_n; i++)
		if (request->producer_id_filters[i] == id)
			return true;
	return request->producer_id_filters_n <= 0;
}

static bool is_wanted(const struct listing *l, const struct kl_dev_txn *txn)
{
	const struct kl_list_transactions_request *request = l->request;
	const struct kl_dev_txn_facts *facts = &txn->facts;
	if (!has_producer(l, facts->producer_id) ||
	    (request->state_filters_n > 0 && !(l->states & 1u << facts->state)) ||
	    (request->duration_filter >= 0 &&
	     l->now_ms - facts->started_ms <= request->duration_filter))
		return false;
	return l->pattern == NULL ||
	       pcre2_match(l->pattern, (PCRE2_SPTR)txn->id, (PCRE2_SIZE)txn->id_len, 0, 0,
			   l->match, l->context) > 0;
}

/* States that there are, and those that there are not. false: out of memory. */
static bool take_states(struct listing *l)
{
	const struct kl_list_transactions_request *request = l->request;
	size_t n = (size_t)kl_max(request->state_filters_n, 0);
	l->response.unknown_state_filters =
		kl_arena_array(&l->call->arena, n, sizeof(struct kl_str));
	for (size_t i = 0; i < n && l->response.unknown_state_filters != NULL; i++) {
		int state = kl_dev_txn_state_named(request->state_filters[i]);
		if (state >= 0)
			l->states |= 1u << state;
		else
			l->response.unknown_state_filters
				[l->response.unknown_state_filters_n++] =
				request->state_filters[i];
	}
	return l->response.unknown_state_filters != NULL;
}

/* --- the answer --- */

static bool list(struct listing *l)
{
	struct klamm_broker *broker = l->call->broker;
	int32_t node = l->call->conn->node->id;
	struct kl_dev_txn *txn, *next;
	l->response.transaction_states =
		kl_type_new(&kl_type_list_transactions_response_transaction, &l->call->arena,
			    HASH_COUNT(broker->txns.by_id));
	if (l->response.transaction_states == NULL)
		return false;
	HASH_ITER(hh, broker->txns.by_id, txn, next)
	{
		const struct kl_dev_partition *home =
			kl_dev_home(broker, KL_DEV_TXN, kl_dev_txn_id(txn));
		if (home == NULL || home->leader != node || !is_wanted(l, txn))
			continue;
		struct kl_list_transactions_response_transaction *out =
			&l->response.transaction_states[l->response.transaction_states_n++];
		out->transactional_id = kl_dev_txn_id(txn);
		out->producer_id = txn->facts.producer_id;
		out->transaction_state = kl_str(kl_dev_txn_state_name(txn->facts.state));
	}
	return true;
}

void kl_dev_list_transactions(struct kl_dev_call *call)
{
	struct kl_os *os = call->broker->loop->os;
	struct listing l = {.call = call, .request = call->request, .now_ms = os->wall_ms(os)};
	kl_msg_init(&kl_msg_list_transactions_response, &l.response);
	bool ok = true;
	int error = kl_dev_call_error(call);
	if (error == 0)
		error = compile(&l);
	if (error == 0)
		ok = take_states(&l) && list(&l);
	l.response.error_code = (int16_t)error;
	if (ok)
		kl_dev_answer(call, &l.response);
	else
		kl_dev_call_fail(call);
	listing_free(&l);
}
