/* SPDX-License-Identifier: BSD-2-Clause */
/* What a serializer must do: <klamm/serializer.h>. */
#include <stdlib.h>

#include "kit/inside.h"

#define NO_LIMIT (SIZE_MAX / 4)
#define TEXT(s) {.type = KLAMM_VALUE_STRING, .as.bytes = {"" s, sizeof(s) - 1}}
#define BYTES(s) {.type = KLAMM_VALUE_BYTES, .as.bytes = {"" s, sizeof(s) - 1}}
#define INT(v) {.type = KLAMM_VALUE_INT, .as.integer = (v)}

static const struct klamm_value items[] = {INT(1), TEXT("two"), {.type = KLAMM_VALUE_NULL}};
static const struct klamm_entry entries[] = {
	{TEXT("list"), {.type = KLAMM_VALUE_LIST, .as.list = {items, 3}}},
	{TEXT("empty"), TEXT("")},
};
static const struct klamm_value samples[] = {
	BYTES(""),
	TEXT(""),
	BYTES("\0\xff\x80"),
	TEXT("text"),
	TEXT("\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80 \"\\\n"),
	INT(0),
	INT(-1),
	INT(INT64_MAX),
	INT(INT64_MIN),
	{.type = KLAMM_VALUE_DOUBLE, .as.real = 0.1},
	{.type = KLAMM_VALUE_DOUBLE, .as.real = -1e300},
	{.type = KLAMM_VALUE_BOOL, .as.boolean = 1},
	{.type = KLAMM_VALUE_UUID, .as.uuid = {{1, 2, 3, 4, 5, 6, 7, 8}}},
	{.type = KLAMM_VALUE_LIST, .as.list = {items, 3}},
	{.type = KLAMM_VALUE_LIST, .as.list = {NULL, 0}},
	{.type = KLAMM_VALUE_MAP, .as.map = {entries, 2}},
};
static const char *const type_names[] = {"null", "bytes", "string", "int",  "double",
					 "bool", "uuid",  "list",   "map", "native"};

static const char *name_of(const struct klamm_value *v)
{
	bool is_empty = (v->type == KLAMM_VALUE_BYTES || v->type == KLAMM_VALUE_STRING) &&
			v->as.bytes.len == 0;
	if (is_empty)
		return v->type == KLAMM_VALUE_BYTES ? "empty bytes" : "an empty string";
	return v->type >= 0 && v->type < (int32_t)kl_countof(type_names) ? type_names[v->type]
									 : "(unknown)";
}

/* The instances that a producer and a consumer have, and what both need. */
struct pair {
	struct kl_instance encoder, decoder;
	struct kit_out out, again;
	struct kl_lent_arena arena;
	struct klamm_serializer_ctx ctx;
	struct kit_guard guard;
};

static const int32_t never;

static int add_header(struct klamm_headers_out *headers, const struct klamm_header *header)
{
	return 0;
}

#define GUARD_MAX ((size_t)64 << 10)

static const char *set_up(struct kit *k, struct pair *p)
{
	kit_out_init(&p->out, NO_LIMIT);
	kit_out_init(&p->again, NO_LIMIT);
	kl_lent_arena_init(&p->arena, 0, NULL);
	p->ctx = (struct klamm_serializer_ctx){
		.size = sizeof(p->ctx),
		.topic = "klamm-kit",
		.call = {.size = sizeof(p->ctx.call), .wait_ms = 1000, .cancelled = &never},
	};
	if (!kit_guard_init(&p->guard, GUARD_MAX))
		return kit_say(k, "the kit is out of memory");
	const char *text = kit_open(k, "value.serializer", &p->encoder);
	return text != NULL ? text : kit_open(k, "value.deserializer", &p->decoder);
}

static void tear_down(struct kit *k, struct pair *p)
{
	kit_close(k, &p->encoder);
	kit_close(k, &p->decoder);
	kit_out_free(&p->out);
	kit_out_free(&p->again);
	kl_lent_arena_free(&p->arena);
	kit_guard_free(&p->guard);
}

static int encode(struct kit *k, struct pair *p, const struct klamm_value *v,
		  struct kit_out *out)
{
	struct klamm_headers_out headers = {.add = add_header};
	kit_out_clear(out);
	kit_step(k, "encode() of %s", name_of(v));
	return k->plugin->serializer.encode(p->encoder.self, &p->ctx, v, &out->out, &headers,
					    &k->err);
}

