/* SPDX-License-Identifier: BSD-2-Clause */
/* What the clients do whose memory runs out. Nothing here allocates but through klamm. */
#include <klamm/serializer.h>
#include <stdio.h>
#include <stdlib.h>

#include "tests/sim/torture.h"

#define PATIENCE_MS 20000
/* With memory again everything is read by then: what failed is asked for again. */
#define READ_OUT (120 * KL_SECOND)

/* --- values --- */

struct value {
	char text[32];
	struct klamm_entry entries[2];
	struct klamm_value top;
};

static struct klamm_value string_value(const char *text)
{
	struct klamm_value v = {.type = KLAMM_VALUE_STRING};
	v.as.bytes = (struct klamm_span){text, strlen(text)};
	return v;
}

static void fill(const struct torture *t, int number, struct value *v,
		 struct klamm_record *record)
{
	klamm_record_init(record);
	record->partition = number % TORTURE_PARTITIONS;
	snprintf(v->text, sizeof(v->text), "{\"number\":%d,\"is\":\"it\"}", number);
	record->value = (struct klamm_span){v->text, strlen(v->text)};
	if (!t->session->json)
		return;
	v->entries[0].key = string_value("number");
	v->entries[0].value = (struct klamm_value){.type = KLAMM_VALUE_INT};
	v->entries[0].value.as.integer = number;
	v->entries[1] = (struct klamm_entry){string_value("is"), string_value("it")};
	v->top = (struct klamm_value){.type = KLAMM_VALUE_MAP};
	v->top.as.map = (struct klamm_map){v->entries, 2};
	record->value_value = &v->top;
}

int torture_number(const struct torture *t, struct klamm_span value)
{
	char text[32];
	int number, end = 0;
	if (value.data == NULL || value.len >= sizeof(text))
		return -1;
	memcpy(text, value.data, value.len);
	text[value.len] = '\0';
	if (sscanf(text, "{\"number\":%d,\"is\":\"it\"}%n", &number, &end) != 1 ||
	    end != (int)value.len || number < 0 || number >= TORTURE_RECORDS)
		return -1;
	return number;
}

/* --- the producer --- */

/* Also the callback of a record's future. */
static void ended(void *arg, const struct klamm_delivery *d)
{
	struct torture_record *r = arg;
	r->outcomes++;
	r->error = d->error;
	r->outcome = d->outcome;
	r->partition = d->partition;
	r->offset = d->offset;
	if (d->error != 0 && d->text[0] == '\0')
		torture_complain(r->t, "an outcome without a text\n");
}

static void delivered(void *arg, const struct klamm_delivery *d)
{
	ended(d->opaque, d);
}

static void taken_back(void *arg, const char *topic, const struct klamm_record *record,
		       void *opaque)
{
	struct torture *t = arg;
	struct torture_record *r = opaque;
	if (strcmp(topic, TORTURE_TOPIC) != 0 ||
	    torture_number(t, record->value) != r - t->records)
		torture_complain(t, "another record was handed back\n");
	r->outcomes++;
	r->error = KLAMM_ERR_CLOSED;
	r->outcome = KLAMM_OUTCOME_NOT_WRITTEN;
	r->partition = record->partition;
}

/* What there was no memory for is sent. */
static void drain(struct torture *t, struct klamm_producer *producer)
{
	struct klamm_error err;
	uint64_t count;
	int rc = klamm_producer_drain(producer, taken_back, t, &count, &err);
	if (torture_judge(t, "drain", rc, &err) && count == 0 &&
	    t->records[TORTURE_RECORDS - 1].queued)
		torture_complain(t, "nothing was handed back\n");
}

static void send_all(struct torture *t, struct klamm_producer *producer,
		     struct klamm_topic *topic)
{
	struct klamm_error err;
	for (int i = 0; i < TORTURE_RECORDS; i++) {
		struct klamm_record record;
		struct value v;
		fill(t, i, &v, &record);
		int rc = klamm_producer_send(producer, topic, &record, &t->records[i], &err);
		t->records[i].queued = torture_judge(t, "send", rc, &err);
		if (i % 5 == 4 && (!t->session->drains || i < TORTURE_RECORDS / 2))
			torture_judge(t, "poll",
				      klamm_producer_poll(producer, 10, NULL, &err), &err);
	}
	if (t->session->drains)
		drain(t, producer);
	torture_judge(t, "flush", klamm_producer_flush(producer, PATIENCE_MS, NULL, &err),
		      &err);
}

static void end_future(struct torture *t, struct torture_record *record,
		       struct klamm_future *future)
{
	struct klamm_delivery d = {.size = sizeof(d)};
	struct klamm_error err;
	int rc = klamm_future_then(future, ended, ended, record, &err);
	bool heard = torture_judge(t, "then", rc, &err);
	klamm_future_get(future, PATIENCE_MS, &d, &err);
	if (!heard && klamm_future_is_done(future))
		ended(record, &d);
	klamm_future_free(future);
}

static void send_futures(struct torture *t, struct klamm_producer *producer,
			 struct klamm_topic *topic)
{
	struct klamm_future *futures[TORTURE_RECORDS] = {0};
	struct klamm_error err;
	for (int i = 0; i < TORTURE_RECORDS; i++) {
		struct klamm_record record;
		struct value v;
		fill(t, i, &v, &record);
		int rc = klamm_producer_send_future(producer, topic, &record, &futures[i],
						    &err);
		t->records[i].queued = torture_judge(t, "send_future", rc, &err);
	}
	for (int i = 0; i < TORTURE_RECORDS; i++)
		if (futures[i] != NULL)
			end_future(t, &t->records[i], futures[i]);
}

