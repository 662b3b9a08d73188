/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/broker/bench.h"

#include <stdarg.h>

struct kl_os bench_os;
struct klamm_loop *bench_loop;
struct klamm_conf *bench_conf;
const struct kl_settings *bench_settings;
struct kl_slab_pool *bench_slabs;
struct script bench_script;

void bench_up(void)
{
	bench_os = *kl_os_real();
	bench_script = (struct script){0};
	ck_assert_int_eq(kl_loop_new(&bench_os, NULL, &bench_loop, NULL), 0);
	ck_assert_int_eq(klamm_conf_new(&bench_conf, NULL), 0);
	bench_slabs = kl_slab_pool_new(64 << 20, 1 << 20, NULL, NULL);
	ck_assert_ptr_nonnull(bench_slabs);
	bench_set("bootstrap.servers=127.0.0.1:1", NULL);
}

void bench_down(void)
{
	klamm_loop_free(bench_loop);
	kl_slab_pool_free(bench_slabs);
	klamm_conf_free(bench_conf);
}

void bench_set(const char *pair, ...)
{
	va_list pairs;
	va_start(pairs, pair);
	for (; pair != NULL; pair = va_arg(pairs, const char *)) {
		struct klamm_error err;
		ck_assert_msg(klamm_conf_set_pair(bench_conf, pair, &err) == 0, "%s",
			      err.text);
	}
	va_end(pairs);
}

void bench_configure(int32_t role)
{
	struct klamm_error err;
	ck_assert_msg(kl_conf_settings(bench_conf, role, &bench_settings, &err) == 0, "%s",
		      err.text);
}

/* So often the loop is stepped at least: the time may be over, and nothing of it was this
 * process's. */
#define ROUNDS 10

bool bench_until(bool (*ready)(void *arg), void *arg, int ms)
{
	int64_t deadline = kl_os_deadline_ms(&bench_os, ms);
	for (int round = 0; !ready(arg); round++) {
		int64_t now = bench_os.now(&bench_os);
		if (now >= deadline && round >= ROUNDS)
			return false;
		/* Not longer: what a node waits for is its client's to look after. */
		kl_loop_step(bench_loop, now + 5 * KL_MS);
	}
	return true;
}

static bool never(void *arg)
{
	return false;
}

void bench_run(int ms)
{
	bench_until(never, NULL, ms);
}

static void on_done(struct kl_request *request, const struct kl_response *response)
{
	struct bench_call *call = kl_container(request, struct bench_call, request);
	call->done++;
	call->code = response->code;
	call->version = response->version;
	call->maybe_applied = response->maybe_applied;
	call->has_body = response->body != NULL;
	call->at_ms = script_ms();
	if (response->err != NULL)
		call->err = *response->err;
}

void bench_call_init(struct bench_call *call)
{
	*call = (struct bench_call){.request = {
					    .api = KL_API_METADATA,
					    .max_version = -1,
					    .deadline = KL_NEVER,
					    .done = on_done,
				    }};
	kl_msg_init(&kl_msg_metadata_request, &call->metadata);
	call->metadata.topics_n = 0;
	call->request.body = &call->metadata;
}

bool bench_call_done(void *arg)
{
	return ((struct bench_call *)arg)->done > 0;
}