static int decode(struct kit *k, struct pair *p, const void *data, size_t n,
		  struct klamm_value *v_out)
{
	struct klamm_span in = {data, n};
	*v_out = (struct klamm_value){.type = -1};
	kit_step(k, "decode() of %zu bytes", n);
	return k->plugin->serializer.decode(p->decoder.self, &p->ctx, &in, &p->arena.lent,
					    v_out, &k->err);
}

/* Reads all of a decoded value, so that a pointer into nowhere shows. */
static const char *read_through(struct kit *k, const struct klamm_value *v, int depth,
				uint32_t *sum)
{
	const char *text = NULL;
	if (depth > KLAMM_VALUE_DEPTH_MAX)
		return kit_say(k, "decode() nests deeper than %d", KLAMM_VALUE_DEPTH_MAX);
	switch (v->type) {
	case KLAMM_VALUE_BYTES:
	case KLAMM_VALUE_STRING:
		for (size_t i = 0; i < v->as.bytes.len; i++)
			*sum += ((const uint8_t *)v->as.bytes.data)[i];
		return NULL;
	case KLAMM_VALUE_LIST:
		for (size_t i = 0; text == NULL && i < v->as.list.count; i++)
			text = read_through(k, &v->as.list.items[i], depth + 1, sum);
		return text;
	case KLAMM_VALUE_MAP:
		for (size_t i = 0; text == NULL && i < v->as.map.count; i++) {
			text = read_through(k, &v->as.map.entries[i].key, depth + 1, sum);
			if (text == NULL)
				text = read_through(k, &v->as.map.entries[i].value,
						    depth + 1, sum);
		}
		return text;
	default:
		if (v->type < KLAMM_VALUE_NULL || v->type > KLAMM_VALUE_NATIVE)
			return kit_say(k, "decode() succeeds with a value of type %d",
				       v->type);
		return NULL;
	}
}

/* --- round trips --- */

/* What was decoded and is encoded once more is the same bytes: whatever the format calls its
 * types, nothing is lost on the way. */
static const char *trip(struct kit *k, struct pair *p, const struct klamm_value *v,
			bool *known)
{
	static const int codes[] = {KLAMM_ERR_SERIALIZE, 0};
	struct klamm_value back;
	uint32_t sum = 0;
	int rc = encode(k, p, v, &p->out);
	const char *text = kit_out_check(k, &p->out, "encode()");
	*known = rc == 0;
	if (text != NULL || rc != 0)
		return text != NULL ? text : kit_refused(k, rc, codes);
	if (p->out.out.len > GUARD_MAX)
		return kit_say(k, "encode() of %s writes %zu bytes", name_of(v),
			       p->out.out.len);
	const void *data = kit_guard_put(&p->guard, p->out.out.data, p->out.out.len);
	rc = decode(k, p, data, p->out.out.len, &back);
	if (rc != 0)
		return kit_say(
			k,
			"round trip: decode() of what encode() made of %s fails with %s: "
			"%s",
			name_of(v), klamm_err_name(rc), k->err.text);
	text = read_through(k, &back, 0, &sum);
	if (text != NULL)
		return text;
	rc = encode(k, p, &back, &p->again);
	if (rc != 0)
		return kit_say(
			k, "round trip: %s comes back as %s, which encode() refuses: %s",
			name_of(v), name_of(&back), k->err.text);
	if (p->out.out.len != p->again.out.len ||
	    (p->out.out.len > 0 &&
	     memcmp(p->out.out.data, p->again.out.data, p->out.out.len) != 0))
		return kit_say(k, "round trip: %s comes back as another value (%s)",
			       name_of(v), name_of(&back));
	return NULL;
}

const char *kit_serializer_trips(struct kit *k)
{
	struct pair p;
	unsigned count = 0;
	const char *text = set_up(k, &p);
	for (size_t i = 0; text == NULL && i < kl_countof(samples); i++) {
		bool known;
		text = trip(k, &p, &samples[i], &known);
		count += known;
	}
	if (text == NULL && count == 0)
		return kit_skip(k, "it knows none of the kit's values");
	if (text == NULL)
		tear_down(k, &p);
	return text;
}

