/* SPDX-License-Identifier: BSD-2-Clause */
/* A mechanism whose server half is never done. */
#include <klamm/sasl.h>

static char nothing;

static int begin(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		 struct klamm_error *err)
{
	*session_out = &nothing;
	return 0;
}

static int begin_server(void *self, const struct klamm_sasl_peer *peer,
			const struct klamm_sasl_server *server, void **session_out,
			struct klamm_error *err)
{
	return begin(self, peer, session_out, err);
}

static int step(void *session, const struct klamm_call *call,
		const struct klamm_span *in, struct klamm_out *out, int32_t *state_out,
		struct klamm_error *err)
{
	if (call->wait_ms < 0)
		return klamm_fail(err, KLAMM_ERR_INVALID_ARGUMENT, "it may take forever");
	*state_out = KLAMM_SASL_SEND;
	return klamm_out_append(out, "more", 4);
}

static void end(void *session)
{
}

KLAMM_PLUGIN(sasl, endless) = {
	.head = {KLAMM_PLUGIN_HEAD(sasl, "endless", "for a test")},
	.mechanism = "ENDLESS",
	.session_new = begin,
	.step = step,
	.session_free = end,
	.accept_new = begin_server,
	.accept_step = step,
};
