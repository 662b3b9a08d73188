/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/broker/probe.h"

#include <stdlib.h>
#include <unistd.h>

struct probe probe;

static int probe_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		     struct klamm_error *err)
{
	probe.made++;
	probe.flags = (int)peer->flags;
	ck_assert_str_eq(peer->host, "127.0.0.1");
	*session_out = calloc(1, sizeof(int));
	return 0;
}

static int probe_step(void *session, const struct klamm_call *call,
		      const struct klamm_span *in, struct klamm_out *out,
		      int32_t *state_out, struct klamm_error *err)
{
	int *n = session;
	probe.stepped++;
	while (probe.hang && !klamm_cancelled(call))
		usleep(1000);
	if (probe.fail_code != 0)
		return klamm_fail(err, probe.fail_code, "the probe fails");
	if ((*n == 0) != (in->data == NULL))
		return klamm_fail(err, KLAMM_ERR_STATE, "no bytes where some belong");
	if ((*n)++ < probe.steps) {
		*state_out = KLAMM_SASL_SEND;
		return klamm_out_append(out, "probe", 5);
	}
	*state_out = *n == probe.steps + 1 ? probe.last : KLAMM_SASL_DONE;
	return 0;
}

static void probe_free(void *session)
{
	probe.freed++;
	free(session);
}

static int64_t probe_lifetime(void *session)
{
	return probe.lifetime_ms;
}

static const struct klamm_sasl_plugin probe_plugin = {
	.head = {KLAMM_PLUGIN_HEAD(sasl, "probe", "for this test")},
	.mechanism = "PROBE",
	.session_new = probe_new,
	.step = probe_step,
	.session_free = probe_free,
	.session_lifetime = probe_lifetime,
};

static const struct klamm_sasl_plugin gssapi_plugin = {
	.head = {KLAMM_PLUGIN_HEAD(sasl, "gssapi", "for this test")},
	.mechanism = "GSSAPI",
	.session_new = probe_new,
	.step = probe_step,
	.session_free = probe_free,
};

void probe_up(void)
{
	auth_up();
	probe.steps = 1;
	probe.last = KLAMM_SASL_DONE;
	probe.lifetime_ms = -1;
	bench_script.handle = NULL;
	auth_offer(&probe_plugin);
	auth_offer(&gssapi_plugin);
	bench_set("sasl.mechanism=probe", NULL);
}

void probe_down(void)
{
	auth_down(); /* waits for what runs on the pool */
	ck_assert_int_eq(probe.made, probe.freed);
}