const char *kit_serializer_use(struct kit *k, struct kl_instance *instance)
{
	struct pair p = {.ctx = {.size = sizeof(p.ctx), .topic = "klamm-kit",
				 .call = {.size = sizeof(p.ctx.call), .cancelled = &never}}};
	kit_out_init(&p.out, NO_LIMIT);
	kl_lent_arena_init(&p.arena, 0, NULL);
	p.encoder = p.decoder = *instance;
	const char *text = NULL;
	for (size_t i = 0; text == NULL && i < kl_countof(samples); i++) {
		struct klamm_value back;
		if (encode(k, &p, &samples[i], &p.out) == 0)
			decode(k, &p, p.out.out.data, p.out.out.len, &back);
		text = kit_out_check(k, &p.out, "encode()");
	}
	kit_out_free(&p.out);
	kl_lent_arena_free(&p.arena);
	return text;
}

/* --- null and empty --- */

static const char *empty_stays(struct kit *k, struct pair *p, const struct klamm_value *v)
{
	struct klamm_value back;
	if (encode(k, p, v, &p->out) != 0)
		return NULL;
	if (p->out.out.flags & KLAMM_OUT_NULL)
		return kit_say(k, "null is not empty: encode() writes %s as null", name_of(v));
	if (decode(k, p, p->out.out.data != NULL ? p->out.out.data : (void *)"",
		   p->out.out.len, &back) == 0 && back.type == KLAMM_VALUE_NULL)
		return kit_say(k, "null is not empty: decode() reads %s as null", name_of(v));
	return NULL;
}

static const char *null_stays(struct kit *k, struct pair *p)
{
	static const struct klamm_value null = {.type = KLAMM_VALUE_NULL};
	struct klamm_value back;
	if (!(k->plugin->serializer.flags & KLAMM_SERIALIZER_TAKES_NULL))
		return NULL;
	int rc = encode(k, p, &null, &p->out);
	if (rc == 0 && !(p->out.out.flags & KLAMM_OUT_NULL) && p->out.out.len == 0)
		return kit_say(k, "null is not empty: encode() writes null as no bytes");
	bool is_null = rc == 0 && p->out.out.flags & KLAMM_OUT_NULL;
	if (is_null)
		rc = decode(k, p, NULL, 0, &back);
	else if (rc == 0)
		rc = decode(k, p, p->out.out.data, p->out.out.len, &back);
	else
		return NULL;
	if (rc != 0 || back.type != KLAMM_VALUE_NULL)
		return kit_say(k, "null is not empty: null comes back as %s",
			       rc != 0 ? k->err.text : name_of(&back));
	return NULL;
}

const char *kit_serializer_nulls(struct kit *k)
{
	struct pair p;
	struct klamm_value back;
	const char *text = set_up(k, &p);
	if (text == NULL)
		text = empty_stays(k, &p, &samples[0]);
	if (text == NULL)
		text = empty_stays(k, &p, &samples[1]);
	if (text == NULL && decode(k, &p, "", 0, &back) == 0 && back.type == KLAMM_VALUE_NULL)
		text = kit_say(k, "null is not empty: decode() reads no bytes as null");
	if (text == NULL)
		text = null_stays(k, &p);
	if (text == NULL)
		tear_down(k, &p);
	return text;
}

/* --- limits and damage --- */

const char *kit_serializer_output(struct kit *k)
{
	static const int codes[] = {KLAMM_ERR_LIMIT, KLAMM_ERR_SERIALIZE, 0};
	struct pair p;
	const char *text = set_up(k, &p);
	for (size_t i = 0; text == NULL && i < kl_countof(samples); i++) {
		int rc = encode(k, &p, &samples[i], &p.again);
		size_t n = p.again.out.len;
		for (size_t limit = 0; rc == 0 && text == NULL && limit < n; limit++) {
			kit_out_free(&p.out);
			kit_out_init(&p.out, limit);
			int answer = encode(k, &p, &samples[i], &p.out);
			text = kit_out_check(k, &p.out, "encode()");
			if (text == NULL && answer == 0)
				text = kit_say(k,
					       "encode() of %s, %zu bytes, succeeds with a "
					       "limit of "
					       "%zu",
					       name_of(&samples[i]), n, limit);
			if (text == NULL)
				text = kit_refused(k, answer, codes);
		}
	}
	if (text == NULL)
		tear_down(k, &p);
	return text;
}

