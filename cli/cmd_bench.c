/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm bench produce, klamm bench consume: how much this machine's time a record
 * costs.
 *
 * The loops do next to nothing themselves: values and keys are made before, the clock
 * is read for one record in SAMPLE_EVERY. By default the thread that sends or reads
 * drives the client's loop, which is the fastest way; --own-thread gives it one of its
 * own.
 */
#include <stdio.h>
#include <stdlib.h>

#include "cli/bench.h"
#include "cli/txn.h"

#define SAMPLE_EVERY 1000
/* Different values, so that a codec has something to do, and few, so that they stay in
 * the processor's cache. */
#define VALUES 256
/* Bytes between two polls when this thread drives the loop. */
#define POLL_BYTES (128 * 1024)

#define ANY_SIZE (-1)

struct options {
	const char *topic, *transactional_id;
	int64_t records, warmup, transaction_ms;
	int32_t size, keys, partition;
	bool own_thread, json;
};

static int check(const struct cli *cli, const struct options *o)
{
	if (o->topic == NULL)
		return cli_usage(cli, "--topic is missing");
	return CLI_OK;
}

static int check_partition(const struct options *o, int32_t partitions)
{
	if (o->partition < partitions)
		return CLI_OK;
	return cli_fail(CLI_USAGE, "topic %s has no partition %d: it has %d", o->topic,
			o->partition, partitions);
}

static void wake(void *loop)
{
	klamm_loop_wake(loop);
}

/* --- produce --- */

struct sample {
	int64_t sent_ns, delivered_ns;
};

struct produce {
	const struct options *o;
	struct klamm_loop *loop;
	struct klamm_producer *producer;
	struct klamm_topic *topic;
	char *values, *keys;
	struct sample *samples;
	size_t sample_count;
	struct cli_bench bench;
	bool transactional;
	struct cli_txn txn;
};

#define KEY_BYTES 12

static void make_data(struct produce *p)
{
	static const char digits[] = "0123456789abcdef";
	const struct options *o = p->o;
	uint64_t seed = 88172645463325252u;
	p->values = cli_alloc((size_t)o->size * VALUES);
	for (size_t i = 0; i < (size_t)o->size * VALUES; i++) {
		seed ^= seed << 13;
		seed ^= seed >> 7;
		seed ^= seed << 17;
		p->values[i] = digits[seed >> 60];
	}
	p->keys = cli_alloc((size_t)o->keys * KEY_BYTES + 1);
	for (uint32_t i = 0; i < (uint32_t)o->keys; i++)
		snprintf(p->keys + (size_t)i * KEY_BYTES, KEY_BYTES + 1, "key-%08u",
			 i % 100000000);
	p->samples = cli_alloc((size_t)(o->records / SAMPLE_EVERY + 1) *
			       sizeof(struct sample));
}

static void on_delivery(void *arg, const struct klamm_delivery *delivery)
{
	struct sample *sample = delivery->opaque;
	if (delivery->error == 0)
		sample->delivered_ns = cli_now_ns();
}

/* Before the first record, and now and then: a transaction is open, and not too old. */
static int renew_transaction(struct produce *p)
{
	struct klamm_error err;
	if (!p->transactional)
		return CLI_OK;
	int64_t age_us = cli_now_ns() / 1000 - p->txn.begun_us;
	if (p->txn.is_open && age_us < p->o->transaction_ms * KL_MS)
		return CLI_OK;
	if (p->txn.is_open && cli_txn_commit(&p->txn, &err) != 0)
		return cli_error(&err);
	return cli_txn_begin(&p->txn, &err) == 0 ? CLI_OK : cli_error(&err);
}

