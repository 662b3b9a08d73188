/* SPDX-License-Identifier: BSD-2-Clause */
/* One session in a world of its own: a broker, the clients, and a reader whose memory never
 * runs out, who looks at what is in the log in the end. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/torture.h"

#define SEED 1
#define LIMIT (INT64_C(3600) * KL_SECOND)

void torture_tell(struct torture *t, const char *format, ...)
{
	char line[600];
	va_list args;
	va_start(args, format);
	int n = vsnprintf(line, sizeof(line), format, args);
	va_end(args);
	kl_buf_put(t->why, line, kl_min((size_t)n, sizeof(line) - 1));
}

bool torture_judge(struct torture *t, const char *call, int rc, const struct klamm_error *err)
{
	if (rc == 0)
		return true;
	memcpy(t->last, err->text, sizeof(t->last));
	if (err->code != rc)
		torture_complain(t, "%s: returns %s, and the error says %s\n", call,
				 klamm_err_name(rc), klamm_err_name(err->code));
	else if (err->text[0] == '\0')
		torture_complain(t, "%s: %s without a text\n", call, klamm_err_name(rc));
	return false;
}

/* --- sessions --- */

static const char *const quick[] = {
	"acks", "all", "enable.idempotence", "false", "linger.ms", "5",
	"delivery.timeout.ms", "5000", "max.block.ms", "3000", NULL,
};
static const char *const packed[] = {
	"acks", "all", "enable.idempotence", "false", "linger.ms", "5",
	"delivery.timeout.ms", "5000", "max.block.ms", "3000", "value.serializer", "json",
	"key.serializer", "string", "compression.type", "zstd", NULL,
};
static const char *const from_start[] = {"auto.offset.reset", "earliest", NULL};
static const char *const decoded[] = {
	"auto.offset.reset", "earliest", "value.deserializer", "json", NULL,
};
static const char *const gzip[] = {
	"compression.type", "gzip", "enable.idempotence", "false", "linger.ms", "5",
	"delivery.timeout.ms", "5000", NULL,
};
static const char *const lz4[] = {
	"compression.type", "lz4", "enable.idempotence", "false", "linger.ms", "5",
	"delivery.timeout.ms", "5000", NULL,
};
static const char *const snappy[] = {
	"compression.type", "snappy", "enable.idempotence", "false", "linger.ms", "5",
	"delivery.timeout.ms", "5000", NULL,
};
static const char *const idempotent[] = {
	"linger.ms", "5", "batch.size", "200", "delivery.timeout.ms", "5000",
	"max.block.ms", "3000", NULL,
};
static const char *const transactional[] = {
	"linger.ms", "5", "batch.size", "200", "delivery.timeout.ms", "5000",
	"max.block.ms", "3000", "transactional.id", "torture", "transaction.timeout.ms",
	"5000", NULL,
};

#define MEMBER                                                                           \
	"group.id", "g", "auto.offset.reset", "earliest", "fetch.max.wait.ms", "50",      \
		"enable.auto.commit", "false"
static const char *const eager[] = {
	MEMBER, "partition.assignment.strategy", "range", "session.timeout.ms", "6000",
	"heartbeat.interval.ms", "300", NULL,
};
static const char *const cooperative[] = {
	MEMBER, "partition.assignment.strategy", "cooperative_sticky", "session.timeout.ms",
	"6000", "heartbeat.interval.ms", "300", NULL,
};
static const char *const modern[] = {MEMBER, "group.protocol", "consumer", NULL};

static const char *const nothing[] = {NULL};

