/* SPDX-License-Identifier: BSD-2-Clause */
/* Records whose every byte follows from their number. */
#include "tests/sim/records.h"

#define MARK UINT64_C(0x6b6c616d6d726563) /* what a value begins with, mixed with its number */
#define KEYS 50

static uint64_t mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

static size_t value_size(const struct records *r, uint64_t id)
{
	return 16 + mix(id + 1) % (r->plan.size_max + 1);
}

static uint8_t filler(uint64_t id, size_t i)
{
	return (uint8_t)(id + i * 13);
}

static bool has_key(uint64_t id)
{
	return id % 3 == 0;
}

/* Messages have no place for them. */
static bool has_header(const struct records *r, uint64_t id)
{
	return id % 7 == 0 && r->plan.age == RECORDS_MODERN;
}

void records_fill(struct records *r, uint64_t id, struct records_payload *payload,
		  struct klamm_record *record)
{
	size_t n = value_size(r, id);
	kl_store_u64(payload->value, id);
	kl_store_u64(payload->value + 8, id ^ MARK);
	for (size_t i = 16; i < n; i++)
		payload->value[i] = filler(id, i);
	kl_store_u64(payload->key, id % KEYS);
	payload->header = (struct klamm_header){{"number", 6}, {payload->value, 8}};
	klamm_record_init(record);
	record->value = (struct klamm_span){payload->value, n};
	if (has_key(id))
		record->key = (struct klamm_span){payload->key, 8};
	else if (id % 3 == 1)
		record->partition = (int32_t)(mix(id) % r->plan.partitions);
	if (has_header(r, id)) {
		record->headers = &payload->header;
		record->header_count = 1;
	}
}

static bool is_key(const struct klamm_record_view *view, uint64_t id)
{
	if (!has_key(id))
		return view->key.data == NULL;
	return view->key.data != NULL && view->key.len == 8 &&
	       kl_load_u64(view->key.data) == id % KEYS;
}

static bool is_header(const struct records *r, const struct klamm_record_view *view,
		      uint64_t id)
{
	if (!has_header(r, id))
		return view->header_count == 0;
	struct klamm_header header;
	return view->header_count == 1 && klamm_record_header(view, 0, &header) == 0 &&
	       header.name.len == 6 && memcmp(header.name.data, "number", 6) == 0 &&
	       header.value.len == 8 && kl_load_u64(header.value.data) == id;
}

uint64_t records_recognize(struct records *r, const struct klamm_record_view *view)
{
	const uint8_t *p = view->value.data;
	if (p == NULL || view->value.len < 16)
		return HISTORY_ALIEN;
	uint64_t id = kl_load_u64(p);
	if (kl_load_u64(p + 8) != (id ^ MARK) || view->value.len != value_size(r, id) ||
	    !is_key(view, id) || !is_header(r, view, id))
		return HISTORY_ALIEN;
	for (size_t i = 16; i < view->value.len; i++)
		if (p[i] != filler(id, i))
			return HISTORY_ALIEN;
	return id;
}

void records_tamper(void *arg, const struct kl_sim_node *from, const struct kl_sim_node *to,
		    uint8_t *p, size_t n)
{
	struct records *r = arg;
	if (n < 64 || kl_sim_now(r->sim) > r->storm_end || kl_sim_below(r->sim, 40) != 0)
		return;
	for (size_t i = kl_sim_below(r->sim, n); i + 17 <= n; i++) {
		uint64_t id = kl_load_u64(p + i);
		if (id > r->plan.count || kl_load_u64(p + i + 8) != (id ^ MARK) ||
		    p[i + 16] != filler(id, 16) || value_size(r, id) <= 16)
			continue;
		p[i + 16] ^= 1u << kl_sim_below(r->sim, 8);
		r->damaged++;
		return;
	}
}