/* Send n records; samples NULL = take none. */
static int send_records(struct produce *p, int64_t n, struct sample *samples)
{
	const struct options *o = p->o;
	struct klamm_record record = KLAMM_RECORD_INIT;
	struct klamm_error err;
	int64_t poll_every = kl_max(POLL_BYTES / kl_max(o->size, 1), 1),
		until_poll = poll_every;
	int64_t until_sample = samples != NULL ? SAMPLE_EVERY : INT64_MAX;
	int32_t key = 0;
	record.value.len = (size_t)o->size;
	record.partition = o->partition;
	int status = renew_transaction(p);
	if (status != CLI_OK)
		return status;
	for (int64_t i = 0; i < n; i++) {
		void *opaque = NULL;
		record.value.data = p->values + (size_t)(i % VALUES) * (size_t)o->size;
		if (o->keys > 0) {
			record.key.data = p->keys + (size_t)key * KEY_BYTES;
			record.key.len = KEY_BYTES;
			key = key + 1 < o->keys ? key + 1 : 0;
		}
		if (kl_unlikely(--until_sample == 0)) {
			until_sample = SAMPLE_EVERY;
			samples->sent_ns = cli_now_ns();
			opaque = samples++;
		}
		if (kl_unlikely(klamm_producer_send(p->producer, p->topic, &record,
						    opaque, &err) != 0))
			return cli_error(&err);
		if (kl_unlikely(--until_poll == 0)) {
			until_poll = poll_every;
			klamm_producer_poll(p->producer, 0, NULL, NULL);
			if (cli_interrupted())
				return CLI_INTERRUPTED;
			status = renew_transaction(p);
			if (kl_unlikely(status != CLI_OK))
				return status;
		}
	}
	return CLI_OK;
}

static int flush(struct produce *p)
{
	struct klamm_error err;
	uint64_t failed;
	if (p->txn.is_open)
		return cli_txn_commit(&p->txn, &err) == 0 ? CLI_OK : cli_error(&err);
	if (klamm_producer_flush(p->producer, KLAMM_FOREVER, &failed, &err) != 0)
		return cli_error(&err);
	if (failed > 0)
		return cli_fail(CLI_FAILED, "%llu records were not delivered",
				(unsigned long long)failed);
	return CLI_OK;
}

static void collect(struct produce *p)
{
	size_t n = (size_t)(p->o->records / SAMPLE_EVERY);
	p->bench.latencies = cli_alloc(n * sizeof(int64_t));
	for (size_t i = 0; i < n; i++)
		if (p->samples[i].delivered_ns != 0)
			p->bench.latencies[p->bench.latency_count++] =
				p->samples[i].delivered_ns - p->samples[i].sent_ns;
}

static int run_sends(struct produce *p)
{
	struct klamm_error err;
	int32_t partitions;
	if (klamm_producer_on_delivery(p->producer, on_delivery, p, false, &err) != 0 ||
	    klamm_producer_partitions_for(p->producer, p->o->topic, &partitions,
					  &err) != 0 ||
	    klamm_producer_topic(p->producer, p->o->topic, &p->topic, &err) != 0)
		return cli_error(&err);
	int status = check_partition(p->o, partitions);
	if (status != CLI_OK)
		return status;
	if (p->transactional && cli_txn_init(&p->txn, p->producer, &err) != 0)
		return cli_error(&err);
	if (p->o->warmup > 0)
		status = send_records(p, p->o->warmup, NULL);
	if (status == CLI_OK)
		status = flush(p);
	p->txn.count = 0;
	cli_measure(&p->bench.begin);
	if (status == CLI_OK)
		status = send_records(p, p->o->records, p->samples);
	if (status == CLI_OK)
		status = flush(p);
	cli_measure(&p->bench.end);
	if (status == CLI_OK) {
		collect(p);
		p->bench.records = (uint64_t)p->o->records;
		p->bench.transactions = p->txn.count;
		p->bench.bytes =
			p->bench.records *
			(uint64_t)(p->o->size + (p->o->keys > 0 ? KEY_BYTES : 0));
		cli_bench_print(&p->bench, p->o->json);
	}
	return status;
}

static int with_producer(struct produce *p, const struct klamm_conf *conf)
{
	struct klamm_error err;
	int status = CLI_OK;
	if (!p->o->own_thread && klamm_loop_new(conf, &p->loop, &err) != 0)
		return cli_error(&err);
	if (klamm_producer_new(conf, p->loop, &p->producer, &err) != 0) {
		status = cli_error(&err);
	} else {
		cli_catch_signals(wake, p->loop);
		status = run_sends(p);
		if (p->txn.is_open && !p->txn.in_doubt)
			cli_txn_abort(&p->txn, &err);
		cli_release_signals();
		klamm_topic_unref(p->topic);
		klamm_producer_close(p->producer, 0, NULL);
	}
	klamm_loop_free(p->loop);
	return status;
}