const struct torture_session torture_sessions[] = {
	{.name = "plain", .summary = "producer and consumer", .producer = quick,
	 .consumer = from_start},
	{.name = "plugins", .summary = "the same with zstd and JSON", .producer = packed,
	 .consumer = decoded, .json = true},
	{.name = "gzip", .summary = "gzip, and futures", .producer = gzip,
	 .consumer = from_start, .futures = true},
	{.name = "lz4", .summary = "lz4", .producer = lz4, .consumer = from_start},
	{.name = "snappy", .summary = "snappy", .producer = snappy, .consumer = from_start},
	{.name = "drain", .summary = "lz4, and half of the records taken back",
	 .producer = lz4, .consumer = from_start, .drains = true},
	{.name = "idempotent", .summary = "an idempotent producer", .producer = idempotent,
	 .consumer = from_start},
	{.name = "transactional", .summary = "a transaction, with offsets of a group",
	 .producer = transactional, .consumer = from_start, .transaction = true},
	{.name = "groups", .summary = "groups, by an admin client", .producer = nothing,
	 .admin = true},
	{.name = "eager", .summary = "members of a group", .producer = quick,
	 .consumer = eager, .joins = true},
	{.name = "cooperative", .summary = "the same, cooperative", .producer = quick,
	 .consumer = cooperative, .joins = true},
	{.name = "modern", .summary = "the same, by KIP-848", .producer = quick,
	 .consumer = modern, .joins = true},
	{.name = "broker", .summary = "the broker, in memory", .producer = quick,
	 .consumer = from_start, .broker = true},
	{.name = "data", .summary = "the broker, with a data directory", .producer = quick,
	 .consumer = from_start, .broker = true, .data_dir = true},
	{.name = "members", .summary = "the broker, with a group", .broker = true,
	 .group = true},
	{.name = "kept-members", .summary = "the same with a data directory", .broker = true,
	 .data_dir = true, .group = true},
	{.name = "coordinator", .summary = "the broker, with a transaction",
	 .producer = transactional, .consumer = from_start, .transaction = true,
	 .broker = true},
};
const size_t torture_session_count = kl_countof(torture_sessions);

/* --- who is in it --- */

static void await(const struct torture *t, const bool *flag)
{
	while (!*flag)
		kl_sim_sleep(t->sim, 10 * KL_MS);
}

static bool make_loop(struct torture *t, struct kl_sim_node *node,
		      struct klamm_loop **loop_out)
{
	struct klamm_error err;
	if (!torture_judge(t, "loop_new",
			   kl_loop_new(kl_sim_os(node), NULL, loop_out, &err), &err))
		return false;
	if (torture_judge(t, "loop_start", klamm_loop_start(*loop_out, &err), &err))
		return true;
	klamm_loop_free(*loop_out);
	return false;
}

static bool start_broker(struct torture *t)
{
	struct klamm_error err;
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.listen = "broker:9092",
		.no_auto_create = true,
		.data_dir = t->session->data_dir ? "data" : NULL,
	};
	if (!make_loop(t, t->broker_node, &t->broker_loop))
		return false;
	options.loop = t->broker_loop;
	int rc = klamm_broker_new(&options, &t->broker, &err);
	if (torture_judge(t, "broker_new", rc, &err)) {
		rc = klamm_broker_create_topic(t->broker, TORTURE_TOPIC, TORTURE_PARTITIONS,
					       &err);
		if (torture_judge(t, "create_topic", rc, &err) ||
		    rc == KLAMM_ERR_TOPIC_ALREADY_EXISTS)
			return true;
		klamm_broker_free(t->broker);
		t->broker = NULL;
	}
	klamm_loop_free(t->broker_loop);
	return false;
}

/* One that could not start for want of memory is started again when there is some. */
static void broker_main(void *arg)
{
	struct torture *t = arg;
	bool up = start_broker(t);
	if (!up && !t->once)
		torture_end();
	if (!up && !(up = start_broker(t)))
		torture_complain(t, "the broker does not start, though there is memory: %s\n",
				 t->last);
	t->listening = true;
	await(t, &t->read);
	if (!up)
		return;
	klamm_broker_free(t->broker);
	klamm_loop_free(t->broker_loop);
}

