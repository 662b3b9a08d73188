/* SPDX-License-Identifier: BSD-2-Clause */
/* Where a decompressor that works in steps puts its next bytes, without ever taking memory
 * for more than its limit. One thread. */
#ifndef PLUGINS_ROOM_H
#define PLUGINS_ROOM_H

#include <klamm/codec.h>

/* Packed bytes tend to hold this many times as much; from there on the room doubles. */
#define ROOM_GUESS 4
#define ROOM_MIN 4096

struct room {
	struct klamm_out *out;
	size_t begin, limit; /* what this call may add, and from where */
	uint8_t *p;          /* the next n bytes go here */
	size_t n;
	/* With the limit reached there is one byte more than allowed: the stream may still
	 * end, but if this byte gets written it holds too much. */
	uint8_t spare;
	bool is_full;
};

static inline struct room room(struct klamm_out *out, size_t limit)
{
	return (struct room){.out = out, .begin = out->len, .limit = limit};
}

/* At least one byte of room, about `hint` at first; p is good until the next call. */
static inline int room_next(struct room *r, size_t hint, struct klamm_error *err)
{
	size_t used = r->out->len - r->begin, left = r->limit - used;
	r->is_full = left == 0;
	if (r->is_full) {
		r->p = &r->spare;
		r->n = 1;
		return 0;
	}
	size_t want = used > hint ? used : hint;
	if (want < ROOM_MIN)
		want = ROOM_MIN;
	if (want > left)
		want = left;
	r->p = klamm_out_reserve(r->out, want);
	r->n = want;
	return r->p != NULL ? 0 : klamm_out_error(r->out, want, err);
}

static inline int room_overflows(const struct room *r, struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_LIMIT, "the batch unpacks to more than %zu bytes",
			  r->limit);
}

/* Is there no more to be had than the n bytes at p? */
static inline bool room_is_last(const struct room *r)
{
	return r->is_full || r->n == r->limit - (r->out->len - r->begin);
}

/* n bytes were written at p. */
static inline int room_wrote(struct room *r, size_t n, struct klamm_error *err)
{
	if (r->is_full && n > 0)
		return room_overflows(r, err);
	r->out->len += n;
	return 0;
}

#endif
