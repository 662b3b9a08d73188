/* SPDX-License-Identifier: BSD-2-Clause */
/* Made-up messages for tests: of every shape that a version can carry. */
#include "core/base/error.h"
#include "core/proto/engine.h"

struct gen {
	int version;
	bool flexible;
	uint64_t state;
	struct kl_arena *arena;
	unsigned budget; /* structs that may still be made: a deep message stays small */
};

static bool fill_struct(struct gen *g, const struct kl_type *type, void *obj);

/* splitmix64: every seed is as good as another. */
static uint64_t next(struct gen *g)
{
	uint64_t z = g->state += 0x9e3779b97f4a7c15;
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static uint32_t below(struct gen *g, uint32_t n)
{
	return (uint32_t)(next(g) >> 32) % n;
}

/* Mostly short; now and then beyond 127, where a compact length takes a second byte. */
static uint32_t length(struct gen *g)
{
	switch (below(g, 16)) {
	case 0:
		return 120 + below(g, 200);
	case 1:
	case 2:
		return 0;
	default:
		return 1 + below(g, 12);
	}
}

static bool fill_bytes(struct gen *g, struct kl_bytes *to)
{
	uint32_t n = length(g);
	uint8_t *p = kl_arena_alloc(g->arena, n);
	if (p == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++)
		p[i] = (uint8_t)next(g);
	*to = (struct kl_bytes){p, (int32_t)n};
	return true;
}

static bool fill_string(struct gen *g, struct kl_str *to)
{
	static const char *const pieces[] = {
		"a",  "Z",  "0",  ".",    "-",      "_",      " ",
		"\"", "\\", "\n", "\x01", "\u00e4", "\u20ac", "\U0001f680",
	};
	uint32_t n = length(g), len = 0;
	char *p = kl_arena_alloc(g->arena, (size_t)n * 4);
	if (p == NULL)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		const char *piece = pieces[below(g, kl_countof(pieces))];
		memcpy(p + len, piece, strlen(piece));
		len += (uint32_t)strlen(piece);
	}
	/* A peer may send anything: sometimes it is not UTF-8. */
	if (n > 0 && below(g, 24) == 0)
		p[0] = (char)0xff;
	*to = (struct kl_str){p, (int32_t)len};
	return true;
}

static void fill_double(struct gen *g, uint8_t *p)
{
	/* NaN, another one, the infinities, the negative zero */
	static const uint64_t odd[] = {KL_NAN_BITS, KL_NAN_BITS | 1, UINT64_C(0x7ff) << 52,
				       UINT64_C(0xfff) << 52, UINT64_C(1) << 63};
	double v = (double)(int64_t)next(g) / 4096;
	if (below(g, 4) == 0)
		memcpy(&v, &odd[below(g, kl_countof(odd))], sizeof(v));
	memcpy(p, &v, sizeof(v));
}

static bool fill_value(struct gen *g, const struct kl_field *field, uint8_t *p)
{
	switch (field->type) {
	case KL_BOOL:
		*(bool *)p = below(g, 2);
		return true;
	case KL_FLOAT64:
		fill_double(g, p);
		return true;
	case KL_UUID:
		for (size_t i = 0; i < sizeof(struct klamm_uuid); i++)
			p[i] = (uint8_t)next(g);
		return true;
	case KL_STRING:
		return fill_string(g, (struct kl_str *)p);
	case KL_BYTES:
	case KL_RECORDS:
		return fill_bytes(g, (struct kl_bytes *)p);
	case KL_STRUCT:
		return fill_struct(g, field->sub, p);
	default:
		/* Small numbers and the whole range alike. */
		kl_field_set_number(field, p,
				    below(g, 2) ? (int64_t)next(g) : (int64_t)below(g, 200));
		return true;
	}
}

static bool fill_array(struct gen *g, const struct kl_field *field, uint8_t *obj)
{
	uint32_t n = below(g, 4);
	if (field->type == KL_STRUCT)
		n = kl_min(n, g->budget);
	size_t size = kl_field_size(field);
	uint8_t *p = kl_arena_array(g->arena, n, size);
	if (p == NULL)
		return false;
	*(uint8_t **)(obj + field->offset) = p;
	*kl_field_count(field, obj) = (int32_t)n;
	for (; n > 0; n--, p += size)
		if (!fill_value(g, field, p))
			return false;
	return true;
}

static void make_null(const struct kl_field *field, uint8_t *obj)
{
	uint8_t *p = obj + field->offset;
	if (kl_field_is_array(field))
		*kl_field_count(field, obj) = -1;
	else if (field->type == KL_STRING)
		*(struct kl_str *)p = KL_STR_NULL;
	else if (field->type == KL_STRUCT)
		*(void **)p = NULL;
	else
		*(struct kl_bytes *)p = KL_BYTES_NULL;
}

static bool fill_field(struct gen *g, const struct kl_field *field, uint8_t *obj)
{
	if (kl_field_may_be_null(field, g->version) && below(g, 4) == 0) {
		make_null(field, obj);
		return true;
	}
	if (kl_field_is_array(field))
		return fill_array(g, field, obj);
	uint8_t *p = obj + field->offset;
	if (!(field->flags & KL_FIELD_POINTER))
		return fill_value(g, field, p);
	void *sub = kl_arena_alloc(g->arena, field->sub->size);
	*(void **)p = sub;
	return sub != NULL && fill_struct(g, field->sub, sub);
}

static bool fill_tags(struct gen *g, const struct kl_type *type, uint8_t *obj)
{
	uint32_t n = 1 + below(g, 3);
	struct kl_tags *tags =
		kl_arena_alloc(g->arena, sizeof(*tags) + n * sizeof(tags->list[0]));
	if (tags == NULL)
		return false;
	*(struct kl_tags **)(obj + type->tags_offset) = tags;
	/* Beyond the known ones, the later ones far beyond. */
	uint32_t tag = type->tag_count + below(g, 100);
	for (; n > 0; n--, tag += 1 + below(g, 100000)) {
		struct kl_tag *to = &tags->list[tags->n++];
		to->tag = tag;
		if (!fill_bytes(g, &to->data))
			return false;
	}
	return true;
}

/* obj is zeroed. */
static bool fill_struct(struct gen *g, const struct kl_type *type, void *obj)
{
	g->budget -= g->budget > 0;
	for (unsigned i = 0; i < type->field_count; i++) {
		const struct kl_field *field = &type->fields[i];
		if (!kl_field_fill(field, g->arena, obj))
			return false;
		/* A tagged field at its default is left out, which has to be tried too. */
		if (!kl_field_in(field, g->version) || (field->tag >= 0 && below(g, 3) == 0))
			continue;
		if (!fill_field(g, field, obj))
			return false;
	}
	return !g->flexible || below(g, 4) != 0 || fill_tags(g, type, obj);
}

int kl_msg_random(const struct kl_msg *msg, int version, uint64_t seed,
		  struct kl_arena *arena, void **obj_out, struct klamm_error *err)
{
	struct gen g = {
		.version = version,
		.flexible = kl_msg_flexible(msg, version),
		.state = seed,
		.arena = arena,
		.budget = 60,
	};
	void *obj = kl_arena_alloc(arena, msg->type->size);
	if (obj == NULL || !fill_struct(&g, msg->type, obj))
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "no memory to make up %s",
				msg->name);
	*obj_out = obj;
	return 0;
}
