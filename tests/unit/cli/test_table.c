/* SPDX-License-Identifier: BSD-2-Clause */
#include <stdlib.h>

#include "cli/table.h"
#include "tests/unit/unit.h"

static void check_cell(const char *text, const char *want, size_t width)
{
	struct cli_table table = {.columns = 1};
	cli_cell(&table, "%s", text);
	ck_assert_str_eq((const char *)table.text.data, want);
	ck_assert_uint_eq(table.widths[0], width);
	cli_table_free(&table);
}

START_TEST(long_cells)
{
	char text[2001];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	check_cell(text, text, sizeof(text) - 1);
}
END_TEST

START_TEST(tame_cells)
{
	check_cell("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f", 4);
	check_cell("a\033[31mb\nc", "a [31mb c", 9);
	check_cell("\xc2\x9b""31m\xff", "  31m?", 6);
}
END_TEST

UNIT_SUITE(table)
{
	Suite *s = suite_create("table");
	unit_add(s, long_cells);
	unit_add(s, tame_cells);
	return s;
}
