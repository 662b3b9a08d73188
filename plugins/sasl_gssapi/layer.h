/* SPDX-License-Identifier: BSD-2-Clause */
/* What RFC 4752 puts into the last two messages, once they are unwrapped: which layers
 * of protection the server offers, and which one the client takes. Kafka has none: its
 * connections are protected by TLS or not at all. Pure functions, any thread. */
#ifndef GSSAPI_LAYER_H
#define GSSAPI_LAYER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of the first byte. */
#define KL_GSS_LAYER_NONE      1u
#define KL_GSS_LAYER_INTEGRITY 2u
#define KL_GSS_LAYER_PRIVACY   4u

#define KL_GSS_LAYER_SIZE 4
/* Longer names are no Kerberos principal's. */
#define KL_GSS_AUTHZID_MAX 1024

struct kl_gss_layer {
	uint8_t layers;       /* KL_GSS_LAYER_... */
	uint32_t size_max;    /* of what the sender takes wrapped, 24 bits */
	const char *authzid;  /* an answer's, not ended by a NUL; in the message */
	size_t authzid_len;
};

/* The server's offer. NULL: it is one that Kafka's clients can take; else what is wrong
 * with it. */
const char *kl_gss_layer_read_offer(const uint8_t *p, size_t n,
				    struct kl_gss_layer *offer_out);
/* The client's answer to an offer of no layer. Likewise. */
const char *kl_gss_layer_read_answer(const uint8_t *p, size_t n,
				     struct kl_gss_layer *answer_out);

/* No layer, and so no size: an offer, or an answer up to its authzid. */
void kl_gss_layer_write(uint8_t to[static KL_GSS_LAYER_SIZE]);

#endif
