/* SPDX-License-Identifier: BSD-2-Clause */
/* Two consumers of one group, whose memory runs out: the first joins, the second takes half of
 * its partitions and gives them back, and what is read is committed. */
#include <stdio.h>

#include "tests/sim/torture.h"

#define PATIENCE_MS 20000
/* With memory again each step is through by then: sessions have ended, what failed was tried
 * again. */
#define STEP (90 * KL_SECOND)
#define TRIES 3

struct member {
	struct torture *t;
	const char *name;
	struct klamm_consumer *consumer; /* NULL: there was no memory for it, or it has left */
	bool own[TORTURE_PARTITIONS];    /* as the listener says */
};

struct members {
	struct torture *t;
	struct member first, second;
	bool seen[TORTURE_RECORDS];
};

/* --- what they hear --- */

static void change(struct member *m, const struct klamm_topic_partition *partitions,
		   size_t count, bool to)
{
	for (size_t i = 0; i < count; i++) {
		if (m->own[partitions[i].partition] == to)
			torture_complain(m->t, "%s: partition %d was %s twice\n", m->name,
					 partitions[i].partition, to ? "given" : "taken");
		m->own[partitions[i].partition] = to;
	}
}

static void assigned(void *arg, struct klamm_consumer *consumer,
		     const struct klamm_topic_partition *partitions, size_t count)
{
	change(arg, partitions, count, true);
}

static void revoked(void *arg, struct klamm_consumer *consumer,
		    const struct klamm_topic_partition *partitions, size_t count)
{
	change(arg, partitions, count, false);
}

static int owned(const struct member *m)
{
	int n = 0;
	for (int i = 0; i < TORTURE_PARTITIONS; i++)
		n += m->own[i];
	return n;
}

/* --- what they do --- */

static void stored(void *arg, const struct klamm_offset *offsets, size_t count,
		   const struct klamm_error *err)
{
	struct member *m = arg;
	if (err != NULL && err->text[0] == '\0')
		torture_complain(m->t, "%s: a commit ended without a text\n", m->name);
}

static void look_at(struct members *all, struct member *m, struct klamm_batch *batch)
{
	struct klamm_record_view view;
	struct klamm_error err;
	int32_t partition = klamm_batch_partition(batch);
	int rc;
	if (!m->own[partition])
		torture_complain(m->t, "%s: reads partition %d of others\n", m->name,
				 partition);
	while ((rc = klamm_batch_next(batch, &view)) == 1) {
		int number = torture_number(m->t, view.value);
		if (number < 0)
			torture_complain(m->t, "read something that nobody sent\n");
		else
			all->seen[number] = true;
	}
	if (rc < 0)
		torture_complain(m->t, "a batch ends with %s\n", klamm_err_name(rc));
	rc = klamm_consumer_commit_async(m->consumer, NULL, 0, stored, m, &err);
	torture_judge(m->t, "commit_async", rc, &err);
}

static void poll_once(struct members *all, struct member *m)
{
	struct klamm_batch *batch = NULL;
	struct klamm_error err;
	if (m->consumer == NULL)
		return;
	if (!torture_judge(m->t, "consumer_poll",
			   klamm_consumer_poll(m->consumer, 50, &batch, &err), &err))
		kl_sim_sleep(m->t->sim, 100 * KL_MS);
	if (batch != NULL)
		look_at(all, m, batch);
	klamm_batch_unref(batch);
}

/* false: there was no memory for it. */
static bool make(struct torture *t, struct member *m, const char *name,
		 struct klamm_conf *conf, struct klamm_loop *loop)
{
	static const char *const topics[] = {TORTURE_TOPIC};
	struct klamm_listener listener = {.size = sizeof(listener), .arg = m,
					  .assigned = assigned, .revoked = revoked};
	struct klamm_error err;
	*m = (struct member){.t = t, .name = name};
	if (!torture_judge(t, "consumer_new",
			   klamm_consumer_new(conf, loop, &m->consumer, &err), &err)) {
		m->consumer = NULL;
		return false;
	}
	for (int i = 0; i < TRIES; i++)
		if (torture_judge(t, "subscribe",
				  klamm_consumer_subscribe(m->consumer, topics, 1, &listener,
							   &err),
				  &err))
			return true;
	return false;
}

static void leave(struct member *m)
{
	struct klamm_error err;
	if (m->consumer == NULL)
		return;
	torture_judge(m->t, "close", klamm_consumer_close(m->consumer, PATIENCE_MS, &err),
		      &err);
	if (m->t->once && owned(m) > 0)
		torture_complain(m->t, "%s: has left, and was not told to give up\n", m->name);
	m->consumer = NULL;
}

/* Both poll until the partitions are theirs like this. */
static bool settle(struct members *all, int first, int second)
{
	int64_t deadline = kl_sim_now(all->t->sim) + STEP;
	while (owned(&all->first) != first || owned(&all->second) != second) {
		if (kl_sim_now(all->t->sim) >= deadline) {
			if (all->t->once)
				torture_complain(all->t,
						 "they have %d and %d partitions, and should "
						 "have %d and %d\n",
						 owned(&all->first), owned(&all->second),
						 first, second);
			return false;
		}
		poll_once(all, &all->first);
		poll_once(all, &all->second);
	}
	return true;
}

static int seen(const struct members *all)
{
	int n = 0;
	for (int i = 0; i < TORTURE_RECORDS; i++)
		n += all->seen[i];
	return n;
}

static void read_out(struct members *all)
{
	struct klamm_error err;
	int64_t deadline = kl_sim_now(all->t->sim) + STEP;
	while (seen(all) < TORTURE_RECORDS && kl_sim_now(all->t->sim) < deadline)
		poll_once(all, &all->first);
	if (all->t->once && seen(all) < TORTURE_RECORDS)
		torture_complain(all->t, "%d of %d records are read\n", seen(all),
				 TORTURE_RECORDS);
	int rc = klamm_consumer_commit(all->first.consumer, NULL, 0, PATIENCE_MS, &err);
	torture_judge(all->t, "commit", rc, &err);
}

void torture_join(struct torture *t, struct klamm_conf *conf, struct klamm_loop *loop)
{
	struct members all = {.t = t};
	if (make(t, &all.first, "the first", conf, loop) &&
	    settle(&all, TORTURE_PARTITIONS, 0)) {
		if (make(t, &all.second, "the second", conf, loop))
			settle(&all, TORTURE_PARTITIONS / 2, TORTURE_PARTITIONS / 2);
		leave(&all.second);
		if (settle(&all, TORTURE_PARTITIONS, 0))
			read_out(&all);
	}
	leave(&all.first);
}
