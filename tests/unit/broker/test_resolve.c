/* SPDX-License-Identifier: BSD-2-Clause */
/* Names to addresses. */
#include "core/broker/resolve.h"

#include <unistd.h>

#include "tests/unit/broker/bench.h"

struct found {
	int told;
	unsigned count;
	int code;
	char text[KLAMM_ERROR_TEXT];
	char first[KL_ADDR_TEXT];
};

static void on_found(void *owner, unsigned count, const struct kl_addr *addrs,
		     const struct klamm_error *err)
{
	struct found *found = owner;
	found->told++;
	found->count = count;
	if (err != NULL) {
		found->code = err->code;
		memcpy(found->text, err->text, sizeof(found->text));
	}
	if (count > 0)
		bench_os.addr_text(&bench_os, &addrs[0], found->first);
}

static bool is_told(void *arg)
{
	return ((struct found *)arg)->told > 0;
}

static _Atomic int asked; /* of the resolver, and where */
static _Atomic bool asked_in_loop;
static pthread_t loop_thread;

static int fake_resolve(struct kl_os *os, const char *host, uint16_t port,
			struct kl_addr *addrs, size_t max, const char **why_out)
{
	asked++;
	asked_in_loop = pthread_equal(pthread_self(), loop_thread);
	if (strcmp(host, "slow") == 0)
		usleep(100 * 1000);
	if (strcmp(host, "nowhere") == 0) {
		*why_out = "no such name";
		return -ENOENT;
	}
	return kl_os_real()->resolve(os, "127.0.0.1", port, addrs, max, why_out);
}

static void up(void)
{
	bench_up();
	bench_os.resolve = fake_resolve;
	asked = 0;
	loop_thread = pthread_self();
}

static const char *const addresses[] = {"127.0.0.1", "10.0.0.255", "::1", "fe80::1",
					"255.255.255.255"};
/* Look like addresses, but the resolver would have to ask for them. */
static const char *const names[] = {"localhost", "256.0.0.1", "1.2.3", "1.2.3.4.5", "1.2.3.",
				    "a:b", "fe80::1%lo", "", "1..2.3", "0001.2.3.4"};

START_TEST(addresses_need_no_thread)
{
	struct found found = {0};
	struct kl_resolve *resolve;
	ck_assert_int_eq(kl_resolve_start(bench_loop, addresses[_i], 9092, on_found, &found,
					  &resolve, NULL), 0);
	ck_assert_int_eq(found.told, 0); /* never from inside the call */
	ck_assert(bench_until(is_told, &found, 5000));
	ck_assert_int_eq(found.told, 1);
	ck_assert(asked_in_loop);
	ck_assert_str_eq(found.first, "127.0.0.1:9092");
}
END_TEST

START_TEST(names_do_not_hold_up_the_loop)
{
	struct found found = {0};
	struct kl_resolve *resolve;
	ck_assert_int_eq(kl_resolve_start(bench_loop, names[_i], 9092, on_found, &found,
					  &resolve, NULL), 0);
	ck_assert(bench_until(is_told, &found, 5000));
	ck_assert(!asked_in_loop);
}
END_TEST

START_TEST(failure_says_why)
{
	struct found found = {0};
	struct kl_resolve *resolve;
	ck_assert_int_eq(kl_resolve_start(bench_loop, "nowhere", 1, on_found, &found, &resolve,
					  NULL), 0);
	ck_assert(bench_until(is_told, &found, 5000));
	ck_assert_int_eq(found.code, KLAMM_ERR_DNS);
	ck_assert_ptr_nonnull(strstr(found.text, "\"nowhere\": no such name"));
}
END_TEST

static bool was_asked(void *arg)
{
	return asked > 0;
}

START_TEST(cancelled_ones_are_silent)
{
	struct found found = {0};
	struct kl_resolve *resolve;
	kl_resolve_start(bench_loop, "slow", 1, on_found, &found, &resolve, NULL);
	if (_i == 1) /* while it runs */
		ck_assert(bench_until(was_asked, NULL, 5000));
	kl_resolve_cancel(resolve);
	kl_resolve_start(bench_loop, "127.0.0.1", 1, on_found, &found, &resolve, NULL);
	kl_resolve_cancel(resolve);
	kl_resolve_cancel(NULL);
	bench_run(200);
	ck_assert_int_eq(found.told, 0);
}
END_TEST

static _Atomic int begun, ended;
static _Atomic bool may_end;

static int stuck_resolve(struct kl_os *os, const char *host, uint16_t port,
			 struct kl_addr *addrs, size_t max, const char **why_out)
{
	begun++;
	while (!may_end)
		usleep(1000);
	int n = kl_os_real()->resolve(os, "127.0.0.1", port, addrs, max, why_out);
	ended++;
	return n;
}

static bool has_begun(void *arg)
{
	return begun > 0;
}

/* The loop goes, with look-ups under way that nobody can hurry: it does not wait for them. */
START_TEST(running_ones_are_left_behind)
{
	bench_os.resolve = stuck_resolve;
	struct found found = {0};
	struct kl_resolve *resolves[70]; /* more than there are threads */
	for (size_t i = 0; i < kl_countof(resolves); i++)
		kl_resolve_start(bench_loop, "stuck", 1, on_found, &found, &resolves[i], NULL);
	ck_assert(bench_until(has_begun, NULL, 60000));
	for (size_t i = 0; _i == 0 && i < kl_countof(resolves); i++)
		kl_resolve_cancel(resolves[i]);
	klamm_loop_free(bench_loop);
	bench_loop = NULL;
	ck_assert_int_eq(ended, 0);
	may_end = true;
	while (ended < begun)
		usleep(1000);
	ck_assert_int_eq(found.told, 0);
}
END_TEST

UNIT_SUITE(resolve)
{
	Suite *s = suite_create("resolve");
	unit_add_case(s, "addresses_need_no_thread", addresses_need_no_thread, up, bench_down,
		      kl_countof(addresses));
	unit_add_case(s, "names_do_not_hold_up_the_loop", names_do_not_hold_up_the_loop, up,
		      bench_down, kl_countof(names));
	unit_add_fixture(s, failure_says_why, up, bench_down);
	unit_add_case(s, "cancelled_ones_are_silent", cancelled_ones_are_silent, up,
		      bench_down, 2);
	unit_add_case(s, "running_ones_are_left_behind", running_ones_are_left_behind, up,
		      bench_down, 2);
	return s;
}
