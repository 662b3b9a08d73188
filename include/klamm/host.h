/* SPDX-License-Identifier: BSD-2-Clause */
/* What klamm does for a plugin: output, memory, time, log, timers, threads, secrets.
 *
 * Everything comes as function pointers or is inline here, so a plugin loads the same
 * into a shared library, a static program or a test.
 */
#ifndef KLAMM_HOST_H
#define KLAMM_HOST_H

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <klamm/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Fill err (may be NULL) and return code: `return klamm_fail(err, KLAMM_ERR_..., ...)`. */
__attribute__((format(printf, 3, 4))) static inline int
klamm_fail(struct klamm_error *err, int code, const char *fmt, ...)
{
	if (err == NULL)
		return code;
	memset(err, 0, sizeof(*err));
	err->code = code;
	err->scope = KLAMM_SCOPE_FINAL;
	err->stage = KLAMM_STAGE_PLUGIN;
	err->node = err->api = -1;
	va_list args;
	va_start(args, fmt);
	vsnprintf(err->text, sizeof(err->text), fmt, args);
	va_end(args);
	return code;
}

/* Output that grows by itself and never beyond its limit. Made by klamm; a plugin uses
 * the two functions below. One thread at a time. Frozen. */
struct klamm_out {
	uint8_t *data; /* owned by the output; moves when it grows */
	size_t len;    /* bytes written */
	size_t cap;
	size_t limit;  /* len never gets above it */
	uint32_t flags; /* KLAMM_OUT_NULL */
	uint32_t reserved;
	/* Room for more bytes behind len. 0, NO_MEMORY or LIMIT. */
	int (*grow)(struct klamm_out *out, size_t more);
};
#define KLAMM_OUT_NULL 1u /* the result is Kafka's null, whatever was written */

/* A place for n more bytes, to be counted by adding to len; NULL: out of memory or over
 * the limit, and klamm_out_error() tells which. */
static inline uint8_t *klamm_out_reserve(struct klamm_out *out, size_t n)
{
	if ((out->data == NULL || n > out->cap - out->len) && out->grow(out, n) != 0)
		return NULL;
	return out->data + out->len;
}
/* Copy n bytes behind what is written so far. 0, NO_MEMORY or LIMIT, which klamm_out_error()
 * puts into words. */
static inline int klamm_out_append(struct klamm_out *out, const void *p, size_t n)
{
	if (n == 0)
		return 0;
	if (n > out->cap - out->len) {
		int rc = out->grow(out, n);
		if (rc != 0)
			return rc;
	}
	memcpy(out->data + out->len, p, n);
	out->len += n;
	return 0;
}

/* After klamm_out_reserve() failed to find room for n bytes. */
static inline int klamm_out_error(const struct klamm_out *out, size_t n,
				  struct klamm_error *err)
{
	if (out->len > out->limit || n > out->limit - out->len)
		return klamm_fail(err, KLAMM_ERR_LIMIT, "more than %zu bytes", out->limit);
	return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory for %zu bytes",
			  out->len + n);
}

/* Memory that is freed all at once, by klamm. One thread at a time. Frozen. */
struct klamm_arena {
	/* Zeroed, aligned to 16; NULL: out of memory, or over the budget. */
	void *(*alloc)(struct klamm_arena *arena, size_t len);
};

/* How long one call may take. */
struct klamm_call {
	size_t size;
	int64_t wait_ms; /* it may wait so long from its start; 0 = not at all, -1 = forever */
	/* Becomes non-zero when nobody wants the result any more. Never NULL; read it with
	 * klamm_cancelled(). Borrowed for the call. */
	const int32_t *cancelled;
};
static inline bool klamm_cancelled(const struct klamm_call *call)
{
	return __atomic_load_n(call->cancelled, __ATOMIC_ACQUIRE) != 0;
}

/* Where certificates, or one with its private key, stand. Zeroed but for what is there;
 * borrowed for the call. */
struct klamm_store {
	size_t size;
	const char *key;  /* the setting that says so, for errors: "https.ca.location" */
	const char *file; /* PEM, PKCS#12 or Java's JKS, told apart by what is in it */
	const char *text; /* instead: PEM, in one line or in many */
	const char *password;     /* of the store, or of the key in PEM; NULL = none */
	const char *password_key; /* the setting that would say it */
};
#define KLAMM_STORE_CERTS 1u /* at least one; first the one that the store's key is for */
#define KLAMM_STORE_KEY	  2u

struct klamm_timer;

