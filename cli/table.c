/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/table.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/base/text.h"

/* Bytes that begin a character. */
static int columns_of(const char *text)
{
	int n = 0;
	for (; *text != '\0'; text++)
		n += (*text & 0xc0) != 0x80;
	return n;
}

/* What peers call things is theirs to choose. */
static void end_cell(struct cli_table *t, size_t begin)
{
	size_t column = t->cells++ % t->columns;
	kl_buf_u8(&t->text, 0);
	if (t->text.failed)
		return;
	char *cell = (char *)t->text.data + begin;
	kl_text_tame(cell);
	t->widths[column] = kl_max(t->widths[column], (size_t)columns_of(cell));
}

void cli_cell(struct cli_table *t, const char *fmt, ...)
{
	size_t begin = t->text.len;
	va_list args;
	va_start(args, fmt);
	kl_buf_vprintf(&t->text, fmt, args);
	va_end(args);
	end_cell(t, begin);
}

void cli_cell_ids(struct cli_table *t, const int32_t *ids, size_t n)
{
	size_t begin = t->text.len;
	for (size_t i = 0; i < n; i++)
		kl_buf_printf(&t->text, "%s%d", i > 0 ? "," : "", ids[i]);
	if (n == 0)
		kl_buf_put(&t->text, "-", 1);
	end_cell(t, begin);
}

void cli_cell_text(struct cli_table *t, const char *text)
{
	size_t begin = t->text.len;
	kl_buf_put(&t->text, text, strlen(text));
	end_cell(t, begin);
}

void cli_table_print(struct cli_table *t, const char *indent)
{
	if (t->text.failed)
		exit(cli_fail(CLI_FAILED, "out of memory"));
	const char *cell = (const char *)t->text.data;
	for (size_t i = 0; i < t->cells; i++) {
		size_t column = i % t->columns;
		bool last = column == t->columns - 1;
		int fill = last ? 0 : (int)t->widths[column] - columns_of(cell) + 2;
		printf("%s%s%*s%s", column == 0 ? indent : "", cell, fill, "",
		       last ? "\n" : "");
		cell += strlen(cell) + 1;
	}
	kl_buf_clear(&t->text);
	t->cells = 0;
	memset(t->widths, 0, sizeof(t->widths));
}

void cli_table_free(struct cli_table *t)
{
	kl_buf_free(&t->text);
}
