/* SPDX-License-Identifier: BSD-2-Clause */
/* Consumers of one classic group at the dev broker: who reads what while they come and go. */
#include <stdio.h>
#include <string.h>

#include "tests/client/world.h"

#define PARTITIONS 6
#define RECORDS 600
#define MEMBERS 3

static struct member {
	struct klamm_consumer *consumer;
	int assigned, revoked, lost; /* calls */
	int came, went;              /* partitions */
	int read;
} members[MEMBERS];

static int seen[PARTITIONS][RECORDS]; /* by offset */
static int total;

static void on_assigned(void *arg, struct klamm_consumer *consumer,
			const struct klamm_topic_partition *partitions, size_t count)
{
	struct member *m = arg;
	(void)partitions;
	ck_assert_ptr_eq(consumer, m->consumer);
	m->assigned++;
	m->came += (int)count;
}

static void on_revoked(void *arg, struct klamm_consumer *consumer,
		       const struct klamm_topic_partition *partitions, size_t count)
{
	struct member *m = arg;
	(void)partitions;
	(void)consumer;
	m->revoked++;
	m->went += (int)count;
}

static void on_lost(void *arg, struct klamm_consumer *consumer,
		    const struct klamm_topic_partition *partitions, size_t count)
{
	struct member *m = arg;
	(void)partitions;
	(void)consumer;
	m->lost++;
	m->went += (int)count;
}

static void join(struct member *m, const char *strategy, const char *more)
{
	static const char *const topics[] = {"t"};
	struct klamm_listener listener = {.size = sizeof(listener),
					  .arg = m,
					  .assigned = on_assigned,
					  .revoked = on_revoked,
					  .lost = on_lost};
	struct klamm_error err;
	char pair[120];
	snprintf(pair, sizeof(pair), "partition.assignment.strategy=%s", strategy);
	*m = (struct member){.consumer = world_consumer(
				     NULL, "group.id=g", pair, "enable.auto.commit=true",
				     "auto.offset.reset=earliest", "heartbeat.interval.ms=20",
				     "retry.backoff.ms=10", more, NULL)};
	ck_assert_msg(klamm_consumer_subscribe(m->consumer, topics, 1, &listener, &err) == 0,
		      "%s", err.text);
}

static void leave(struct member *m)
{
	world_close_consumer(m->consumer);
	m->consumer = NULL;
}

static int owned(const struct member *m)
{
	const struct klamm_topic_partition *parts;
	size_t n = 0;
	if (m->consumer != NULL)
		ck_assert_int_eq(klamm_consumer_assignment(m->consumer, &parts, &n, NULL), 0);
	return (int)n;
}

static void count(struct member *m, struct klamm_batch *batch,
		  const struct klamm_record_view *view)
{
	seen[klamm_batch_partition(batch)][view->offset]++;
	m->read++;
	total++;
}

/* How members read: 0 = by batches. */
enum { BY_BATCHES, ONE_BY_ONE, BY_SOME };
static int way;

