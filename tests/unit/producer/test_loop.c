/* SPDX-License-Identifier: BSD-2-Clause */
/* Loops: the application's own, without a hidden thread; one for several clients. */
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "core/net/loop.h"
#include "tests/unit/producer/caught.h"

START_TEST(an_application_drives_the_loop)
{
	struct klamm_loop *loop;
	struct world_end ends[50] = {0};
	struct world_seen seen[50];
	world_up();
	world_create("t", 1);
	int before = world_threads(); /* the broker's among them */
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	struct klamm_producer *producer = world_telling(loop, "linger.ms=0", NULL);
	struct klamm_consumer *consumer = world_consumer(loop, NULL, NULL);
	world_assign(consumer, "t", 0, KLAMM_OFFSET_BEGINNING);
	for (size_t i = 0; i < kl_countof(ends); i++)
		world_send(producer, "t", 0, NULL, "v", &ends[i]);
	ck_assert_uint_eq(world_flush(producer), 0);
	world_read(consumer, (int)kl_countof(seen), seen);
	ck_assert_int_eq(world_threads(), before); /* the address needs no resolver */
	for (size_t i = 0; i < kl_countof(ends); i++)
		ck_assert_int_eq(ends[i].offset, (int)i);
	/* By hand: poll the descriptor, step when it says so. */
	struct world_end last = {0};
	struct klamm_future *future;
	struct klamm_topic *topic;
	struct klamm_record record = world_record(NULL, "v");
	ck_assert_int_eq(klamm_producer_topic(producer, "t", &topic, NULL), 0);
	ck_assert_int_eq(klamm_producer_send_future(producer, topic, &record, &future, NULL),
			 0);
	world_send(producer, "t", 0, NULL, "v", &last);
	int64_t deadline = world_ms() + PATIENCE;
	while (!klamm_future_is_done(future) && world_ms() < deadline) {
		struct pollfd fd = {.fd = klamm_loop_fd(loop), .events = POLLIN};
		int64_t wait = klamm_loop_timeout_ms(loop);
		poll(&fd, 1, wait < 0 || wait > 1000 ? 1000 : (int)wait);
		ck_assert_int_eq(klamm_loop_step(loop, 0, NULL), 0);
	}
	ck_assert(klamm_future_is_done(future));
	ck_assert_int_eq(last.told, 0); /* callbacks run in poll(), not in a step */
	world_wait(producer, &last);
	klamm_future_free(future);
	klamm_topic_unref(topic);
	ck_assert_int_eq(world_threads(), before);
	world_close(producer);
	world_close_consumer(consumer);
	klamm_loop_free(loop);
	world_down();
}
END_TEST

/* One thread for all of them, or none. */
START_TEST(clients_share_a_loop)
{
	enum { N = 5 };
	struct klamm_loop *loop;
	struct klamm_producer *producers[N];
	struct klamm_consumer *consumer;
	struct world_seen seen[100 * N];
	char topic[16];
	world_up();
	int before = world_threads();
	ck_assert_int_eq(klamm_loop_new(NULL, &loop, NULL), 0);
	if (_i == 1)
		ck_assert_int_eq(klamm_loop_start(loop, NULL), 0);
	consumer = world_consumer(loop, NULL, NULL);
	for (int i = 0; i < N; i++) {
		producers[i] = world_producer(loop, NULL, NULL);
		snprintf(topic, sizeof(topic), "t%d", i);
		world_create(topic, 1);
	}
	for (int round = 0; round < 100; round++) {
		for (int i = 0; i < N; i++) {
			snprintf(topic, sizeof(topic), "t%d", i);
			world_send(producers[i], topic, 0, NULL, "v", NULL);
		}
	}
	ck_assert_int_eq(world_threads(), before + _i);
	if (_i == 1)
		ck_assert_int_eq(klamm_loop_step(loop, 0, NULL), KLAMM_ERR_STATE);
	for (int i = 0; i < N; i++)
		ck_assert_uint_eq(world_flush(producers[i]), 0);
	for (int i = 0; i < N; i++) {
		snprintf(topic, sizeof(topic), "t%d", i);
		world_assign(consumer, topic, 0, KLAMM_OFFSET_BEGINNING);
		world_read(consumer, 100, seen);
		world_close(producers[i]);
	}
	world_close_consumer(consumer);
	klamm_loop_free(loop);
	ck_assert_int_eq(world_threads(), before);
	world_down();
}
END_TEST

