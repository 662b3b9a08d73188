/* SPDX-License-Identifier: BSD-2-Clause */
/* Errors: one number, and one caller-owned structure that explains it.
 *
 * Functions return 0 or an enum klamm_err. A broker's error keeps the protocol's
 * own number (-1, 1, 2, ...); klamm's own start at -1000. The structure is
 * optional, always the last parameter, and never allocated, so that running out
 * of memory can be reported too. Nothing here touches errno.
 */
#ifndef KLAMM_ERROR_H
#define KLAMM_ERROR_H

#include <klamm/errcodes.h>
#include <klamm/types.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is left to do after an error. */
enum klamm_scope {
	KLAMM_SCOPE_NONE = 0,
	KLAMM_SCOPE_RETRIABLE = 1, /* the same call may succeed later */
	KLAMM_SCOPE_FINAL = 2,     /* this call or item failed; the client is fine */
	KLAMM_SCOPE_ABORTABLE = 3, /* the transaction must be aborted */
	KLAMM_SCOPE_FATAL = 4,     /* this client can only be closed */
};

/* What became of a record, or of a request that changes something. */
enum klamm_outcome {
	KLAMM_OUTCOME_NONE = 0,             /* does not apply */
	KLAMM_OUTCOME_DELIVERED = 1,        /* the broker acknowledged it */
	KLAMM_OUTCOME_NOT_WRITTEN = 2,      /* surely not in the log */
	KLAMM_OUTCOME_POSSIBLY_WRITTEN = 3, /* sent; the answer was lost */
};

/* Where on its way a request failed. */
enum klamm_stage {
	KLAMM_STAGE_NONE = 0,
	KLAMM_STAGE_CONFIG = 1,
	KLAMM_STAGE_DNS = 2,
	KLAMM_STAGE_TCP = 3,
	KLAMM_STAGE_PROXY = 4,
	KLAMM_STAGE_TLS = 5,
	KLAMM_STAGE_SASL = 6,
	KLAMM_STAGE_API = 7,    /* the broker answered with an error */
	KLAMM_STAGE_PLUGIN = 8,
	KLAMM_STAGE_LOCAL = 9,  /* inside this process */
};

#define KLAMM_ERROR_TEXT 416

struct klamm_error {
	int32_t code;     /* enum klamm_err; 0 = no error */
	int32_t scope;    /* enum klamm_scope */
	int32_t outcome;  /* enum klamm_outcome */
	int32_t stage;    /* enum klamm_stage */
	int32_t node;     /* broker id, -1 = none or not known yet */
	int32_t api;      /* Kafka API key, -1 = none */
	int64_t reserved[8];
	char text[KLAMM_ERROR_TEXT]; /* one sentence, UTF-8, NUL-terminated, no newline */
};

/* The name of a code, as Kafka's documentation spells it: "NOT_LEADER_OR_FOLLOWER";
 * klamm's own: "TIMED_OUT". Never NULL: an unknown number is "UNKNOWN". Static.
 * Any thread. */
const char *klamm_err_name(int code);

/* One sentence on what the code means and what to do next. Never NULL. Static. */
const char *klamm_err_text(int code);

/* May the same request succeed when sent again? (Kafka's RetriableException.) */
bool klamm_err_retriable(int code);

/* Does the error say that metadata is stale? (Kafka's InvalidMetadataException.) */
bool klamm_err_invalid_metadata(int code);

/* "retriable", "delivered", "DNS", ...: static names of the enumerations above. */
const char *klamm_scope_name(int scope);
const char *klamm_outcome_name(int outcome);
const char *klamm_stage_name(int stage);

#ifdef __cplusplus
}
#endif
#endif
