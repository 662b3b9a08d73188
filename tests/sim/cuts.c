/* SPDX-License-Identifier: BSD-2-Clause */
/* A session whose connection is reset at a byte, for every byte of either direction: the seed
 * says which, and as many seeds as the session has bytes are all of them. Each ends with every
 * record written once. */
#include "tests/sim/exact.h"

#define WORLD 7 /* the seed of every session */
#define RECORDS 12
#define CALL_MS 60000
#define LIMIT (INT64_C(3600) * KL_SECOND)

struct session {
	struct exact e; /* so far as its helpers need it */
	bool transactions;
	uint64_t bytes[2]; /* of the broker, of the client */
};

static void broker_main(void *arg)
{
	struct session *s = arg;
	struct exact *e = &s->e;
	struct klamm_error err;
	struct klamm_broker_options options = {
		.size = sizeof(options), .listen = "broker:9092", .no_auto_create = true};
	options.loop = scenario_loop(e->broker_node);
	if (klamm_broker_new(&options, &e->broker, &err) != 0 ||
	    klamm_broker_create_topic(e->broker, EXACT_TOPIC, 2, &err) != 0)
		scenario_give_up(err.text);
	e->listening = e->over = true;
	scenario_await(e->sim, &e->read);
	klamm_broker_free(e->broker);
	klamm_loop_free(options.loop);
}

static void send_some(struct exact *e, struct klamm_producer *producer,
		      struct klamm_topic *topic, uint64_t txn)
{
	struct klamm_error err;
	for (int i = 0; i < RECORDS / 2; i++) {
		uint64_t id = history_number(e->history);
		if (e->txns != NULL)
			txns_add(e->txns, txn, id);
		if (exact_send(e, producer, topic, id, &err) != 0)
			scenario_complain(e->run, "send: %s\n", err.text);
	}
	if (klamm_producer_flush(producer, CALL_MS, NULL, &err) != 0)
		scenario_complain(e->run, "flush: %s\n", err.text);
}

/* A cut connection is no reason to abort, let alone to give up. */
static void must(struct exact *e, const char *call, enum exact_step step)
{
	if (step != EXACT_DONE)
		scenario_complain(e->run, "%s fails after one reset\n", call);
}

static void transact(struct exact *e, struct klamm_producer *producer,
		     struct klamm_topic *topic, bool commit)
{
	must(e, "begin_transaction", exact_begin(e, producer));
	uint64_t txn = txns_begin(e->txns);
	send_some(e, producer, topic, txn);
	txns_end(e->txns, txn, commit ? TXN_COMMITTED : TXN_ABORTED);
	if (commit)
		must(e, "commit_transaction", exact_commit(e, producer));
	else
		must(e, "abort_transaction", exact_abort(e, producer));
}

static void client_main(void *arg)
{
	struct session *s = arg;
	struct exact *e = &s->e;
	struct klamm_error err;
	struct klamm_topic *topic;
	scenario_await(e->sim, &e->listening);
	struct klamm_loop *loop = scenario_loop(e->clients[0].node);
	struct klamm_producer *producer =
		exact_producer(e, loop, s->transactions ? "cut" : NULL);
	if (klamm_producer_on_delivery(producer, exact_delivered, e, true, &err) != 0 ||
	    klamm_producer_topic(producer, EXACT_TOPIC, &topic, &err) != 0)
		scenario_give_up(err.text);
	if (s->transactions) {
		must(e, "init_transactions", exact_init(e, producer));
		transact(e, producer, topic, true);
		transact(e, producer, topic, false);
		transact(e, producer, topic, true);
	} else {
		send_some(e, producer, topic, 0);
		send_some(e, producer, topic, 0);
	}
	klamm_topic_unref(topic);
	if (klamm_producer_close(producer, CALL_MS, &err) != 0)
		scenario_complain(e->run, "close: %s\n", err.text);
	klamm_loop_free(loop);
	e->done = true;
}

static void saw(struct exact *e, int32_t partition, const struct klamm_record_view *view)
{
	history_read(e->history, partition, view->offset, exact_number(view));
}

static const struct exact_role role = {.saw = saw};

static void count_bytes(void *arg, const struct kl_sim_node *from,
			const struct kl_sim_node *to, uint8_t *p, size_t n)
{
	struct session *s = arg;
	if (from == s->e.clients[0].node || to == s->e.clients[0].node)
		s->bytes[from == s->e.clients[0].node] += n;
}

/* cut: which byte of whose; NULL: none. */
static void run_session(struct session *s, const struct kl_sim_rule *cut)
{
	struct exact *e = &s->e;
	struct kl_sim_opts opts = {0};
	e->sim = kl_sim_new(WORLD, &opts);
	e->clients[0].node = kl_sim_node(e->sim, "client");
	e->broker_node = kl_sim_node(e->sim, "broker");
	e->reader_node = kl_sim_node(e->sim, "reader");
	e->role = &role;
	e->partitions = 2;
	e->request_timeout = "2000";
	e->retry_backoff = "10";
	e->linger = "5";
	e->batch_size = "16384";
	e->in_flight = "5";
	e->delivery_timeout = "60000";
	e->transaction_timeout = "60000";
	e->history = history_new(EXACT_PARTITIONS_MAX);
	e->txns = s->transactions ? txns_new() : NULL;
	if (s->transactions)
		history_allow_gaps(e->history);
	kl_sim_tamper(e->sim, count_bytes, s);
	if (cut != NULL) {
		struct kl_sim_rule rule = *cut;
		rule.from = e->clients[0].node;
		kl_sim_rule(e->sim, &rule);
	}
	kl_sim_spawn(e->broker_node, "broker", broker_main, s);
	kl_sim_spawn(e->clients[0].node, "client", client_main, s);
	kl_sim_spawn(e->reader_node, "reader", exact_reader_main, e);
	if (scenario_go(e->run, e->sim, LIMIT)) {
		struct history_want want = {
			.all_acked = true, .no_duplicates = true, .in_order = true};
		if (s->transactions)
			txns_check(e->txns, e->history, &e->run->why);
		history_check(e->history, &want, &e->run->why);
	}
	kl_sim_free(e->sim);
	history_free(e->history);
	if (s->transactions)
		txns_free(e->txns);
}

static void cuts_run(struct scenario_run *run)
{
	bool transactions = strcmp(run->kind, "transactional") == 0;
	struct session whole = {.e.run = run, .transactions = transactions};
	run_session(&whole, NULL);
	/* A step that shares no factor with them, so that few seeds are spread over all. */
	uint64_t total = whole.bytes[0] + whole.bytes[1];
	uint64_t at = run->seed * 7919 % total;
	struct session session = {.e.run = run, .transactions = transactions};
	bool answer = at >= whole.bytes[1];
	run_session(&session, &(struct kl_sim_rule){
				      .answer = answer,
				      .after_bytes = answer ? at - whole.bytes[1] : at,
				      .cut = KL_SIM_CUT_RESET,
				      .of_all = true,
			      });
	kl_buf_printf(&run->note, "byte %llu of %llu of the %s",
		      (unsigned long long)(answer ? at - whole.bytes[1] : at),
		      (unsigned long long)whole.bytes[!answer],
		      answer ? "broker" : "client");
}

static const char *const kinds[] = {"idempotent", "transactional", NULL};

const struct scenario scenario_cuts = {
	.name = "cuts",
	.summary = "a session that is reset at one byte, every byte in turn",
	.kinds = kinds,
	.run = cuts_run,
};
