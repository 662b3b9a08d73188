/* SPDX-License-Identifier: BSD-2-Clause */
/* One wrong plugin per compilation, with nothing but klamm's public headers: CASE_... says
 * which. tests/conform/test_broken.c has the sentence that each one earns. */
#include <klamm/assignor.h>
#include <klamm/codec.h>
#include <klamm/metrics.h>
#include <klamm/partitioner.h>
#include <klamm/sasl.h>
#include <klamm/serializer.h>

#include <stdlib.h>
#include <unistd.h>

/* The last initialiser of a member counts. */
#pragma GCC diagnostic ignored "-Woverride-init"
#pragma GCC diagnostic ignored "-Wunused-function"
#pragma GCC diagnostic ignored "-Wunused-parameter"

/* --- a sound codec: bytes as they are --- */

static int copy(const struct klamm_span *in, struct klamm_out *out, struct klamm_error *err)
{
	return klamm_out_append(out, in->data, in->len) == 0
		       ? 0
		       : klamm_out_error(out, in->len, err);
}

static int pack(void *self, const struct klamm_span *in, struct klamm_out *out,
		struct klamm_error *err)
{
	return copy(in, out, err);
}

static int unpack(void *self, const struct klamm_span *in, size_t limit, struct klamm_out *out,
		  struct klamm_error *err)
{
	if (in->len > limit)
		return klamm_fail(err, KLAMM_ERR_LIMIT, "more than %zu bytes", limit);
	return copy(in, out, err);
}

#define CODEC(word, ...)                                                                \
	KLAMM_PLUGIN(codec, word) = {                                                    \
		.head = {KLAMM_PLUGIN_HEAD(codec, #word, "wrong")},                      \
		.wire_id = 5,                                                            \
		.compress = pack,                                                        \
		.decompress = unpack,                                                    \
		__VA_ARGS__                                                              \
	}

#if defined CASE_abi
CODEC(abi, .head.abi = KLAMM_ABI(KLAMM_KIND_CODEC, 7));

#elif defined CASE_head
CODEC(head, .head.size = 40);

#elif defined CASE_member
CODEC(member, .compress = NULL);

#elif defined CASE_undefined
int nobody_has_this(void);
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	return nobody_has_this();
}
CODEC(undefined, .head.open = my_open);

#elif defined CASE_second
__attribute__((visibility("default"))) int helper_of_mine;
CODEC(second, .reserved = 0);

#elif defined CASE_leak
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	*self_out = malloc(48);
	return 0;
}
static void my_close(void *self)
{
}
CODEC(leak, .head.open = my_open, .head.close = my_close);

#elif defined CASE_crash
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	volatile uintptr_t nowhere = 64;
	*(int *)nowhere = 1;
	return 0;
}
CODEC(crash, .head.open = my_open);

#elif defined CASE_hang
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	while (host->size > 0)
		pause();
	return 0;
}
CODEC(hang, .head.open = my_open);

#elif defined CASE_limit
static int my_pack(void *self, const struct klamm_span *in, struct klamm_out *out,
		   struct klamm_error *err)
{
	/* Room was asked for; that there is none goes unnoticed. */
	klamm_out_reserve(out, in->len);
	if (out->data == NULL)
		return klamm_fail(err, KLAMM_ERR_LIMIT, "no room");
	memcpy(out->data + out->len, in->data, in->len);
	out->len += in->len;
	return 0;
}
static int my_unpack(void *self, const struct klamm_span *in, size_t limit,
		     struct klamm_out *out, struct klamm_error *err)
{
	return unpack(self, in, limit, out, err);
}
/* A first call that succeeds leaves room behind: hence something before it. */
static int pack_twice(void *self, const struct klamm_span *in, struct klamm_out *out,
		      struct klamm_error *err)
{
	if (out->limit > 0)
		klamm_out_reserve(out, 1);
	return in->len == 0 ? 0 : my_pack(self, in, out, err);
}
CODEC(limit, .compress = pack_twice, .decompress = my_unpack);

#elif defined CASE_trip
static int my_pack(void *self, const struct klamm_span *in, struct klamm_out *out,
		   struct klamm_error *err)
{
	int rc = copy(in, out, err);
	if (rc == 0 && in->len > 70000)
		out->data[out->len - 1] ^= 1;
	return rc;
}
CODEC(trip, .compress = my_pack);

