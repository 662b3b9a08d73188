/* SPDX-License-Identifier: BSD-2-Clause */
/* Rows of cells in aligned columns, two blanks apart; none of them controls a terminal. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include "cli/cli.h"
#include "core/base/buf.h"

#define CLI_TABLE_COLUMNS 8

struct cli_table {
	size_t columns;
	struct kl_buf text; /* the cells, each ended by a NUL */
	size_t cells;
	size_t widths[CLI_TABLE_COLUMNS];
};

/* Cells go from left to right, then to the next row. */
void cli_cell(struct cli_table *table, const char *fmt, ...) KL_PRINTF(2, 3);
void cli_cell_text(struct cli_table *table, const char *text);
/* "1,2,3", "-" for none */
void cli_cell_ids(struct cli_table *table, const int32_t *ids, size_t n);
/* Each row on stdout behind indent; the table is empty then. */
void cli_table_print(struct cli_table *table, const char *indent);
void cli_table_free(struct cli_table *table);

#endif