/* The same call again while that is what the error says. */
static bool insist(struct torture *t, const char *call, struct klamm_producer *producer,
		   int (*fn)(struct klamm_producer *, int64_t, struct klamm_error *))
{
	struct klamm_error err;
	for (int tries = 0; tries < 5; tries++) {
		if (torture_judge(t, call, fn(producer, PATIENCE_MS, &err), &err))
			return true;
		if (err.scope != KLAMM_SCOPE_RETRIABLE)
			return false;
	}
	return false;
}

static void transact(struct torture *t, struct klamm_producer *producer,
		     struct klamm_topic *topic)
{
	struct klamm_offset offset = {TORTURE_TOPIC, 0, -1, 7, NULL};
	struct klamm_group_metadata group = {
		.size = sizeof(group), .group_id = "g", .member_id = "", .generation = -1};
	struct klamm_error err;
	if (!insist(t, "init_transactions", producer, klamm_producer_init_transactions) ||
	    !torture_judge(t, "begin", klamm_producer_begin_transaction(producer, &err), &err))
		return;
	send_all(t, producer, topic);
	bool good = torture_judge(t, "send_offsets",
				  klamm_producer_send_offsets(producer, &offset, 1, &group,
							      PATIENCE_MS, &err),
				  &err);
	if (good || err.scope == KLAMM_SCOPE_RETRIABLE)
		t->committed = insist(t, "commit", producer,
				      klamm_producer_commit_transaction);
	if (!t->committed)
		insist(t, "abort", producer, klamm_producer_abort_transaction);
}

void torture_produce(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_producer *producer;
	struct klamm_topic *topic = NULL;
	struct klamm_error err;
	int rc = klamm_producer_new(conf, loop, &producer, &err);
	if (!torture_judge(t, "producer_new", rc, &err))
		return;
	bool futures = t->session->futures;
	rc = futures ? 0 : klamm_producer_on_delivery(producer, delivered, t, true, &err);
	if (torture_judge(t, "on_delivery", rc, &err) &&
	    torture_judge(t, "topic",
			  klamm_producer_topic(producer, TORTURE_TOPIC, &topic, &err), &err))
		(futures                   ? send_futures
		 : t->session->transaction ? transact
					   : send_all)(t, producer, topic);
	klamm_topic_unref(topic);
	torture_judge(t, "close", klamm_producer_close(producer, PATIENCE_MS, &err), &err);
}

/* --- the consumer --- */

static void look_at(struct torture *t, struct klamm_batch *batch,
		    const struct klamm_record_view *view)
{
	const struct klamm_value *value;
	struct klamm_error err;
	if (torture_number(t, view->value) < 0)
		torture_complain(t, "read something that nobody sent\n");
	if (!t->session->json)
		return;
	int rc = klamm_record_value(batch, view, &value, &err);
	if (torture_judge(t, "value", rc, &err) &&
	    (value->type != KLAMM_VALUE_MAP || value->as.map.count != 2))
		torture_complain(t, "a value came back as another\n");
}

static void take(struct torture *t, struct klamm_batch *batch, int64_t *next)
{
	struct klamm_record_view view;
	int32_t partition = klamm_batch_partition(batch);
	int rc;
	while ((rc = klamm_batch_next(batch, &view)) == 1) {
		if (t->session->transaction ? view.offset < next[partition]
					    : view.offset != next[partition])
			torture_complain(t, "%d/%lld was read when %lld was next\n",
					 partition, (long long)view.offset,
					 (long long)next[partition]);
		next[partition] = view.offset + 1;
		look_at(t, batch, &view);
	}
	if (rc < 0)
		torture_complain(t, "a batch ends with %s\n", klamm_err_name(rc));
	klamm_batch_unref(batch);
}

static bool is_through(const struct klamm_consumer *consumer)
{
	for (int32_t i = 0; i < TORTURE_PARTITIONS; i++)
		if (!klamm_consumer_at_end(consumer, TORTURE_TOPIC, i))
			return false;
	return true;
}

static void read_all(struct torture *t, struct klamm_consumer *consumer)
{
	int64_t next[TORTURE_PARTITIONS] = {0};
	int64_t deadline = kl_sim_now(t->sim) + READ_OUT;
	struct klamm_error err;
	while (!is_through(consumer) && kl_sim_now(t->sim) < deadline) {
		struct klamm_batch *batch = NULL;
		int rc = klamm_consumer_poll(consumer, 1000, &batch, &err);
		if (!torture_judge(t, "consumer_poll", rc, &err))
			kl_sim_sleep(t->sim, 100 * KL_MS);
		if (batch != NULL)
			take(t, batch, next);
	}
	if (t->once && !is_through(consumer))
		torture_complain(t, "the consumer is stuck, though there is memory again\n");
}

void torture_consume(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct klamm_consumer *consumer;
	struct klamm_topic_partition all[TORTURE_PARTITIONS];
	struct klamm_error err;
	for (int32_t i = 0; i < TORTURE_PARTITIONS; i++)
		all[i] = (struct klamm_topic_partition){TORTURE_TOPIC, i};
	int rc = klamm_consumer_new(conf, loop, &consumer, &err);
	if (!torture_judge(t, "consumer_new", rc, &err))
		return;
	rc = klamm_consumer_assign(consumer, all, TORTURE_PARTITIONS, &err);
	if (torture_judge(t, "assign", rc, &err))
		read_all(t, consumer);
	torture_judge(t, "close", klamm_consumer_close(consumer, PATIENCE_MS, &err), &err);
}
