/* SPDX-License-Identifier: BSD-2-Clause */
/* Key and value through the serializers that the configuration names. Any thread. */
#ifndef KL_SERIALIZE_H
#define KL_SERIALIZE_H

#include "core/producer/producer.h"

/* A record's bytes, and the headers with those that a serializer added. */
struct kl_serialized {
	struct klamm_span key, value;
	const struct klamm_header *headers;
	size_t header_count;
	struct kl_sink key_out, value_out;
	struct kl_added_headers *added; /* NULL: the record's own */
};

int kl_serialize(struct klamm_producer *p, const struct klamm_topic *topic,
		 const struct klamm_record *record, struct kl_serialized *serialized_out,
		 struct klamm_error *err);
/* Also after kl_serialize() failed. */
void kl_serialized_free(struct kl_serialized *serialized);

#endif