/* Fewer than a batch has, so that a rebalance comes in the middle of one. */
static void read_records(struct member *m)
{
	struct klamm_consumed records[3];
	struct klamm_error err;
	size_t n = 0;
	int rc;
	if (way == BY_SOME) {
		rc = klamm_consumer_read(m->consumer, 5, records, kl_countof(records), &n,
					 &err);
	} else {
		rc = klamm_consumer_next(m->consumer, 5, records, &err);
		n = rc == 0 && records[0].batch != NULL;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	for (size_t i = 0; i < n; i++)
		count(m, records[i].batch, &records[i].view);
}

static void read_some(struct member *m)
{
	struct klamm_batch *batch;
	struct klamm_error err;
	struct klamm_record_view view;
	if (m->consumer == NULL)
		return;
	if (way != BY_BATCHES) {
		read_records(m);
		return;
	}
	ck_assert_msg(klamm_consumer_poll(m->consumer, 5, &batch, &err) == 0, "%s", err.text);
	while (batch != NULL && klamm_batch_next(batch, &view) == 1)
		count(m, batch, &view);
	klamm_batch_unref(batch);
}

/* All poll in turn until the partitions are theirs like this; -1 = any number. */
static void settle(int a, int b, int c)
{
	const int want[MEMBERS] = {a, b, c};
	int64_t until = world_ms() + PATIENCE;
	for (int calm = 0; calm < 3;) {
		bool same = true;
		for (int i = 0; i < MEMBERS; i++) {
			read_some(&members[i]);
			same &= want[i] < 0 || owned(&members[i]) == want[i];
		}
		calm = same ? calm + 1 : 0;
		ck_assert_msg(world_ms() < until, "%d, %d and %d partitions",
			      owned(&members[0]), owned(&members[1]), owned(&members[2]));
	}
}

static void set_up(void)
{
	static const char *const config[] = {"group.min.session.timeout.ms=10",
					     "group.initial.rebalance.delay.ms=0", NULL};
	memset(members, 0, sizeof(members));
	memset(seen, 0, sizeof(seen));
	total = way = 0;
	world_start((struct klamm_broker_options){.config = config});
	world_create("t", PARTITIONS);
}

static void tear_down(void)
{
	for (int i = 0; i < MEMBERS; i++)
		if (members[i].consumer != NULL)
			klamm_consumer_close(members[i].consumer, 0, NULL);
	world_down();
}

static const char *const strategies[] = {
	"range", "roundrobin", "sticky", "cooperative_sticky", "range,cooperative_sticky",
};

static bool is_cooperative(int strategy)
{
	return strategy == 3;
}

/* --- coming and going --- */

START_TEST(partitions_have_one_reader_each)
{
	struct member *a = &members[0], *b = &members[1], *c = &members[2];
	join(a, strategies[_i], NULL);
	settle(6, 0, 0);
	ck_assert_int_eq(a->came, 6);
	join(b, strategies[_i], NULL);
	settle(3, 3, 0);
	ck_assert_int_eq(a->went, is_cooperative(_i) ? 3 : 6);
	join(c, strategies[_i], NULL);
	settle(2, 2, 2);
	leave(a);
	ck_assert_int_eq(a->came - a->went, 0);
	settle(0, 3, 3);
	leave(b);
	settle(0, 0, 6);
	ck_assert_int_eq(a->lost + b->lost + c->lost, 0);
}
END_TEST

/* Positions are committed before their partitions leave, so nothing is read twice; and
 * nothing is left out. */
static void check_read_once(const char *strategy)
{
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	struct member *a = &members[0], *b = &members[1], *c = &members[2];
	int sent = 0;
	join(a, strategy, NULL);
	for (int round = 0; round < 6; round++) {
		for (int i = 0; i < PARTITIONS * 20; i++, sent++)
			world_send(producer, "t", i % PARTITIONS, NULL, "v", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
		if (round == 1)
			join(b, strategy, NULL);
		if (round == 2)
			join(c, strategy, NULL);
		if (round == 4)
			leave(a);
		for (int i = 0; i < 5; i++)
			for (int k = 0; k < MEMBERS; k++)
				read_some(&members[k]);
	}
	int64_t until = world_ms() + PATIENCE;
	while (total < sent && world_ms() < until)
		for (int k = 0; k < MEMBERS; k++)
			read_some(&members[k]);
	world_close(producer);
	for (int p = 0; p < PARTITIONS; p++)
		for (int i = 0; i < sent / PARTITIONS; i++)
			ck_assert_msg(seen[p][i] == 1,
				      "partition %d offset %d: read %d times", p, i,
				      seen[p][i]);
	ck_assert_int_eq(total, sent);
}

START_TEST(records_are_read_once)
{
	check_read_once(strategies[_i]);
}
END_TEST

/* What is left of a batch goes with its partition, and is read by whoever has it then. */
START_TEST(records_are_read_once_one_by_one)
{
	way = _i % 2 == 0 ? ONE_BY_ONE : BY_SOME;
	check_read_once(_i < 2 ? "range" : "cooperative_sticky");
}
END_TEST

/* From eager to cooperative in two rolling restarts, with readers all the while (KIP-429). */
START_TEST(a_group_becomes_cooperative)
{
	static const char *const steps[] = {"range", "range,cooperative_sticky",
					    "cooperative_sticky"};
	struct member *a = &members[0], *b = &members[1];
	join(a, steps[0], NULL);
	join(b, steps[0], NULL);
	settle(3, 3, 0);
	for (int step = 1; step < 3; step++) {
		for (int i = 0; i < 2; i++) {
			leave(&members[i]);
			join(&members[i], steps[step], NULL);
			settle(3, 3, 0);
		}
	}
	int went = a->went;
	join(&members[2], steps[2], NULL);
	settle(2, 2, 2);
	ck_assert_int_eq(a->went - went, 1);
	ck_assert_int_eq(a->lost + b->lost, 0);
}
END_TEST

/* One that is gone without a word keeps its partitions until its session is over. */
START_TEST(a_silent_end)
{
	struct klamm_close_options remain = {.size = sizeof(remain),
					     .timeout_ms = PATIENCE,
					     .membership = KLAMM_MEMBERSHIP_REMAIN};
	join(&members[0], "range", NULL);
	join(&members[1], "range", "session.timeout.ms=400");
	settle(3, 3, 0);
	ck_assert_int_eq(klamm_consumer_close_with(members[1].consumer, &remain, NULL), 0);
	members[1].consumer = NULL;
	settle(6, 0, 0);
}
END_TEST

/* --- static members --- */

START_TEST(a_static_member_comes_back)
{
	struct member *a = &members[0], *b = &members[1];
	join(a, strategies[_i], "group.instance.id=a");
	join(b, strategies[_i], "group.instance.id=b");
	settle(3, 3, 0);
	int rounds = a->assigned;
	leave(b);
	settle(3, 0, 0);
	join(b, strategies[_i], "group.instance.id=b");
	settle(3, 3, 0);
	ck_assert_int_eq(a->assigned, rounds);
	/* The leader as well: whose assignment is not made anew (KIP-814). */
	rounds = b->assigned;
	leave(a);
	join(a, strategies[_i], "group.instance.id=a");
	settle(3, 3, 0);
	ck_assert_int_eq(b->assigned, rounds);
}
END_TEST

START_TEST(one_of_two_that_are_called_alike)
{
	struct klamm_error err = {0};
	struct klamm_batch *batch;
	int64_t until = world_ms() + PATIENCE;
	join(&members[0], "range", "group.instance.id=a");
	settle(6, 0, 0);
	join(&members[1], "range", "group.instance.id=a");
	while (err.code == 0 && world_ms() < until) {
		klamm_consumer_poll(members[0].consumer, 5, &batch, &err);
		klamm_batch_unref(batch);
		read_some(&members[1]);
	}
	ck_assert_int_eq(err.code, KLAMM_ERR_FENCED_INSTANCE_ID);
	ck_assert_int_eq(members[0].lost, 1);
	klamm_consumer_close(members[0].consumer, 0, NULL);
	members[0].consumer = NULL;
	settle(0, 6, 0);
}
END_TEST

/* --- topics --- */

START_TEST(topics_that_a_pattern_finds_later)
{
	struct klamm_error err;
	struct klamm_listener listener = {.size = sizeof(listener),
					  .arg = &members[0],
					  .assigned = on_assigned,
					  .revoked = on_revoked};
	members[0].consumer = world_consumer(NULL, "group.id=g",
					     "partition.assignment.strategy=range",
					     "metadata.max.age.ms=50", NULL);
	ck_assert_int_eq(klamm_consumer_subscribe_pattern(members[0].consumer, "t|u.*",
							  &listener, &err),
			 0);
	settle(6, 0, 0);
	world_create("u1", 2);
	world_create("v", 2);
	settle(8, 0, 0);
}
END_TEST

/* --- racks (KIP-881) --- */

/* Node 1 is in rack a, node 2 in b; each partition is on one of them. */
static void set_up_racks(void)
{
	static const char *const config[] = {"group.initial.rebalance.delay.ms=0", NULL};
	memset(members, 0, sizeof(members));
	world_start((struct klamm_broker_options){
		.nodes = 2, .replicas = 1, .racks = "a,b", .config = config});
	world_create("t", PARTITIONS);
}

/* The node that leads each partition. */
static void find_leaders(int32_t leaders[PARTITIONS])
{
	const char *name = "t";
	struct klamm_topic_list *list;
	struct klamm_admin *admin;
	struct klamm_error err;
	struct klamm_conf *conf = world_conf(NULL, NULL);
	ck_assert_int_eq(klamm_admin_new(conf, NULL, &admin, &err), 0);
	klamm_conf_free(conf);
	ck_assert_int_eq(klamm_admin_describe_topics(admin, &name, 1, PATIENCE, &list, &err),
			 0);
	for (int i = 0; i < PARTITIONS; i++)
		leaders[i] = list->topics[0]->partitions[i]->leader;
	klamm_topic_list_free(list);
	klamm_admin_free(admin);
}

static bool reads_node(const struct member *m, const int32_t leaders[PARTITIONS], int32_t node)
{
	const struct klamm_topic_partition *parts;
	size_t n;
	ck_assert_int_eq(klamm_consumer_assignment(m->consumer, &parts, &n, NULL), 0);
	for (size_t i = 0; i < n; i++)
		if (leaders[parts[i].partition] != node)
			return false;
	return n == PARTITIONS / 2;
}

/* Whoever leads the group: all that a member reads is in its rack. */
START_TEST(partitions_stay_in_their_rack)
{
	int32_t leaders[PARTITIONS];
	struct member *a = &members[0], *b = &members[1];
	find_leaders(leaders);
	static const char *const heeding[] = {"range", "sticky", "cooperative_sticky"};
	join(a, heeding[_i], "client.rack=b");
	settle(6, 0, 0);
	join(b, heeding[_i], "client.rack=a");
	settle(3, 3, 0);
	ck_assert(reads_node(a, leaders, 2));
	ck_assert(reads_node(b, leaders, 1));
}
END_TEST

/* A leader that has a rack looks whether those of the replicas change; node 2's goes. */
START_TEST(racks_that_change)
{
	struct klamm_error err;
	join(&members[0], "range", _i == 0 ? "client.rack=b" : "client.rack=");
	settle(6, 0, 0);
	/* Committed offsets are at a node that stays. */
	int rounds = members[0].assigned;
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 2, false, &err), 0);
	int64_t until = world_ms() + (_i == 0 ? PATIENCE : 500);
	while (members[0].assigned == rounds && world_ms() < until) {
		struct klamm_batch *batch;
		klamm_consumer_poll(members[0].consumer, 5, &batch, &err);
		klamm_batch_unref(batch);
	}
	ck_assert_int_eq(members[0].assigned > rounds, _i == 0);
}
END_TEST

UNIT_SUITE(groups)
{
	Suite *s = suite_create("groups");
	int n = (int)(sizeof(strategies) / sizeof(strategies[0]));
	unit_add_case(s, "partitions_have_one_reader_each", partitions_have_one_reader_each,
		      set_up, tear_down, n);
	unit_add_case(s, "records_are_read_once", records_are_read_once, set_up, tear_down, n);
	unit_add_case(s, "records_are_read_once_one_by_one", records_are_read_once_one_by_one,
		      set_up, tear_down, 4);
	unit_add_fixture(s, a_group_becomes_cooperative, set_up, tear_down);
	unit_add_fixture(s, a_silent_end, set_up, tear_down);
	unit_add_case(s, "a_static_member_comes_back", a_static_member_comes_back, set_up,
		      tear_down, 4);
	unit_add_fixture(s, one_of_two_that_are_called_alike, set_up, tear_down);
	unit_add_fixture(s, topics_that_a_pattern_finds_later, set_up, tear_down);
	unit_add_case(s, "partitions_stay_in_their_rack", partitions_stay_in_their_rack,
		      set_up_racks, tear_down, 3);
	unit_add_case(s, "racks_that_change", racks_that_change, set_up_racks, tear_down, 2);
	return s;
}
