/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the protocol: what must hold of every input, and changes by the tables,
 * so that what comes out is still a message. */
#include "core/proto/engine.h"
#include "tests/fuzz/fuzz.h"

/* Most bytes of arena per byte of input: see tests/unit/proto/test_damage.c. */
#define MEMORY_PER_BYTE 80
#define MEMORY_FREE     16384

uint64_t fuzz_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

size_t fuzz_replace(uint8_t *data, size_t size, size_t max, const void *p, size_t n)
{
	if (n > max || n == 0)
		return size;
	memcpy(data, p, n);
	return n;
}

/* --- what must hold --- */

static void check_memory(const struct kl_arena *arena, size_t n)
{
	fuzz_must(arena->total <= MEMORY_FREE + n * MEMORY_PER_BYTE);
}

static void check_error(int rc, const struct klamm_error *err, size_t memory)
{
	fuzz_must(err->code == rc && err->text[0] != '\0');
	fuzz_must(rc == KLAMM_ERR_PROTOCOL || rc == KLAMM_ERR_UNSUPPORTED ||
		  (rc == KLAMM_ERR_NO_MEMORY && memory != 0));
}

static bool same(const struct kl_buf *a, const struct kl_buf *b)
{
	return a->len == b->len &&
	       (a->len == 0 || memcmp(a->data, b->data, a->len) == 0);
}

static void check_again(const struct kl_msg *response, const struct kl_packet *packet)
{
	struct klamm_error err;
	struct kl_arena arena = {0};
	struct kl_buf json = {0}, bytes = {0}, json2 = {0}, bytes2 = {0};
	struct kl_packet again;
	kl_packet_json(packet, false, &json);
	fuzz_must(kl_packet_encode(packet, &bytes, &err) == 0);
	fuzz_must(kl_packet_decode(response, packet->version, bytes.data, bytes.len,
				   &arena, &again, &err) == 0);
	kl_packet_json(&again, false, &json2);
	fuzz_must(kl_packet_encode(&again, &bytes2, &err) == 0);
	fuzz_must(same(&json, &json2) && same(&bytes, &bytes2));
	kl_buf_clear(&json);
	kl_packet_json(packet, true, &json);
	fuzz_must(!json.failed);
	kl_buf_free(&json);
	kl_buf_free(&json2);
	kl_buf_free(&bytes);
	kl_buf_free(&bytes2);
	kl_arena_free(&arena);
}

/* A client reads responses in two steps. */
static void check_response(const struct kl_msg *response, int version, const uint8_t *p,
			   size_t n)
{
	struct klamm_error err = {0};
	struct kl_arena arena = {0};
	struct kl_reader reader = kl_reader(p, n);
	void *body;
	int32_t id;
	if (kl_frame_read_correlation(&reader, &id)) {
		int rc = kl_frame_read_response(response, version, &reader, &arena,
						&body, &err);
		fuzz_must(rc == 0 || rc == KLAMM_ERR_PROTOCOL);
	}
	kl_arena_free(&arena);
}

void fuzz_packet(const struct kl_msg *response, int version, const uint8_t *p, size_t n,
		 size_t memory)
{
	struct klamm_error err = {0};
	struct kl_arena arena = {.max = memory};
	struct kl_packet packet;
	int rc = kl_packet_decode(response, version, p, n, &arena, &packet, &err);
	check_memory(&arena, n);
	if (rc == 0)
		check_again(response, &packet);
	else
		check_error(rc, &err, memory);
	kl_arena_free(&arena);
	if (response != NULL)
		check_response(response, version, p, n);
}