static int run_produce(struct cli *cli, const void *options,
		       const struct cli_list *args)
{
	struct produce p = {.o = options, .bench.name = "produce"};
	struct klamm_conf *conf;
	int status = check(cli, p.o);
	if (status == 0)
		status = cli_client_conf(cli, &conf);
	if (status != 0)
		return status;
	make_data(&p);
	status = cli_txn_configure(conf, p.o->transactional_id, &p.transactional);
	if (status == CLI_OK)
		status = with_producer(&p, conf);
	free(p.values);
	free(p.keys);
	free(p.samples);
	free(p.bench.latencies);
	klamm_conf_free(conf);
	return status;
}

/* --- consume --- */

struct consume {
	const struct cli *cli;
	const struct options *o;
	struct klamm_loop *loop;
	struct klamm_consumer *consumer;
	struct klamm_batch *batch; /* what is left of it comes first; NULL = none */
	struct cli_bench bench;
};

static int assign(struct consume *c)
{
	struct klamm_error err;
	int32_t first = 0, n;
	if (klamm_consumer_partitions_for(c->consumer, c->o->topic, cli_timeout_ms(c->cli),
					  &n, &err) != 0)
		return cli_error(&err);
	int status = check_partition(c->o, n);
	if (status != CLI_OK)
		return status;
	if (c->o->partition >= 0) {
		first = c->o->partition;
		n = 1;
	}
	struct klamm_topic_partition *all = cli_alloc((size_t)n * sizeof(*all));
	for (int32_t i = 0; i < n; i++)
		all[i] = (struct klamm_topic_partition){c->o->topic, first + i};
	int rc = klamm_consumer_assign(c->consumer, all, (size_t)n, &err);
	for (int32_t i = 0; rc == 0 && i < n; i++)
		rc = klamm_consumer_seek(c->consumer, c->o->topic, first + i,
					 KLAMM_OFFSET_BEGINNING, &err);
	free(all);
	return rc == 0 ? CLI_OK : cli_error(&err);
}

static int wrong_size(const struct consume *c, const struct klamm_record_view *view)
{
	return cli_fail(CLI_FAILED, "%s [%d] offset %lld: a value of %zu bytes, not %d",
			klamm_batch_topic(c->batch), klamm_batch_partition(c->batch),
			(long long)view->offset, view->value.len, c->o->size);
}

/* The batch is kept when there are enough records before its end: the warm-up's last one is
 * the measurement's first. */
static int read_batch(struct consume *c, uint64_t n)
{
	struct klamm_batch *batch = c->batch;
	struct klamm_record_view view;
	uint64_t records = c->bench.records, bytes = c->bench.bytes;
	size_t size = (size_t)c->o->size;
	bool any_size = c->o->size == ANY_SIZE;
	int rc = 1;
	while (records < n && (rc = klamm_batch_next(batch, &view)) == 1) {
		if (kl_unlikely(view.value.len != size && !any_size))
			return wrong_size(c, &view);
		records++;
		bytes += view.key.len + view.value.len;
	}
	c->bench.records = records;
	c->bench.bytes = bytes;
	if (rc < 0)
		return cli_fail(CLI_FAILED, "%s [%d]: %s", klamm_batch_topic(batch),
				klamm_batch_partition(batch), klamm_err_text(rc));
	if (rc == 0) {
		klamm_batch_unref(batch);
		c->batch = NULL;
	}
	return CLI_OK;
}

static int read_records(struct consume *c, uint64_t n)
{
	c->bench.records = c->bench.bytes = 0;
	while (c->bench.records < n) {
		struct klamm_error err;
		int rc = c->batch != NULL ? 0
					  : klamm_consumer_poll(c->consumer,
								cli_timeout_ms(c->cli),
								&c->batch, &err);
		if (cli_interrupted())
			return CLI_INTERRUPTED;
		if (rc != 0 && !klamm_err_retriable(rc))
			return cli_error(&err);
		if (rc == 0 && c->batch == NULL)
			return cli_fail(
				CLI_TIMEOUT,
				"%llu of %llu records came, then none within %d s",
				(unsigned long long)c->bench.records,
				(unsigned long long)n, c->cli->timeout_s);
		int status = c->batch != NULL ? read_batch(c, n) : CLI_OK;
		if (status != CLI_OK)
			return status;
	}
	return CLI_OK;
}

static int run_reads(struct consume *c)
{
	int status = assign(c);
	if (status == CLI_OK)
		status = read_records(c, (uint64_t)c->o->warmup);
	cli_measure(&c->bench.begin);
	if (status == CLI_OK)
		status = read_records(c, (uint64_t)c->o->records);
	cli_measure(&c->bench.end);
	if (status == CLI_OK)
		cli_bench_print(&c->bench, c->o->json);
	return status;
}