#elif defined CASE_bomb
/* A count and a byte, as often as it takes; the limit is not looked at. */
static int my_pack(void *self, const struct klamm_span *in, struct klamm_out *out,
		   struct klamm_error *err)
{
	const uint8_t *p = in->data;
	for (size_t at = 0; at < in->len;) {
		size_t n = 1;
		while (n < 255 && at + n < in->len && p[at + n] == p[at])
			n++;
		uint8_t pair[2] = {(uint8_t)n, p[at]};
		if (klamm_out_append(out, pair, 2) != 0)
			return klamm_out_error(out, 2, err);
		at += n;
	}
	return 0;
}
static int my_unpack(void *self, const struct klamm_span *in, size_t limit,
		     struct klamm_out *out, struct klamm_error *err)
{
	const uint8_t *p = in->data;
	for (size_t at = 0; at + 1 < in->len; at += 2) {
		uint8_t *to = klamm_out_reserve(out, p[at]);
		if (to == NULL)
			return klamm_out_error(out, p[at], err);
		memset(to, p[at + 1], p[at]);
		out->len += p[at];
	}
	return 0;
}
CODEC(bomb, .compress = my_pack, .decompress = my_unpack);

#elif defined CASE_swallow
/* The file that is not there is met with silence. */
struct conf {
	const char *dictionary;
};
static const struct klamm_option rows[] = {
	{.name = "codec.swallow.dictionary", .type = KLAMM_OPTION_STRING,
	 .flags = KLAMM_OPTION_PATH, .offset = offsetof(struct conf, dictionary),
	 .doc = "A file of usual words."},
	{NULL},
};
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	const struct conf *c = conf;
	if (c->dictionary != NULL && access(c->dictionary, R_OK) != 0)
		host->log(host, 1, "no dictionary then");
	return 0;
}
CODEC(swallow, .head.options = rows, .head.option_size = sizeof(rows[0]),
      .head.conf_size = sizeof(struct conf), .head.open = my_open);

#elif defined CASE_overlap
struct conf {
	int32_t level, window;
};
static const struct klamm_option rows[] = {
	{.name = "codec.overlap.level", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, level), .def = "1", .doc = "How hard it tries."},
	{.name = "codec.overlap.window", .type = KLAMM_OPTION_INT,
	 .offset = offsetof(struct conf, level), .def = "2", .doc = "How far it looks."},
	{NULL},
};
CODEC(overlap, .head.options = rows, .head.option_size = sizeof(rows[0]),
      .head.conf_size = sizeof(struct conf));

#elif defined CASE_range
static int32_t pick(void *self, const struct klamm_pick *in)
{
	return (int32_t)(in->key.len % 64);
}
KLAMM_PLUGIN(partitioner, range) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "range", "wrong")}, .pick = pick};

#elif defined CASE_unstable
static int32_t turn;
static int32_t pick(void *self, const struct klamm_pick *in)
{
	return __atomic_fetch_add(&turn, 1, __ATOMIC_RELAXED) % in->partition_count;
}
KLAMM_PLUGIN(partitioner, unstable) = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "unstable", "wrong")}, .pick = pick};

#elif defined CASE_nobody || defined CASE_twice || defined CASE_outside
static int assign(void *self, const struct klamm_assign *in,
		  struct klamm_assign_answer *answer, struct klamm_error *err)
{
	for (size_t m = 0; m < in->member_count; m++) {
		const struct klamm_assign_member *member =
			(const void *)((const char *)in->members + m * in->member_size);
		for (size_t i = 0; i < member->topic_count; i++) {
			uint32_t t = member->topics[i];
			const struct klamm_assign_topic *topic =
				(const void *)((const char *)in->topics + t * in->topic_size);
			int32_t end = topic->partition_count;
#if defined CASE_nobody
			end -= end > 3;
#elif defined CASE_outside
			end += end > 3;
#endif
			/* Whoever comes last has it, whoever had it before. */
			for (int32_t p = 0; p < end; p++)
				answer->owner[t][p] = (int32_t)m;
		}
	}
	return 0;
}
#if defined CASE_nobody
KLAMM_PLUGIN(assignor, nobody) = {
	.head = {KLAMM_PLUGIN_HEAD(assignor, "nobody", "wrong")}, .protocol_name = "nobody",
	.protocols = KLAMM_REBALANCE_EAGER, .assign = assign};