void fuzz_message(const struct kl_msg *msg, int version, const uint8_t *p, size_t n,
		  size_t memory)
{
	struct klamm_error err = {0};
	struct kl_arena arena = {.max = memory};
	struct kl_reader reader = kl_reader(p, n);
	struct kl_buf json = {0}, bytes = {0}, json2 = {0};
	void *obj;
	int rc = kl_msg_decode(msg, version, &reader, &arena, &obj, &err);
	check_memory(&arena, n);
	if (rc != 0) {
		check_error(rc, &err, memory);
	} else {
		kl_msg_json(msg, version, obj, &json);
		fuzz_must(kl_msg_encode(msg, version, obj, &bytes, &err) == 0);
		arena.max = 0;
		reader = kl_reader(bytes.data, bytes.len);
		fuzz_must(kl_msg_decode(msg, version, &reader, &arena, &obj, &err) ==
			  0);
		kl_msg_json(msg, version, obj, &json2);
		fuzz_must(same(&json, &json2));
	}
	kl_buf_free(&json);
	kl_buf_free(&json2);
	kl_buf_free(&bytes);
	kl_arena_free(&arena);
}

/* --- making up --- */

bool fuzz_random_packet(const struct kl_msg *msg, int version, uint64_t *state,
			struct kl_buf *to)
{
	struct kl_arena arena = {0};
	struct kl_packet packet = {.msg = msg, .version = version};
	packet.header_msg = kl_frame_header_of(msg, version, &packet.header_version);
	bool ok = kl_msg_random(packet.header_msg, packet.header_version,
				fuzz_next(state), &arena, &packet.header, NULL) == 0 &&
		  kl_msg_random(msg, version, fuzz_next(state), &arena, &packet.body,
				NULL) == 0;
	if (ok && msg->kind == KL_MSG_REQUEST) {
		struct kl_request_header *header = packet.header;
		header->request_api_key = msg->api;
		header->request_api_version = (int16_t)version;
	}
	ok = ok && kl_packet_encode(&packet, to, NULL) == 0;
	kl_arena_free(&arena);
	return ok;
}

/* --- changing --- */

struct change {
	int version;
	bool flexible;
	struct kl_arena *arena;
	uint64_t *state;
};

static void change_struct(struct change *c, const struct kl_type *type, void *obj);

static int64_t edge(struct change *c)
{
	static const int64_t edges[] = {
		0,          1,          -1,        2,
		127,        -128,       255,       INT16_MAX,
		INT16_MIN,  UINT16_MAX, INT32_MAX, INT32_MIN,
		UINT32_MAX, INT64_MAX,  INT64_MIN, 35 /* UNSUPPORTED_VERSION */,
	};
	if (fuzz_below(c->state, 4) == 0)
		return (int64_t)fuzz_next(c->state);
	return edges[fuzz_below(c->state, kl_countof(edges))];
}

/* Longer, shorter or of other bytes; p, n: what it was. */
static const uint8_t *change_run(struct change *c, const uint8_t *p, int32_t *n)
{
	size_t old = *n > 0 ? (size_t)*n : 0;
	size_t size = fuzz_below(c->state, 2) ? old : fuzz_below(c->state, 400);
	uint8_t *to = kl_arena_alloc(c->arena, size);
	if (to == NULL)
		return p;
	for (size_t i = 0; i < size; i++)
		to[i] = i < old ? p[i] : 'a';
	if (size > 0 && fuzz_below(c->state, 2))
		to[fuzz_below(c->state, (uint32_t)size)] = (uint8_t)fuzz_next(c->state);
	*n = (int32_t)size;
	return to;
}

static void change_value(struct change *c, const struct kl_field *field, void *p)
{
	switch (field->type) {
	case KL_FLOAT64:
	case KL_UUID:
		((uint8_t *)p)[fuzz_below(c->state, 8)] = (uint8_t)fuzz_next(c->state);
		break;
	case KL_STRING: {
		struct kl_str *s = p;
		s->p = (const char *)change_run(c, (const uint8_t *)s->p, &s->len);
		break;
	}
	case KL_BYTES:
	case KL_RECORDS: {
		struct kl_bytes *b = p;
		b->p = change_run(c, b->p, &b->len);
		break;
	}
	case KL_STRUCT:
		change_struct(c, field->sub, p);
		break;
	default:
		kl_field_set_number(field, p, edge(c));
	}
}