static void wake_consumer(void *consumer)
{
	klamm_consumer_wakeup(consumer);
}

static int with_consumer(struct consume *c, const struct klamm_conf *conf)
{
	struct klamm_error err;
	int status = CLI_OK;
	if (!c->o->own_thread && klamm_loop_new(conf, &c->loop, &err) != 0)
		return cli_error(&err);
	if (klamm_consumer_new(conf, c->loop, &c->consumer, &err) != 0) {
		status = cli_error(&err);
	} else {
		cli_catch_signals(wake_consumer, c->consumer);
		status = run_reads(c);
		cli_release_signals();
		klamm_batch_unref(c->batch);
		klamm_consumer_close(c->consumer, 0, NULL);
	}
	klamm_loop_free(c->loop);
	return status;
}

static int run_consume(struct cli *cli, const void *options,
		       const struct cli_list *args)
{
	struct consume c = {.cli = cli, .o = options, .bench.name = "consume"};
	struct klamm_conf *conf;
	int status = check(cli, c.o);
	if (status == 0)
		status = cli_client_conf(cli, &conf);
	if (status != 0)
		return status;
	status = cli_never_commit(conf);
	if (status == 0)
		status = cli_never_create(conf);
	if (status == 0)
		status = with_consumer(&c, conf);
	klamm_conf_free(conf);
	return status;
}

#define AT(member) offsetof(struct options, member)

/* What only produce has comes first. */
#define PRODUCE_ONLY 3
static const struct cli_option rows[] = {
	{'k', "keys", "N", CLI_INT32, AT(keys), 0, 1000000,
	 "different keys of 12 bytes (0: none)"},
	{0, "transactional-id", "ID", CLI_TEXT, AT(transactional_id), 0, 0,
	 "in transactions of this name (transactional.id)"},
	{0, "transaction-duration-ms", "MS", CLI_INT64, AT(transaction_ms), 1, INT32_MAX,
	 "how long each is open before it is committed (3000)"},
	{'t', "topic", "TOPIC", CLI_TEXT, AT(topic), 0, 0, "which topic"},
	{'n', "records", "N", CLI_INT64, AT(records), 1, 1000000000000,
	 "how many records to measure (1000000)"},
	{'s', "size", "BYTES", CLI_INT32, AT(size), 0, 100 << 20,
	 "bytes of a value (produce: 100; consume: any)"},
	{'w', "warmup", "N", CLI_INT64, AT(warmup), 0, 1000000000000,
	 "records before them that do not count (0)"},
	{'p', "partition", "N", CLI_INT32, AT(partition), 0, INT32_MAX,
	 "this partition instead of all"},
	{0, "own-thread", NULL, CLI_FLAG, AT(own_thread), 0, 0,
	 "give the client a thread of its own"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0, "print a JSON object"},
	{0},
};

static const struct options produce_defaults = {
	.records = 1000000,
	.transaction_ms = 3000,
	.size = 100,
	.partition = KLAMM_PARTITION_NONE,
};
static const struct options consume_defaults = {
	.records = 1000000,
	.size = ANY_SIZE,
	.partition = KLAMM_PARTITION_NONE,
};

const struct cli_command cli_bench_produce = {
	.name = "bench produce",
	.args = "",
	.summary = "measure what it costs to send records",
	.about = "Prints one line: records and megabytes (10^6) per second, "
		 "nanoseconds of this\n"
		 "process's processor time per record, how often it slept, and how "
		 "long one record\n"
		 "in 1000 took from send to acknowledgement. Set acks, linger.ms, "
		 "batch.size and\n"
		 "compression.type with -X.\n",
	.options = rows,
	.defaults = &produce_defaults,
	.size = sizeof(struct options),
	.run = run_produce,
};

const struct cli_command cli_bench_consume = {
	.name = "bench consume",
	.args = "",
	.summary = "measure what it costs to read records",
	.about = "Reads from the beginning of the partitions and prints one line as klamm\n"
		 "bench produce does, without latencies. It fails when too few records come,\n"
		 "or when a value does not have the size that was said.\n",
	.options = rows + PRODUCE_ONLY,
	.defaults = &consume_defaults,
	.size = sizeof(struct options),
	.run = run_consume,
};
