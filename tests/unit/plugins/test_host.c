/* SPDX-License-Identifier: BSD-2-Clause */
/* The host as a plugin sees it, over a real loop. */
#include <stdlib.h>
#include <unistd.h>

#include "core/net/loop.h"
#include "tests/unit/plugins/loaded.h"
#include "tests/unit/unit.h"

static int32_t pick(void *self, const struct klamm_pick *in)
{
	return 0;
}

static const struct klamm_partitioner_plugin mine = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "mine", "for a look at the host")},
	.pick = pick,
};

static struct klamm_loop *loop;
static struct kl_host host;
static struct kl_plugin *plugin;
static struct kl_instance instance;
static const struct klamm_host *api;
static struct klamm_error err;
static char logged[200];
static const struct setting settings[] = {{"partitioner.mine.password", "hush"}, {NULL}};

static void keep_log(void *arg, int32_t level, const char *where, const char *text)
{
	snprintf(logged, sizeof(logged), "%d %s: %s", level, where, text);
}

static void up(void)
{
	static const struct kl_log log = {.fn = keep_log, .level = KL_LOG_INFO};
	ck_assert_int_eq(kl_loop_new(kl_os_real(), &log, &loop, &err), 0);
	ck_assert_int_eq(kl_host_init(&host, kl_os_real(), &log, loop, "me", &err), 0);
	ck_assert_int_eq(kl_plugin_check(KLAMM_KIND_PARTITIONER, "mine", &mine.head, "here",
					 &plugin, &err), 0);
	plugin->user = &host;
	ck_assert_int_eq(kl_plugin_open(plugin, &host, "partitioner.class", lookup_setting,
					(void *)settings, &instance, &err), 0);
	api = &instance.api;
}

static void down(void)
{
	kl_plugin_close(&instance);
	kl_plugin_close(&instance); /* once is enough, twice does no harm */
	ck_assert_uint_eq(atomic_load(&host.quota.used), 0);
	kl_host_free(&host);
	klamm_loop_free(loop);
	kl_plugin_free(plugin);
}

START_TEST(says_who_is_asking)
{
	ck_assert_uint_eq(api->size, sizeof(struct klamm_host));
	ck_assert_str_eq(api->client_id, "me");
	ck_assert_str_eq(api->role, "partitioner.class");
	ck_assert_str_eq(api->prefix, "");
	ck_assert_ptr_eq(api->user, &host);
	ck_assert_str_ne(api->version, "");
	api->log(api, KL_LOG_WARN, "careful");
	ck_assert_str_eq(logged, "1 partitioner mine: careful");
	api->log(api, KL_LOG_TRACE, "not asked for");
	ck_assert_str_eq(logged, "1 partitioner mine: careful");
	int64_t now = api->now_us(api);
	ck_assert_int_ge(api->now_us(api), now);
	ck_assert_int_gt(api->wall_ms(api), 1700000000000);
	uint8_t a[16] = {0}, b[16] = {0};
	api->random(api, a, sizeof(a));
	api->random(api, b, sizeof(b));
	ck_assert_mem_ne(a, b, sizeof(a));
	ck_assert(!api->closing(api));
	kl_host_closing(&host);
	ck_assert(api->closing(api));
}
END_TEST

START_TEST(memory_is_charged)
{
	host.quota.max = 100000;
	struct klamm_arena *arena;
	struct klamm_out *out;
	ck_assert_int_eq(api->arena_new(api, 0, &arena), 0);
	ck_assert_int_eq(api->out_new(api, 1000, &out), 0);
	ck_assert_ptr_nonnull(arena->alloc(arena, 50000));
	ck_assert_uint_ge(atomic_load(&host.quota.used), 50000);
	ck_assert_ptr_null(arena->alloc(arena, 60000));
	ck_assert_int_eq(klamm_out_append(out, "text", 4), 0);
	ck_assert_ptr_null(klamm_out_reserve(out, 1000));
	api->arena_free(api, arena);
	api->out_free(api, out);
	api->arena_free(api, NULL);
	api->out_free(api, NULL);
}
END_TEST

