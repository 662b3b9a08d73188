/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/error.h"

#include <klamm/version.h>
#include <stdio.h>

#include "config.h"
#include "core/base/log.h"
#include "tests/unit/unit.h"

START_TEST(fills_and_returns)
{
	struct klamm_error err;
	memset(&err, 0xff, sizeof(err));
	ck_assert_int_eq(kl_error(&err, KLAMM_ERR_DNS, "%s has no address", "kafka1"),
			 KLAMM_ERR_DNS);
	ck_assert_int_eq(err.code, KLAMM_ERR_DNS);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_DNS);
	ck_assert_int_eq(err.outcome, KLAMM_OUTCOME_NONE);
	ck_assert_int_eq(err.node, -1);
	ck_assert_int_eq(err.api, -1);
	ck_assert_str_eq(err.text, "kafka1 has no address");
	ck_assert_int_eq(kl_error(NULL, 3, "nobody listens"), 3);
}
END_TEST

START_TEST(scope_follows_the_code)
{
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_NOT_LEADER_OR_FOLLOWER, "moved");
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_RETRIABLE);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_API);
	kl_error(&err, KLAMM_ERR_CONFIG, "no");
	ck_assert_int_eq(err.scope, KLAMM_SCOPE_FINAL);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_CONFIG);
}
END_TEST

START_TEST(prefix_and_its_own_text)
{
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_CONNECT, "refused");
	kl_error_prefix(&err, "%s:%d", "host", 9092);
	ck_assert_str_eq(err.text, "host:9092: refused");
	ck_assert_int_eq(err.code, KLAMM_ERR_CONNECT);
	kl_error(&err, err.code, "again: %s", err.text);
	ck_assert_str_eq(err.text, "again: host:9092: refused");
	kl_error_prefix(NULL, "nothing");
}
END_TEST

START_TEST(one_line_and_cut)
{
	struct klamm_error err;
	kl_error(&err, KLAMM_ERR_CONNECT, "two\nlines\tof\x1b[31m %0600d", 1);
	ck_assert_ptr_null(strpbrk(err.text, "\n\t\x1b"));
	ck_assert_uint_eq(strlen(err.text), KLAMM_ERROR_TEXT - 1);
	kl_error_prefix(&err, "long");
	ck_assert_uint_eq(strlen(err.text), KLAMM_ERROR_TEXT - 1);
	ck_assert_int_eq(strncmp(err.text, "long: two lines of", 18), 0);
	kl_error_prefix(&err, "a\nb\x7f"); /* a name that a broker gave */
	ck_assert_int_eq(strncmp(err.text, "a b : long: two", 15), 0);
}
END_TEST

static void keep_line(void *arg, int32_t level, const char *where, const char *text)
{
	snprintf(arg, 100, "%s|%s", where, text);
}

/* What brokers and users are called is shown on terminals. */
START_TEST(log_lines_are_lines)
{
	char line[100] = "";
	struct kl_log log = {.fn = keep_line, .arg = line, .level = KL_LOG_WARN};
	kl_log(&log, KL_LOG_WARN, "h\x1b]0;x\x07", "%s is known", "al\nice");
	ck_assert_str_eq(line, "h ]0;x |al ice is known");
}
END_TEST

START_TEST(clear_and_copy)
{
	struct klamm_error err, other;
	kl_error(&err, KLAMM_ERR_CONNECT, "refused");
	ck_assert_int_eq(kl_error_copy(&other, &err), KLAMM_ERR_CONNECT);
	ck_assert_str_eq(other.text, "refused");
	ck_assert_int_eq(kl_error_copy(NULL, &err), KLAMM_ERR_CONNECT);
	kl_error_clear(&err);
	ck_assert_int_eq(err.code, 0);
	ck_assert_str_eq(err.text, "");
	ck_assert_int_eq(err.node, -1);
}
END_TEST

START_TEST(names_never_null)
{
	ck_assert_str_eq(klamm_scope_name(KLAMM_SCOPE_FATAL), "fatal");
	ck_assert_str_eq(klamm_outcome_name(KLAMM_OUTCOME_POSSIBLY_WRITTEN),
			 "possibly written");
	ck_assert_str_eq(klamm_stage_name(KLAMM_STAGE_LOCAL), "local");
	for (int i = -2; i < 20; i++) {
		ck_assert_ptr_nonnull(klamm_scope_name(i));
		ck_assert_ptr_nonnull(klamm_outcome_name(i));
		ck_assert_ptr_nonnull(klamm_stage_name(i));
	}
	ck_assert_str_eq(klamm_stage_name(-1), "unknown");
	ck_assert_str_eq(klamm_stage_name(KLAMM_STAGE_LOCAL + 1), "unknown");
}
END_TEST

struct line {
	int32_t level, count;
	char where[32], text[2048];
};

static void keep_both(void *arg, int32_t level, const char *where, const char *text)
{
	struct line *line = arg;
	line->level = level;
	line->count++;
	strncpy(line->where, where, sizeof(line->where) - 1);
	strncpy(line->text, text, sizeof(line->text) - 1);
}

START_TEST(log_levels)
{
	struct line line = {0};
	struct kl_log log = {.fn = keep_both, .arg = &line, .level = KL_LOG_INFO};
	kl_log(&log, KL_LOG_DEBUG, "conn 1", "quiet");
	ck_assert_int_eq(line.count, 0);
	kl_log(&log, KL_LOG_WARN, "conn 1", "lost after %d s", 5);
	ck_assert_int_eq(line.count, 1);
	ck_assert_int_eq(line.level, KL_LOG_WARN);
	ck_assert_str_eq(line.where, "conn 1");
	ck_assert_str_eq(line.text, "lost after 5 s");
	kl_log(&log, KL_LOG_ERROR, "x", "%03000d", 0);
	ck_assert_uint_eq(strlen(line.text), 1023);
	kl_log(NULL, KL_LOG_ERROR, "x", "nowhere");
	ck_assert(!kl_log_on(&(struct kl_log){.level = KL_LOG_TRACE}, KL_LOG_ERROR));
}
END_TEST

START_TEST(log_traffic)
{
	struct kl_log log;
	ck_assert(kl_log_init(&log, keep_line, NULL, 4));
	ck_assert(log.level == KL_LOG_TRACE && !log.traffic);
	ck_assert(kl_log_init(&log, keep_line, NULL, 1 | KLAMM_LOG_TRAFFIC));
	ck_assert(log.level == KL_LOG_WARN && log.traffic);
	ck_assert(!kl_log_init(&log, keep_line, NULL, 5));
	ck_assert(!kl_log_init(&log, keep_line, NULL, -1));
}
END_TEST

START_TEST(version)
{
	ck_assert_str_eq(klamm_version(), PACKAGE_VERSION);
	ck_assert_int_eq(klamm_version_number(), KLAMM_VERSION_NUMBER);
	ck_assert_int_lt(KLAMM_VERSION_OF(0, 1, 999), KLAMM_VERSION_OF(0, 2, 0));
	ck_assert_int_lt(KLAMM_VERSION_OF(0, 999, 0), KLAMM_VERSION_OF(1, 0, 0));
}
END_TEST

UNIT_SUITE(error)
{
	Suite *s = suite_create("error");
	unit_add(s, fills_and_returns);
	unit_add(s, scope_follows_the_code);
	unit_add(s, prefix_and_its_own_text);
	unit_add(s, one_line_and_cut);
	unit_add(s, clear_and_copy);
	unit_add(s, names_never_null);
	unit_add(s, log_levels);
	unit_add(s, log_traffic);
	unit_add(s, version);
	unit_add(s, log_lines_are_lines);
	return s;
}
