/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/errtab.h"

#include <klamm/error.h>

#include <string.h>

#include "tests/unit/unit.h"

START_TEST(names)
{
	ck_assert_str_eq(klamm_err_name(0), "NONE");
	ck_assert_str_eq(klamm_err_name(-1), "UNKNOWN_SERVER_ERROR");
	ck_assert_str_eq(klamm_err_name(6), "NOT_LEADER_OR_FOLLOWER");
	ck_assert_str_eq(klamm_err_name(136), "CONTROLLER_ID_NOT_REGISTERED");
	ck_assert_str_eq(klamm_err_name(KLAMM_ERR_TIMED_OUT), "TIMED_OUT");
	ck_assert_str_eq(klamm_err_name(137), "UNKNOWN");
	ck_assert_str_eq(klamm_err_name(-999), "UNKNOWN");
	ck_assert_str_eq(klamm_err_name(INT32_MIN), "UNKNOWN");
}
END_TEST

/* Each code of the table is found, and each text is one sentence. */
START_TEST(table_is_whole)
{
	for (size_t i = 0; i < kl_err_table_len; i++) {
		const struct kl_err_entry *entry = &kl_err_table[i];
		ck_assert_ptr_eq(kl_err_find(entry->code), entry);
		ck_assert(i == 0 || entry[-1].code < entry->code);
		ck_assert_ptr_eq(klamm_err_text(entry->code), entry->text);
		size_t n = strlen(entry->text);
		ck_assert_msg(n > 5 && n < KLAMM_ERROR_TEXT && entry->text[n - 1] == '.',
			      "%s: %s", entry->name, entry->text);
	}
	ck_assert_uint_gt(strlen(klamm_err_text(4711)), 5);
}
END_TEST

START_TEST(flags)
{
	ck_assert(klamm_err_retriable(KLAMM_ERR_NOT_LEADER_OR_FOLLOWER));
	ck_assert(klamm_err_invalid_metadata(KLAMM_ERR_NOT_LEADER_OR_FOLLOWER));
	ck_assert(klamm_err_retriable(KLAMM_ERR_NOT_ENOUGH_REPLICAS));
	ck_assert(!klamm_err_invalid_metadata(KLAMM_ERR_NOT_ENOUGH_REPLICAS));
	ck_assert(klamm_err_retriable(KLAMM_ERR_QUEUE_FULL));
	ck_assert(klamm_err_retriable(KLAMM_ERR_DISCONNECTED));
	ck_assert(!klamm_err_retriable(KLAMM_ERR_AUTHENTICATION));
	ck_assert(!klamm_err_retriable(KLAMM_ERR_MESSAGE_TOO_LARGE));
	ck_assert(!klamm_err_retriable(KLAMM_OK));
	ck_assert(!klamm_err_retriable(4711) && !klamm_err_invalid_metadata(4711));
}
END_TEST

UNIT_SUITE(errtab)
{
	Suite *s = suite_create("errtab");
	unit_add(s, names);
	unit_add(s, table_is_whole);
	unit_add(s, flags);
	return s;
}