START_TEST(secrets_are_read_and_wiped)
{
	char *text;
	ck_assert_int_eq(api->secret_read(api, "partitioner.mine.password", &text, &err), 0);
	ck_assert_str_eq(text, "hush");
	api->secret_wipe(api, text);
	api->secret_wipe(api, NULL);
	ck_assert_int_eq(api->secret_read(api, "sasl.password", &text, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "sasl.password is not set");
	char secret[8] = "hushhus";
	api->wipe(api, secret, sizeof(secret));
	ck_assert_mem_eq(secret, "\0\0\0\0\0\0\0\0", 8);
}
END_TEST

static atomic_int rings;
static void ring(void *arg)
{
	atomic_fetch_add((atomic_int *)arg, 1);
}

/* Steps until it has rung n times, or the wait is over. */
static void step_until(int n, int64_t wait)
{
	int64_t deadline = api->now_us(api) + wait;
	while (atomic_load(&rings) < n && api->now_us(api) < deadline)
		kl_loop_step(loop, deadline);
}

START_TEST(timers_run_on_the_loop)
{
	struct klamm_timer *timer;
	ck_assert_int_eq(api->timer_new(api, ring, &rings, &timer), 0);
	api->timer_set(api, timer, api->now_us(api) + 3600 * (int64_t)KL_SECOND);
	step_until(1, 10 * KL_MS);
	ck_assert_int_eq(atomic_load(&rings), 0);
	int64_t at = api->now_us(api) + 5 * KL_MS;
	api->timer_set(api, timer, at);
	step_until(1, 60 * KL_SECOND);
	ck_assert_int_eq(atomic_load(&rings), 1);
	ck_assert_int_ge(api->now_us(api), at);
	/* Unset, and set anew. */
	api->timer_set(api, timer, 0);
	api->timer_set(api, timer, -1);
	step_until(2, 10 * KL_MS);
	ck_assert_int_eq(atomic_load(&rings), 1);
	api->timer_set(api, timer, 0);
	step_until(2, 60 * KL_SECOND);
	ck_assert_int_eq(atomic_load(&rings), 2);
	/* Freed while armed: it never rings again. */
	api->timer_set(api, timer, 0);
	api->timer_free(api, timer);
	step_until(3, 10 * KL_MS);
	ck_assert_int_eq(atomic_load(&rings), 2);
	/* One that is freed and never seen by the loop again goes with the loop. */
	ck_assert_int_eq(api->timer_new(api, ring, &rings, &timer), 0);
	api->timer_free(api, timer);
	api->timer_free(api, NULL);
}
END_TEST

/* Set and freed at once, while the loop runs: what was posted first may run in between. */
START_TEST(timers_may_go_at_any_moment)
{
	struct klamm_timer *timer;
	ck_assert_int_eq(klamm_loop_start(loop, &err), 0);
	for (int i = 0; i < 100000; i++) {
		ck_assert_int_eq(api->timer_new(api, ring, &rings, &timer), 0);
		api->timer_set(api, timer, api->now_us(api) + KL_SECOND);
		for (volatile int spin = i % 400; spin > 0; spin--)
			;
		api->timer_free(api, timer);
	}
}
END_TEST

static void slow_ring(void *arg)
{
	struct kl_os *os = kl_os_real();
	int64_t until = os->now(os) + 30 * KL_MS;
	struct kl_mutex mutex;
	struct kl_cond cond;
	kl_mutex_init(&mutex);
	os->cond_init(os, &cond);
	kl_mutex_lock(&mutex);
	while (os->now(os) < until)
		os->cond_wait(os, &cond, &mutex, until);
	kl_mutex_unlock(&mutex);
	os->cond_destroy(os, &cond);
	kl_mutex_destroy(&mutex);
	ring(arg);
}

START_TEST(close_waits_for_what_was_submitted)
{
	for (int i = 0; i < 3; i++)
		ck_assert_int_eq(api->submit(api, slow_ring, &rings), 0);
	kl_plugin_close(&instance);
	ck_assert_int_eq(atomic_load(&rings), 3);
}
END_TEST

static int last_words;

static void late(void *self)
{
	last_words = api->submit(api, ring, &rings);
}

/* A timer of the plugin's may fire until close() has freed it. */
START_TEST(nothing_is_submitted_behind_the_end)
{
	struct klamm_partitioner_plugin talker = mine;
	talker.head.close = late;
	kl_plugin_close(&instance);
	kl_plugin_free(plugin);
	ck_assert_int_eq(kl_plugin_check(KLAMM_KIND_PARTITIONER, "mine", &talker.head, "here",
					 &plugin, &err), 0);
	ck_assert_int_eq(kl_plugin_open(plugin, &host, "partitioner.class", NULL, NULL,
					&instance, &err), 0);
	kl_plugin_close(&instance);
	ck_assert_int_eq(last_words, KLAMM_ERR_CLOSED);
	usleep(50000);
	ck_assert_int_eq(atomic_load(&rings), 0);
}
END_TEST

START_TEST(what_is_submitted_is_bounded)
{
	int rc = 0, accepted = 0;
	for (; rc == 0 && accepted < 1000; accepted += rc == 0)
		rc = api->submit(api, slow_ring, &rings);
	ck_assert_int_eq(rc, KLAMM_ERR_WOULD_BLOCK);
	/* 64 at a time, and some may have ended while this one waited for the CPU. */
	ck_assert_int_le(accepted, 200);
	kl_plugin_close(&instance);
	ck_assert_int_eq(atomic_load(&rings), accepted);
}
END_TEST

START_TEST(reload_reaches_those_who_asked)
{
	static atomic_int other;
	kl_host_reload(&host); /* nobody has asked */
	api->on_reload(api, ring, &rings);
	struct kl_instance second;
	ck_assert_int_eq(kl_plugin_open(plugin, &host, "partitioner.class", NULL, NULL,
					&second, &err),
			 0);
	second.api.on_reload(&second.api, ring, &other);
	kl_host_reload(&host);
	second.api.on_reload(&second.api, NULL, NULL);
	kl_host_reload(&host);
	kl_plugin_close(&second);
	kl_plugin_close(&instance);
	kl_host_reload(&host);
	ck_assert_int_eq(atomic_load(&other), 1);
	ck_assert_int_eq(atomic_load(&rings), 2);
}
END_TEST

START_TEST(without_a_loop_it_says_so)
{
	struct kl_host bare;
	struct kl_instance alone;
	struct klamm_timer *timer;
	ck_assert_int_eq(kl_host_init(&bare, kl_os_real(), NULL, NULL, NULL, &err), 0);
	ck_assert_int_eq(kl_plugin_open(plugin, &bare, "value.deserializer", NULL, NULL,
					&alone, &err),
			 0);
	ck_assert_str_eq(alone.api.prefix, "value.");
	ck_assert_str_eq(alone.api.client_id, "");
	alone.api.log(&alone.api, 0, "to nobody");
	ck_assert_int_eq(alone.api.timer_new(&alone.api, ring, &rings, &timer),
			 KLAMM_ERR_UNSUPPORTED);
	ck_assert_int_eq(alone.api.submit(&alone.api, ring, &rings), KLAMM_ERR_UNSUPPORTED);
	kl_host_reload(&bare);
	kl_plugin_close(&alone);
	kl_host_free(&bare);
}
END_TEST

UNIT_SUITE(host)
{
	Suite *s = suite_create("host");
	unit_add_fixture(s, says_who_is_asking, up, down);
	unit_add_fixture(s, memory_is_charged, up, down);
	unit_add_fixture(s, secrets_are_read_and_wiped, up, down);
	unit_add_fixture(s, timers_run_on_the_loop, up, down);
	unit_add_fixture(s, timers_may_go_at_any_moment, up, down);
	unit_add_fixture(s, close_waits_for_what_was_submitted, up, down);
	unit_add_fixture(s, nothing_is_submitted_behind_the_end, up, down);
	unit_add_fixture(s, what_is_submitted_is_bounded, up, down);
	unit_add_fixture(s, reload_reaches_those_who_asked, up, down);
	unit_add_fixture(s, without_a_loop_it_says_so, up, down);
	return s;
}
