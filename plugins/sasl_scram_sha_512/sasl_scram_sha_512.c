/* SPDX-License-Identifier: BSD-2-Clause */
/* SCRAM-SHA-512: a proof of the password, and one of the broker's, without the
 * password. */
#include "plugins/common/scram_client.h"
#include "plugins/common/scram_server.h"

static const struct scram_hash hash = {"SCRAM-SHA-512", EVP_sha512, 64};

static int open_with_hash(const struct klamm_host *host, const void *conf,
			  void **self_out, struct klamm_error *err)
{
	return scram_open(&hash, host, conf, self_out, err);
}

KLAMM_PLUGIN(sasl, scram_sha_512) = {
	.head =
		{
			KLAMM_PLUGIN_HEAD(
				sasl, "scram_sha_512",
				"SCRAM-SHA-512: proofs, and no password on the way"),
			.options = scram_options,
			.option_size = sizeof(scram_options[0]),
			.conf_size = sizeof(struct scram_conf),
			.open = open_with_hash,
			.close = scram_close,
		},
	.mechanism = "SCRAM-SHA-512",
	.session_new = scram_new,
	.step = scram_step,
	.session_free = scram_session_free,
	.accept_new = scram_accept,
	.accept_step = scram_accept_step,
};