/* A client with a loop of its own has one thread at rest, whatever the number of brokers. */
START_TEST(one_thread_whatever_the_brokers)
{
	world_start((struct klamm_broker_options){.nodes = 5});
	world_create("t", 10);
	int before = world_threads();
	struct klamm_producer *producer = world_producer(NULL, NULL, NULL);
	for (int i = 0; i < 100; i++)
		world_send(producer, "t", i % 10, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert_int_eq(world_threads(), before + 1);
	world_close(producer);
	ck_assert_int_eq(world_threads(), before);
	world_down();
}
END_TEST

/* --- a world whose resolver and clock are the test's --- */

static struct kl_os own_os;
static _Atomic int asking, most_asking, wanted;
static _Atomic int64_t later; /* microseconds that the clock is ahead */

static int own_resolve(struct kl_os *os, const char *host, uint16_t port,
		       struct kl_addr *addrs, size_t max, const char **why_out)
{
	if (strcmp(host, "name.invalid") != 0)
		return kl_os_real()->resolve(os, host, port, addrs, max, why_out);
	int now = ++asking;
	if (now > most_asking)
		most_asking = now;
	for (int64_t end = world_ms() + PATIENCE; most_asking < wanted && world_ms() < end;)
		usleep(1000);
	asking--;
	*why_out = "it is made up";
	return -ENOENT;
}

static int64_t own_now(struct kl_os *os)
{
	return kl_os_real()->now(os) + later;
}

static int own_wait(struct kl_poller *poller, struct kl_event *events, int max,
		    int64_t deadline)
{
	return kl_os_real()->poller_wait(poller, events, max,
					 deadline == KL_NEVER ? deadline : deadline - later);
}

/* Each look-up waits until so many are under way. */
START_TEST(opt_klamm_blocking_threads)
{
	struct klamm_loop *loop;
	struct klamm_producer *producers[6];
	struct klamm_record record = world_record(NULL, "v");
	world_servers = "name.invalid:1";
	struct klamm_conf *conf = world_conf(
		_i == 0 ? "klamm.blocking.threads=1" : "klamm.blocking.threads=3", NULL);
	own_os = *kl_os_real();
	own_os.resolve = own_resolve;
	wanted = _i == 0 ? 1 : 3;
	ck_assert_int_eq(klamm_loop_new(conf, &loop, NULL), 0);
	loop->os = &own_os;
	for (size_t i = 0; i < kl_countof(producers); i++)
		producers[i] = world_producer(loop, "max.block.ms=0", NULL);
	for (size_t i = 0; i < kl_countof(producers); i++)
		klamm_producer_send_to(producers[i], "t", &record, NULL, NULL);
	int64_t deadline = world_ms() + PATIENCE;
	while (most_asking < wanted && world_ms() < deadline)
		klamm_loop_step(loop, 10, NULL);
	for (int i = 0; i < 20; i++)
		klamm_loop_step(loop, 5, NULL);
	for (size_t i = 0; i < kl_countof(producers); i++)
		world_drop(producers[i]);
	klamm_loop_free(loop);
	klamm_conf_free(conf);
	ck_assert_int_eq(most_asking, wanted);
}
END_TEST

static _Atomic int names_asked; /* topics in Metadata requests of late */

static bool look_at_metadata(const struct script_request *request)
{
	const struct kl_metadata_request *body = request->body;
	if (request->header.api == KL_API_METADATA)
		for (int32_t i = 0; i < body->topics_n; i++)
			names_asked += kl_str_is(body->topics[i].name, "idle");
	return false;
}

/* A topic that nothing was sent to for so long is no longer asked about. Time is moved. */
START_TEST(opt_metadata_max_idle_ms)
{
	static const char *const pairs[] = {"metadata.max.idle.ms=5000",
					    "metadata.max.idle.ms=1000000"};
	struct klamm_loop *loop;
	struct script script = {.handle = look_at_metadata};
	script_start(&script);
	world_servers = script.address;
	own_os = *kl_os_real();
	own_os.now = own_now;
	own_os.poller_wait = own_wait;
	ck_assert_int_eq(kl_loop_new(&own_os, NULL, &loop, NULL), 0);
	struct klamm_producer *producer =
		world_producer(loop, pairs[_i], "metadata.max.age.ms=10000",
			       "connections.max.idle.ms=-1", NULL);
	world_send(producer, "idle", 0, NULL, "v", NULL);
	world_send(producer, "used", 0, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < 5; i++) {
		int before = script.requests[KL_API_METADATA];
		names_asked = 0;
		later += 11 * KL_SECOND;
		world_send(producer, "used", 0, NULL, "v", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
		int64_t deadline = world_ms() + PATIENCE;
		while (script.requests[KL_API_METADATA] == before && world_ms() < deadline) {
			later += KL_SECOND;
			klamm_loop_step(loop, 5, NULL);
		}
		for (int n = 0; n < 5; n++)
			klamm_loop_step(loop, 5, NULL);
	}
	if (_i == 0)
		ck_assert_int_eq(names_asked, 0);
	else
		ck_assert_int_ge(names_asked, 1);
	/* It is wanted again when something is sent to it. */
	world_send(producer, "idle", 0, NULL, "v", NULL);
	world_close(producer);
	ck_assert_int_eq(script.records, 8);
	klamm_loop_free(loop);
	script_stop(&script);
}
END_TEST

UNIT_SUITE(loop)
{
	Suite *s = suite_create("loop");
	unit_add(s, an_application_drives_the_loop);
	unit_add_loop(s, clients_share_a_loop, 2);
	unit_add(s, one_thread_whatever_the_brokers);
	unit_add_loop(s, opt_klamm_blocking_threads, 2);
	unit_add_loop(s, opt_metadata_max_idle_ms, 2);
	return s;
}
