/* SPDX-License-Identifier: BSD-2-Clause */
/* The frame of the unit tests: the main function is in unit.c, a test file is
 *
 *	START_TEST(adds) { ck_assert_int_eq(1 + 1, 2); } END_TEST
 *
 *	UNIT_SUITE(sums)
 *	{
 *		Suite *s = suite_create("sums");
 *		unit_add(s, adds);
 *		return s;
 *	}
 *
 * Each test runs in a child process of its own (CK_FORK=no for a debugger). CK_RUN_SUITE=sums
 * runs one suite, CK_RUN_CASE=adds one test. Programs run from anywhere, by hand too.
 */
#ifndef UNIT_H
#define UNIT_H

#include <check.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Defines a suite's function and has main run it. */
#define UNIT_SUITE(name)                                                                 \
	static Suite *name##_suite(void);                                                \
	__attribute__((constructor)) static void name##_register(void)                   \
	{                                                                                \
		unit_register(name##_suite);                                             \
	}                                                                                \
	static Suite *name##_suite(void)

void unit_register(Suite *(*suite)(void));

/* One test as a case of its own name, with a fixture, or over i = 0..n-1 (`_i`). */
#define unit_add(s, test) unit_add_case((s), #test, (test), NULL, NULL, 0)
#define unit_add_fixture(s, test, up, down) unit_add_case((s), #test, (test), (up), (down), 0)
#define unit_add_loop(s, test, n) unit_add_case((s), #test, (test), NULL, NULL, (n))
void unit_add_case(Suite *s, const char *name, const TTest *test, SFun up, SFun down, int n);

/* Bytes from hexadecimal digits; blanks are skipped. Freed by the caller. */
uint8_t *unit_hex(const char *hex, size_t *len_out);
/* The bytes are these digits (blanks skipped), or the test fails and shows both. */
void unit_check_hex(const void *p, size_t n, const char *hex);

/* A file of the source tree, "tests/unit/base/varints.txt": its path, or its bytes and a NUL.
 * Freed by the caller. */
char *unit_path(const char *file);
char *unit_read(const char *file, size_t *len_out);

/* A new empty folder, removed after the last test, even when a test crashed. Freed by the
 * caller. */
char *unit_tmp(void);

/* From here on the application's numbers have a decimal comma. false: there is no such locale
 * here. */
bool unit_decimal_comma(void);

/* Would a core dump have what is there? */
bool unit_is_dumped(const void *p);

#endif