/* What klamm does for an instance. The pointers are there from the version in which
 * size covers them on. Every function may be called from any thread until close()
 * returns, unless it says otherwise, and gets this structure as its first argument. */
struct klamm_host {
	size_t size;
	const char *version;   /* klamm's: "0.1.0" */
	const char *client_id; /* "" when there is none */
	/* The key that chose this instance ("compression.type", "value.serializer",
	 * "key.deserializer", ...), and what may stand before an option's name to set it
	 * for this one alone: "key.", "value." or "". */
	const char *role, *prefix;
	void *user; /* from klamm_conf_plugin(); NULL for a file */

	/* One line, copied. level: 0 error .. 4 trace. Does not block. */
	void (*log)(const struct klamm_host *host, int32_t level, const char *text);
	/* Microseconds of a clock that never goes back; virtual in the simulation. */
	int64_t (*now_us)(const struct klamm_host *host);
	int64_t (*wall_ms)(const struct klamm_host *host); /* since 1970 */
	/* Unpredictable; from the seed in the simulation. */
	void (*random)(const struct klamm_host *host, void *to, size_t len);

	/* Memory charged to the client's budget. Each ends with its _free(). max, limit: in
	 * bytes, 0 = the budget alone. NO_MEMORY, LIMIT. */
	int (*arena_new)(const struct klamm_host *host, size_t max,
			 struct klamm_arena **arena_out);
	void (*arena_free)(const struct klamm_host *host, struct klamm_arena *arena);
	int (*out_new)(const struct klamm_host *host, size_t limit,
		       struct klamm_out **out_out);
	void (*out_free)(const struct klamm_host *host, struct klamm_out *out);

	/* True from the moment that the client is being closed. */
	bool (*closing)(const struct klamm_host *host);

	/* fn runs on the client's loop when the time has come: it must not block. Unset at
	 * first; at_us is a time of now_us(), a negative one unsets it. After _free() fn is
	 * not running and will not run; not to be called from fn. arg is borrowed.
	 * UNSUPPORTED: there is no loop (a tool that only loads the plugin). */
	int (*timer_new)(const struct klamm_host *host, void (*fn)(void *arg), void *arg,
			 struct klamm_timer **timer_out);
	void (*timer_set)(const struct klamm_host *host, struct klamm_timer *timer,
			  int64_t at_us);
	void (*timer_free)(const struct klamm_host *host, struct klamm_timer *timer);
	/* fn runs once on the pool for what blocks. close() comes after it has returned.
	 * WOULD_BLOCK: too much is queued; CLOSED: close() is on its way; UNSUPPORTED as
	 * above. */
	int (*submit)(const struct klamm_host *host, void (*fn)(void *arg), void *arg);

	/* The value that a key flagged SECRET has now, ${file:...} read again, as a text
	 * that ends with secret_wipe(). CONFIG: not set, or it cannot be read. May block. */
	int (*secret_read)(const struct klamm_host *host, const char *key, char **text_out,
			   struct klamm_error *err);
	void (*secret_wipe)(const struct klamm_host *host, char *text); /* NULL is fine */
	/* Zeroes memory in a way that no compiler leaves out. */
	void (*wipe)(const struct klamm_host *host, void *p, size_t len);
	/* fn runs on the blocking pool whenever the application asks its client to read
	 * files again (passwords, tickets, certificates). One per instance; NULL ends it. */
	void (*on_reload)(const struct klamm_host *host, void (*fn)(void *arg), void *arg);

	/* The application's token (klamm_conf_token()), appended to value, its SASL
	 * extensions to extensions ("name=value\x01" each, checked), and when it ends in
	 * *expires_ms_out: milliseconds since 1970, 0 = it says so itself, -1 = never.
	 * Blocks as long as the application's function does; its error is handed on.
	 * UNSUPPORTED: the application gives none. value NULL: that question alone. */
	int (*token)(const struct klamm_host *host, struct klamm_out *value,
		     struct klamm_out *extensions, int64_t *expires_ms_out,
		     struct klamm_error *err);

	/* What a store has of these parts (KLAMM_STORE_..., or-ed), appended to pem_out as PEM
	 * text with a NUL behind it that its length counts; keys are not encrypted: wipe
	 * them. May block. CONFIG names key and file; NO_MEMORY. */
	int (*store_read)(const struct klamm_host *host, const struct klamm_store *store,
			  uint32_t parts, struct klamm_out *pem_out,
			  struct klamm_error *err);
};

#ifdef __cplusplus
}
#endif
#endif