static bool configure(struct torture *t, const char *const *pairs,
		      struct klamm_conf **conf_out)
{
	static const char *const all[] = {
		"bootstrap.servers", "broker:9092", "request.timeout.ms", "2000",
		"retry.backoff.ms", "20", "reconnect.backoff.ms", "20",
		"metadata.max.age.ms", "5000", NULL,
	};
	struct klamm_error err;
	const char *const *both[] = {all, pairs};
	if (!torture_judge(t, "conf_new", klamm_conf_new(conf_out, &err), &err))
		return false;
	bool good = true;
	for (int i = 0; good && i < 2; i++)
		for (const char *const *p = both[i]; good && *p != NULL; p += 2)
			good = torture_judge(t, "conf_set",
					     klamm_conf_set(*conf_out, p[0], p[1], &err),
					     &err);
	if (!good)
		klamm_conf_free(*conf_out);
	return good;
}

static void client(struct torture *t, const char *const *pairs,
		   void (*use)(struct torture *, struct klamm_conf *, struct klamm_loop *))
{
	struct klamm_conf *conf;
	struct klamm_loop *loop;
	if (!configure(t, pairs, &conf))
		return;
	if (make_loop(t, t->client_node, &loop)) {
		use(t, conf, loop);
		klamm_loop_free(loop);
	}
	klamm_conf_free(conf);
}

static void client_main(void *arg)
{
	struct torture *t = arg;
	await(t, &t->listening);
	if (t->broker != NULL && t->session->group) {
		torture_group(t);
	} else if (t->broker != NULL && t->session->joins) {
		await(t, &t->written);
		client(t, t->session->consumer, torture_join);
	} else if (t->broker != NULL && t->session->admin) {
		client(t, t->session->producer, torture_administer);
	} else if (t->broker != NULL) {
		client(t, t->session->producer, torture_produce);
		client(t, t->session->consumer, torture_consume);
	}
	t->ended = true;
}

/* --- the end --- */

static void found(struct torture *t, int32_t partition, const struct klamm_record_view *view,
		  bool committed)
{
	int number = torture_number(t, view->value);
	if (number < 0) {
		torture_complain(t, "%d/%lld: nobody sent this\n", partition,
				 (long long)view->offset);
		return;
	}
	struct torture_record *r = &t->records[number];
	*(committed ? &r->visible : &r->logged) += 1;
	if (r->outcomes > 0 && r->error == 0 && r->offset == view->offset &&
	    r->partition != partition)
		torture_complain(t, "record %d: in partition %d, told was %d\n", number,
				 partition, r->partition);
}

static void read_log(struct torture *t, struct klamm_consumer *consumer, int32_t partition,
		     bool committed)
{
	struct klamm_topic_partition one = {TORTURE_TOPIC, partition};
	struct klamm_record_view view;
	int64_t deadline = kl_sim_now(t->sim) + 60 * KL_SECOND;
	if (klamm_consumer_assign(consumer, &one, 1, NULL) != 0)
		abort();
	while (!klamm_consumer_at_end(consumer, TORTURE_TOPIC, partition) &&
	       kl_sim_now(t->sim) < deadline) {
		struct klamm_batch *batch = NULL;
		klamm_consumer_poll(consumer, 1000, &batch, NULL);
		while (batch != NULL && klamm_batch_next(batch, &view) == 1)
			found(t, partition, &view, committed);
		klamm_batch_unref(batch);
	}
	if (!klamm_consumer_at_end(consumer, TORTURE_TOPIC, partition))
		torture_complain(t, "partition %d cannot be read to its end\n", partition);
}

static void read_logs(struct torture *t, struct klamm_loop *loop, bool committed)
{
	static const char *const only_committed[] = {
		"auto.offset.reset", "earliest", "isolation.level", "read_committed", NULL};
	struct klamm_conf *conf;
	struct klamm_consumer *consumer;
	if (!configure(t, committed ? only_committed : from_start, &conf) ||
	    klamm_consumer_new(conf, loop, &consumer, NULL) != 0)
		abort();
	for (int32_t i = 0; i < TORTURE_PARTITIONS; i++)
		read_log(t, consumer, i, committed);
	klamm_consumer_close(consumer, 1000, NULL);
	klamm_conf_free(conf);
}

