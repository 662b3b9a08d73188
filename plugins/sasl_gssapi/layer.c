/* SPDX-License-Identifier: BSD-2-Clause */
#include "layer.h"

#include <string.h>

static void read_head(const uint8_t *p, struct kl_gss_layer *layer_out)
{
	*layer_out = (struct kl_gss_layer){
		.layers = p[0],
		.size_max = (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3],
	};
}

/* Java's servers name a size although they offer no layer; nobody will ever use it. */
const char *kl_gss_layer_read_offer(const uint8_t *p, size_t n,
				    struct kl_gss_layer *offer_out)
{
	if (n < KL_GSS_LAYER_SIZE)
		return "its offer of security layers is too short";
	if (n > KL_GSS_LAYER_SIZE)
		return "its offer of security layers is too long";
	read_head(p, offer_out);
	if (offer_out->layers & KL_GSS_LAYER_NONE)
		return NULL;
	return "it insists on a security layer of GSSAPI's, which Kafka's protocol does "
	       "not have";
}

const char *kl_gss_layer_read_answer(const uint8_t *p, size_t n,
				     struct kl_gss_layer *answer_out)
{
	if (n < KL_GSS_LAYER_SIZE)
		return "its choice of a security layer is too short";
	if (n > KL_GSS_LAYER_SIZE + KL_GSS_AUTHZID_MAX)
		return "its choice of a security layer is too long";
	read_head(p, answer_out);
	answer_out->authzid = (const char *)p + KL_GSS_LAYER_SIZE;
	answer_out->authzid_len = n - KL_GSS_LAYER_SIZE;
	if (answer_out->layers != KL_GSS_LAYER_NONE)
		return "it chooses a security layer that was not offered";
	if (memchr(answer_out->authzid, '\0', answer_out->authzid_len) != NULL)
		return "the name it wants to act for has a NUL in it";
	return NULL;
}

void kl_gss_layer_write(uint8_t to[static KL_GSS_LAYER_SIZE])
{
	memcpy(to, (const uint8_t[]){KL_GSS_LAYER_NONE, 0, 0, 0}, KL_GSS_LAYER_SIZE);
}