static const char *take_damaged(struct kit *k, struct pair *p, const void *data, size_t n)
{
	static const int codes[] = {KLAMM_ERR_DESERIALIZE, KLAMM_ERR_NO_MEMORY,
				    KLAMM_ERR_LIMIT, 0};
	struct klamm_value back;
	uint32_t sum = 0;
	int rc = decode(k, p, kit_guard_put(&p->guard, data, n), n, &back);
	const char *text =
		rc == 0 ? read_through(k, &back, 0, &sum) : kit_refused(k, rc, codes);
	kl_lent_arena_free(&p->arena);
	kl_lent_arena_init(&p->arena, 0, NULL);
	return text;
}

/* Deeper than values may be, and a type that only a later klamm has. */
static const char *take_strange(struct kit *k, struct pair *p)
{
	static const int codes[] = {KLAMM_ERR_SERIALIZE, KLAMM_ERR_LIMIT, 0};
	static struct klamm_value deep[2000];
	struct klamm_value later = {.type = 99};
	for (size_t i = 0; i < kl_countof(deep); i++)
		deep[i] = (struct klamm_value){
			.type = KLAMM_VALUE_LIST,
			.as.list = {&deep[i + 1], i + 1 < kl_countof(deep)}};
	int rc = encode(k, p, &later, &p->out);
	const char *text =
		rc == 0 ? kit_say(k, "encode() of a type that it cannot know succeeds")
			: kit_refused(k, rc, codes);
	if (text != NULL)
		return text;
	rc = encode(k, p, &deep[0], &p->out);
	return rc == 0 ? kit_say(k, "encode() of lists %zu deep succeeds; %d are allowed",
				 kl_countof(deep), KLAMM_VALUE_DEPTH_MAX)
		       : kit_refused(k, rc, codes);
}

const char *kit_serializer_damage(struct kit *k)
{
	struct pair p;
	uint32_t seed = 5;
	const char *text = set_up(k, &p);
	for (size_t i = 0; text == NULL && i < kl_countof(samples); i++) {
		if (encode(k, &p, &samples[i], &p.out) != 0)
			continue;
		uint8_t *data = p.out.out.data;
		size_t n = p.out.out.len;
		for (size_t cut = 0; text == NULL && cut < n; cut++)
			text = take_damaged(k, &p, data, cut);
		for (size_t bit = 0; text == NULL && bit < n * 8; bit++) {
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			text = take_damaged(k, &p, data, n);
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	for (int round = 0; text == NULL && round < 2000; round++) {
		uint8_t noise[200];
		size_t len = kit_random(&seed) % sizeof(noise);
		for (size_t i = 0; i < len; i++)
			noise[i] = (uint8_t)kit_random(&seed);
		text = take_damaged(k, &p, noise, len);
	}
	if (text == NULL)
		text = take_strange(k, &p);
	if (text == NULL)
		tear_down(k, &p);
	return text;
}

/* --- threads --- */

static const char *trip_at_once(struct kit *k, void *arg, int thread)
{
	struct pair *shared = arg, mine = *shared;
	kit_out_init(&mine.out, NO_LIMIT);
	kit_out_init(&mine.again, NO_LIMIT);
	kl_lent_arena_init(&mine.arena, 0, NULL);
	if (!kit_guard_init(&mine.guard, GUARD_MAX))
		return kit_say(k, "the kit is out of memory");
	const char *text = NULL;
	for (size_t i = 0; text == NULL && i < 400; i++) {
		bool known;
		text = trip(k, &mine,
			    &samples[(i * 7 + (size_t)thread * 3) % kl_countof(samples)],
			    &known);
	}
	kit_out_free(&mine.out);
	kit_out_free(&mine.again);
	kl_lent_arena_free(&mine.arena);
	kit_guard_free(&mine.guard);
	return text == NULL ? NULL
			    : kit_say(k,
				      "concurrent calls on one self disturb each other (or "
				      "is it "
				      "SERIAL?): %s",
				      text);
}

const char *kit_serializer_together(struct kit *k)
{
	struct pair p;
	if (k->plugin->serializer.flags & KLAMM_SERIALIZER_SERIAL)
		return kit_skip(k, "it is SERIAL");
	const char *text = set_up(k, &p);
	if (text == NULL)
		text = kit_together(k, trip_at_once, &p);
	if (text == NULL)
		tear_down(k, &p);
	return text;
}