static void write_all(struct torture *t)
{
	struct klamm_conf *conf;
	struct klamm_loop *loop;
	if (!make_loop(t, t->reader_node, &loop) ||
	    !configure(t, t->session->producer, &conf))
		abort();
	torture_produce(t, conf, loop);
	klamm_loop_free(loop);
	klamm_conf_free(conf);
	t->written = true;
}

static void reader_main(void *arg)
{
	struct torture *t = arg;
	struct klamm_loop *loop;
	await(t, &t->listening);
	if (t->broker != NULL && t->session->joins)
		write_all(t);
	await(t, &t->ended);
	torture_end();
	if (t->broker != NULL) {
		if (!make_loop(t, t->reader_node, &loop))
			abort();
		read_logs(t, loop, false);
		if (t->session->transaction)
			read_logs(t, loop, true);
		klamm_loop_free(loop);
	}
	t->read = true;
}

/* All of it or nothing, and all when the commit was answered. */
static void check_transaction(struct torture *t)
{
	unsigned taken = 0, visible = 0;
	for (int i = 0; i < TORTURE_RECORDS; i++) {
		taken += t->records[i].queued;
		visible += t->records[i].visible;
	}
	if (visible != taken && (visible != 0 || t->committed))
		torture_complain(t, "%s, and %u of its %u records can be read\n",
				 t->committed ? "committed" : "perhaps committed", visible,
				 taken);
}

static void check(struct torture *t)
{
	if (t->session->transaction)
		check_transaction(t);
	for (int i = 0; i < TORTURE_RECORDS; i++) {
		const struct torture_record *r = &t->records[i];
		if (r->outcomes != (r->queued ? 1 : 0))
			torture_complain(t, "record %d: %s, yet %u outcomes\n", i,
					 r->queued ? "taken" : "refused", r->outcomes);
		else if (r->queued && r->error == 0 && r->logged == 0)
			torture_complain(t, "record %d: acknowledged and lost\n", i);
		else if ((!r->queued || r->outcome == KLAMM_OUTCOME_NOT_WRITTEN) &&
			 r->logged > 0)
			torture_complain(t, "record %d: surely not written, yet there\n", i);
	}
}

static void print_line(void *arg, const char *line)
{
	puts(line);
}

uint64_t torture_run(const struct torture_session *session, uint64_t first, uint64_t count,
		     bool trace, struct kl_buf *why)
{
	struct torture t = {.session = session, .once = count <= 1, .why = why};
	for (int i = 0; i < TORTURE_RECORDS; i++)
		t.records[i].t = &t;
	t.sim = kl_sim_new(SEED, &(struct kl_sim_opts){
				       .trace = trace ? print_line : NULL, .watchdog_s = 10});
	t.client_node = kl_sim_node(t.sim, "client");
	t.broker_node = kl_sim_node(t.sim, "broker");
	t.reader_node = kl_sim_node(t.sim, "reader");
	kl_sim_spawn(t.broker_node, "broker", broker_main, &t);
	kl_sim_spawn(t.client_node, "client", client_main, &t);
	kl_sim_spawn(t.reader_node, "reader", reader_main, &t);
	torture_begin(t.sim, session->broker ? t.broker_node : t.client_node, first, count);
	enum kl_sim_end end = kl_sim_run(t.sim, LIMIT);
	uint64_t asked = torture_end();
	if (end != KL_SIM_DONE) {
		torture_complain(&t, "%s\n", end == KL_SIM_DEADLOCK
						     ? "deadlock: everybody waits"
						     : "no end within the virtual time");
		kl_sim_describe(t.sim, why);
	} else {
		check(&t);
	}
	kl_sim_free(t.sim);
	return asked;
}
