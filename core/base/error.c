/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/error.h"

#include <stdarg.h>
#include <stdio.h>

#include "core/base/errtab.h"
#include "core/base/log.h"
#include "core/base/text.h"

static int32_t usual_stage(int code)
{
	switch (code) {
	case KLAMM_ERR_CONFIG:
		return KLAMM_STAGE_CONFIG;
	case KLAMM_ERR_DNS:
		return KLAMM_STAGE_DNS;
	case KLAMM_ERR_CONNECT:
	case KLAMM_ERR_DISCONNECTED:
		return KLAMM_STAGE_TCP;
	case KLAMM_ERR_TLS:
		return KLAMM_STAGE_TLS;
	case KLAMM_ERR_AUTHENTICATION:
	case KLAMM_ERR_UNSUPPORTED_SASL_MECHANISM:
	case KLAMM_ERR_ILLEGAL_SASL_STATE:
	case KLAMM_ERR_SASL_AUTHENTICATION_FAILED:
		return KLAMM_STAGE_SASL;
	case KLAMM_ERR_PLUGIN:
	case KLAMM_ERR_SERIALIZE:
	case KLAMM_ERR_DESERIALIZE:
	case KLAMM_ERR_CODEC:
		return KLAMM_STAGE_PLUGIN;
	default:
		return code > -1000 ? KLAMM_STAGE_API : KLAMM_STAGE_LOCAL;
	}
}

static int32_t usual_scope(int code)
{
	const struct kl_err_entry *entry = kl_err_find(code);
	if (entry != NULL && (entry->flags & KL_ERR_ABORTABLE))
		return KLAMM_SCOPE_ABORTABLE;
	if (entry != NULL && (entry->flags & KL_ERR_RETRIABLE))
		return KLAMM_SCOPE_RETRIABLE;
	return KLAMM_SCOPE_FINAL;
}

int kl_error(struct klamm_error *err, int code, const char *fmt, ...)
{
	if (err == NULL)
		return code;
	/* The arguments may point into err->text: print before overwriting. */
	char text[KLAMM_ERROR_TEXT];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	kl_text_tame(text);
	*err = (struct klamm_error){
		.code = code,
		.scope = usual_scope(code),
		.stage = usual_stage(code),
		.node = -1,
		.api = -1,
	};
	memcpy(err->text, text, sizeof(text));
	return code;
}

void kl_error_prefix(struct klamm_error *err, const char *fmt, ...)
{
	if (err == NULL)
		return;
	char text[KLAMM_ERROR_TEXT];
	va_list args;
	va_start(args, fmt);
	int n = vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (n < 0 || (size_t)n >= sizeof(text))
		return;
	snprintf(text + n, sizeof(text) - (size_t)n, ": %.*s",
		 (int)(sizeof(text) - (size_t)n), err->text);
	kl_text_tame(text);
	memcpy(err->text, text, sizeof(text));
}

void kl_error_clear(struct klamm_error *err)
{
	if (err != NULL)
		*err = (struct klamm_error){.node = -1, .api = -1};
}

int kl_error_copy(struct klamm_error *dst, const struct klamm_error *src)
{
	if (dst != NULL && dst != src)
		*dst = *src;
	return src->code;
}

static const char *const scopes[] = {"none", "retriable", "final", "abortable", "fatal"};
static const char *const outcomes[] = {"none", "delivered", "not written",
				       "possibly written"};
static const char *const stages[] = {"none", "config", "DNS",    "TCP",  "proxy",
				     "TLS",  "SASL",   "API", "plugin", "local"};

const char *klamm_scope_name(int scope)
{
	return scope >= 0 && scope < (int)kl_countof(scopes) ? scopes[scope] : "unknown";
}

const char *klamm_outcome_name(int outcome)
{
	return outcome >= 0 && outcome < (int)kl_countof(outcomes) ? outcomes[outcome]
								    : "unknown";
}

const char *klamm_stage_name(int stage)
{
	return stage >= 0 && stage < (int)kl_countof(stages) ? stages[stage] : "unknown";
}

bool kl_log_init(struct kl_log *log, klamm_log_fn fn, void *arg, int32_t level)
{
	bool traffic = level & KLAMM_LOG_TRAFFIC;
	level &= ~KLAMM_LOG_TRAFFIC;
	*log = (struct kl_log){.fn = fn, .arg = arg, .level = level, .traffic = traffic};
	return level >= KL_LOG_ERROR && level <= KL_LOG_TRACE;
}

void kl_log(const struct kl_log *log, int32_t level, const char *where, const char *fmt, ...)
{
	if (!kl_log_on(log, level))
		return;
	char text[1024], place[128];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	snprintf(place, sizeof(place), "%s", where);
	kl_text_tame(text);
	kl_text_tame(place);
	log->fn(log->arg, level, place, text);
}