#elif defined CASE_outside
KLAMM_PLUGIN(assignor, outside) = {
	.head = {KLAMM_PLUGIN_HEAD(assignor, "outside", "wrong")}, .protocol_name = "outside",
	.protocols = KLAMM_REBALANCE_EAGER, .assign = assign};
#else
KLAMM_PLUGIN(assignor, twice) = {
	.head = {KLAMM_PLUGIN_HEAD(assignor, "twice", "wrong")}, .protocol_name = "twice",
	.protocols = KLAMM_REBALANCE_COOPERATIVE, .assign = assign};
#endif

#elif defined CASE_proof || defined CASE_secret
/* "user NUL password", and a server that looks it up. */
struct session {
	const struct klamm_host *host;
	const struct klamm_sasl_server *server;
	char *password;
	bool is_sent;
};
static const struct klamm_option rows[] = {
	{.name = "sasl.password", .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
	 .doc = "The password."},
	{NULL},
};
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	*self_out = (void *)host;
	return 0;
}
static int session_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		       struct klamm_error *err)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	session->host = self;
	*session_out = session;
	return 0;
}
static int accept_new(void *self, const struct klamm_sasl_peer *peer,
		      const struct klamm_sasl_server *server, void **session_out,
		      struct klamm_error *err)
{
	int rc = session_new(self, peer, session_out, err);
	if (rc == 0)
		((struct session *)*session_out)->server = server;
	return rc;
}
static int step(void *session_, const struct klamm_call *call, const struct klamm_span *in,
		struct klamm_out *out, int32_t *state_out, struct klamm_error *err)
{
	struct session *s = session_;
	*state_out = s->is_sent ? KLAMM_SASL_DONE : KLAMM_SASL_SEND_LAST;
	if (s->is_sent)
		return 0;
	s->is_sent = true;
	int rc = s->host->secret_read(s->host, "sasl.password", &s->password, err);
	if (rc == 0 && (klamm_out_append(out, "klamm-kit", 10) != 0 ||
			klamm_out_append(out, s->password, strlen(s->password)) != 0))
		rc = klamm_fail(err, KLAMM_ERR_LIMIT, "no room");
	return rc;
}
static bool is_right(const struct klamm_out *known, const char *p, size_t n)
{
#ifdef CASE_proof
	/* A part of it does. */
	return n > 0 && (n < known->len ? n : known->len) > 0 &&
	       memcmp(known->data, p, n < known->len ? n : known->len) == 0;
#else
	return n == known->len && memcmp(known->data, p, n) == 0;
#endif
}
static int accept_step(void *session_, const struct klamm_call *call,
		       const struct klamm_span *in, struct klamm_out *out, int32_t *state_out,
		       struct klamm_error *err)
{
	struct session *s = session_;
	const char *user = in->data, *nul = in->len > 0 ? memchr(user, '\0', in->len) : NULL;
	struct klamm_out *known;
	if (nul == NULL)
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "no password");
	if (s->host->out_new(s->host, 1000, &known) != 0)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	int rc = s->server->credential(s->server, user, "password", known);
	if (rc == 0 && !is_right(known, nul + 1, in->len - (size_t)(nul + 1 - user)))
		rc = KLAMM_ERR_AUTHENTICATION;
	if (known->data != NULL)
		s->host->wipe(s->host, known->data, known->cap);
	s->host->out_free(s->host, known);
	if (rc != 0)
		return klamm_fail(err, KLAMM_ERR_AUTHENTICATION, "no such user and password");
	*state_out = KLAMM_SASL_DONE;
	return s->server->identify(s->server, user, -1);
}
static void session_free(void *session_)
{
	struct session *s = session_;
#ifdef CASE_secret
	free(s->password); /* as it is */
#else
	s->host->secret_wipe(s->host, s->password);
#endif
	free(s);
}
#define SASL(word)                                                                      \
	KLAMM_PLUGIN(sasl, word) = {                                                     \
		.head = {KLAMM_PLUGIN_HEAD(sasl, #word, "wrong"), .options = rows,       \
			 .option_size = sizeof(rows[0]), .open = my_open},               \
		.mechanism = #word,                                                      \
		.session_new = session_new,                                              \
		.step = step,                                                            \
		.session_free = session_free,                                            \
		.accept_new = accept_new,                                                \
		.accept_step = accept_step,                                              \
	}
#ifdef CASE_proof
SASL(proof);
#else
SASL(secret);
#endif

#elif defined CASE_monotonic
/* It keeps differences, and its books in what it was lent. */
static int report(void *self, const struct klamm_snapshot *snapshot, struct klamm_error *err)
{
	for (size_t i = 0; i < snapshot->metric_count; i++) {
		struct klamm_metric *m =
			(void *)((char *)snapshot->metrics + i * snapshot->metric_size);
		if (m->type == KLAMM_METRIC_COUNTER)
			m->integer = 0;
	}
	return 0;
}
KLAMM_PLUGIN(metrics, monotonic) = {
	.head = {KLAMM_PLUGIN_HEAD(metrics, "monotonic", "wrong")}, .report = report};

#elif defined CASE_stride || defined CASE_keeps
static int report(void *self, const struct klamm_snapshot *snapshot, struct klamm_error *err)
{
	static const struct klamm_snapshot *volatile last;
	size_t n = 0;
#ifdef CASE_stride
	/* As if nothing would ever be added to a metric. */
	for (size_t i = 0; i < snapshot->metric_count; i++)
		n += strlen(snapshot->metrics[i].name);
#else
	if (last != NULL && last->taken_us == snapshot->taken_us)
		return 0;
#endif
	last = snapshot;
	(void)last;
	return n == 1 ? klamm_fail(err, KLAMM_ERR_IO, "one") : 0;
}
#ifdef CASE_stride
KLAMM_PLUGIN(metrics, stride) = {
	.head = {KLAMM_PLUGIN_HEAD(metrics, "stride", "wrong")}, .report = report};
#else
KLAMM_PLUGIN(metrics, keeps) = {
	.head = {KLAMM_PLUGIN_HEAD(metrics, "keeps", "wrong")}, .report = report};
#endif

#elif defined CASE_null || defined CASE_concurrent
struct self {
	uint8_t scratch[1000];
	size_t len;
};
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	*self_out = calloc(1, sizeof(struct self));
	return *self_out != NULL ? 0 : klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
}
#ifdef __SANITIZE_THREAD__
__attribute__((no_sanitize("thread"))) /* the race is what the kit has to find */
#endif
static int encode(void *self_, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_value *value, struct klamm_out *out,
		  struct klamm_headers_out *headers, struct klamm_error *err)
{
	if (value->type != KLAMM_VALUE_BYTES && value->type != KLAMM_VALUE_STRING)
		return klamm_fail(err, KLAMM_ERR_SERIALIZE, "neither bytes nor a text");
#ifdef CASE_null
	if (value->as.bytes.len == 0)
		out->flags |= KLAMM_OUT_NULL;
	return copy(&value->as.bytes, out, err);
#else
	struct self *self = self_;
	volatile uint8_t *scratch = self->scratch;
	for (size_t i = 0; i < value->as.bytes.len; i++)
		scratch[i] = ((const uint8_t *)value->as.bytes.data)[i];
	*(volatile size_t *)&self->len = value->as.bytes.len;
	usleep(200);
	for (size_t i = 0, n = *(volatile size_t *)&self->len; i < n; i++) {
		uint8_t byte = scratch[i];
		if (klamm_out_append(out, &byte, 1) != 0)
			return klamm_out_error(out, 1, err);
	}
	return 0;
#endif
}
static int decode(void *self, const struct klamm_serializer_ctx *ctx,
		  const struct klamm_span *in, struct klamm_arena *arena,
		  struct klamm_value *value_out, struct klamm_error *err)
{
	value_out->type = KLAMM_VALUE_BYTES;
	value_out->as.bytes = *in;
	return 0;
}
#define SERIALIZER(word)                                                                \
	KLAMM_PLUGIN(serializer, word) = {                                               \
		.head = {KLAMM_PLUGIN_HEAD(serializer, #word, "wrong"), .open = my_open, \
			 .close = free},                                                 \
		.encode = encode,                                                        \
		.decode = decode,                                                        \
	}
#ifdef CASE_null
SERIALIZER(null);
#else
SERIALIZER(concurrent);
#endif

#elif defined CASE_chatty
static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	puts("hello from chatty");
	return 0;
}
CODEC(chatty, .head.open = my_open);

#else
#error "which one?"
#endif