static void change_null(const struct kl_field *field, uint8_t *obj)
{
	if (kl_field_is_array(field))
		*kl_field_count(field, obj) = -1;
	else if (field->flags & KL_FIELD_POINTER)
		*(void **)(obj + field->offset) = NULL;
	else if (field->type == KL_STRING)
		*(struct kl_str *)(obj + field->offset) = KL_STR_NULL;
	else
		*(struct kl_bytes *)(obj + field->offset) = KL_BYTES_NULL;
}

/* One element more, fewer, or another value of one. */
static void change_array(struct change *c, const struct kl_field *field, uint8_t *obj)
{
	uint8_t **list = (uint8_t **)(obj + field->offset);
	int32_t *count = kl_field_count(field, obj);
	size_t size = kl_field_size(field), n = *count > 0 ? (size_t)*count : 0;
	uint32_t what = fuzz_below(c->state, 4);
	if (what == 0 && n > 0) {
		*count = (int32_t)fuzz_below(c->state, (uint32_t)n);
		return;
	}
	if (what == 1 || n == 0) {
		uint8_t *more = kl_arena_array(c->arena, n + 1, size);
		if (more == NULL)
			return;
		if (n > 0)
			memcpy(more, *list, n * size);
		if (field->type == KL_STRUCT && n == 0)
			kl_type_init(field->sub, more);
		else if (n > 0)
			memcpy(more + n * size, *list, size);
		*list = more;
		*count = (int32_t)++n;
	}
	change_value(c, field, *list + fuzz_below(c->state, (uint32_t)n) * size);
}

static void change_field(struct change *c, const struct kl_field *field, uint8_t *obj)
{
	if (kl_field_may_be_null(field, c->version) && fuzz_below(c->state, 6) == 0) {
		change_null(field, obj);
		return;
	}
	if (kl_field_is_array(field)) {
		change_array(c, field, obj);
		return;
	}
	if (!(field->flags & KL_FIELD_POINTER)) {
		change_value(c, field, obj + field->offset);
		return;
	}
	void **sub = (void **)(obj + field->offset);
	if (*sub == NULL)
		*sub = kl_type_new(field->sub, c->arena, 1);
	if (*sub != NULL)
		change_struct(c, field->sub, *sub);
}

static void add_tag(struct change *c, const struct kl_type *type, void *obj)
{
	struct kl_tags **tags = (struct kl_tags **)((uint8_t *)obj + type->tags_offset);
	struct kl_tags *one =
		kl_arena_alloc(c->arena, sizeof(*one) + sizeof(one->list[0]));
	if (one == NULL)
		return;
	struct kl_bytes data = {0};
	data.p = change_run(c, NULL, &data.len);
	one->n = 1;
	one->list[0] =
		(struct kl_tag){type->tag_count + fuzz_below(c->state, 200000), data};
	*tags = fuzz_below(c->state, 3) ? one : NULL;
}

static void change_struct(struct change *c, const struct kl_type *type, void *obj)
{
	if (c->flexible && fuzz_below(c->state, 12) == 0) {
		add_tag(c, type, obj);
		return;
	}
	/* A few tries: not every field is in this version. */
	for (int i = 0; i < 8; i++) {
		const struct kl_field *field =
			&type->fields[fuzz_below(c->state, type->field_count)];
		if (kl_field_in(field, c->version)) {
			change_field(c, field, obj);
			return;
		}
	}
}

void fuzz_change(const struct kl_msg *msg, int version, void *obj,
		 struct kl_arena *arena, uint64_t *state)
{
	struct change c = {version, kl_msg_flexible(msg, version), arena, state};
	for (uint32_t n = 1 + fuzz_below(state, 3); n > 0; n--)
		change_struct(&c, msg->type, obj);
}
