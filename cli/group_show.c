/* SPDX-License-Identifier: BSD-2-Clause */
/* Groups as text and JSON: speeds, tables, members of objects. */
#include <math.h>
#include <stdio.h>

#include "cli/group.h"
#include "cli/io.h"
#include "cli/table.h"
#include "core/base/text.h"

/* --- speed --- */

static void add_movement(const struct cli_group_view *before,
			 const struct cli_group_part *part, double *consumed,
			 double *produced)
{
	const struct cli_group_part *old = cli_group_find((struct cli_group_view *)before,
							  part->topic, part->partition);
	if (old == NULL || part->lag < 0 || old->lag < 0)
		return;
	*consumed += (double)(part->committed - old->committed);
	*produced += (double)(part->end - old->end);
}

struct cli_group_speed cli_group_speed(const struct cli_group_view *before,
				       const struct cli_group_view *now,
				       const struct cli_group_part *part)
{
	struct cli_group_speed speed = {NAN, NAN, NAN};
	int64_t lag = part != NULL ? part->lag : now->lag;
	if (before == NULL || before->group == NULL || now->at_us <= before->at_us ||
	    lag < 0)
		return speed;
	double seconds = (double)(now->at_us - before->at_us) / 1e6;
	double consumed = 0, produced = 0;
	if (part != NULL)
		add_movement(before, part, &consumed, &produced);
	for (size_t i = 0; part == NULL && i < now->count; i++)
		add_movement(before, &now->parts[i], &consumed, &produced);
	speed.consumed = consumed / seconds;
	speed.produced = produced / seconds;
	double gain = speed.consumed - speed.produced;
	speed.eta_s = lag == 0 ? 0 : gain > 0 ? (double)lag / gain : INFINITY;
	return speed;
}

const char *cli_speed_text(double per_s, char text[static CLI_SPEED_TEXT])
{
	if (isnan(per_s))
		return "-";
	snprintf(text, CLI_SPEED_TEXT, "%.*f", per_s < 100 && per_s > -100 ? 1 : 0, per_s);
	return text;
}

const char *cli_eta_text(double seconds, char text[static CLI_SPEED_TEXT])
{
	if (isnan(seconds))
		return "-";
	if (isinf(seconds) || seconds > 1e9)
		return "never";
	long s = (long)(seconds + 0.5);
	if (s < 60)
		snprintf(text, CLI_SPEED_TEXT, "%lds", s);
	else if (s < 3600)
		snprintf(text, CLI_SPEED_TEXT, "%ldm%lds", s / 60, s % 60);
	else if (s < 86400)
		snprintf(text, CLI_SPEED_TEXT, "%ldh%ldm", s / 3600, s % 3600 / 60);
	else
		snprintf(text, CLI_SPEED_TEXT, "%ldd%ldh", s / 86400, s % 86400 / 3600);
	return text;
}

/* --- cells --- */

const char *cli_or_dash(const char *text)
{
	return text != NULL && text[0] != '\0' ? text : "-";
}

void cli_cell_offset(struct cli_table *table, int64_t offset)
{
	if (offset < 0)
		cli_cell(table, "-");
	else
		cli_cell(table, "%lld", (long long)offset);
}

/* --- JSON --- */

static void put_name(struct kl_buf *b, const char *member)
{
	kl_buf_printf(b, ",\"%s\":", member);
}

void cli_json_text(struct kl_buf *b, const char *member, const char *text)
{
	put_name(b, member);
	if (text == NULL)
		cli_put_text(b, "null");
	else
		kl_buf_json_bytes(b, text, strlen(text));
}

/* NAN, INFINITY = null */
static void put_number(struct kl_buf *b, const char *member, double n)
{
	put_name(b, member);
	if (isfinite(n))
		kl_buf_printf(b, "%.3f", n);
	else
		cli_put_text(b, "null");
}

void cli_json_offset(struct kl_buf *b, const char *member, int64_t n)
{
	put_name(b, member);
	if (n >= 0)
		cli_put_int(b, n);
	else
		cli_put_text(b, "null");
}

void cli_json_error(struct kl_buf *b, const struct klamm_error *err)
{
	cli_json_text(b, "error", err->code == 0 ? NULL : klamm_err_name(err->code));
	if (err->code != 0)
		cli_json_text(b, "text", err->text);
}

void cli_json_part(struct kl_buf *b, const struct cli_group_part *part)
{
	cli_put_text(b, "\"topic\":");
	kl_buf_json_bytes(b, part->topic, strlen(part->topic));
	kl_buf_printf(b, ",\"partition\":%d", part->partition);
	cli_json_offset(b, "committed", part->committed);
	cli_json_offset(b, "leader_epoch", part->epoch);
	cli_json_text(b, "metadata", part->metadata);
	cli_json_offset(b, "start", part->start);
	cli_json_offset(b, "end", part->end);
	cli_json_offset(b, "lag", part->lag);
	cli_json_text(b, "member", part->owner != NULL ? part->owner->id : NULL);
	cli_json_text(b, "error", part->error == 0 ? NULL : klamm_err_name(part->error));
}

void cli_json_speed(struct kl_buf *b, const struct cli_group_speed *speed)
{
	put_number(b, "consumed_per_s", speed->consumed);
	put_number(b, "produced_per_s", speed->produced);
	put_number(b, "eta_s", speed->eta_s);
}

/* --- the table of lags --- */

static void lag_row(struct cli_table *table, const struct cli_group_view *before,
		    const struct cli_group_view *now, const struct cli_group_part *part)
{
	char text[CLI_SPEED_TEXT];
	cli_cell(table, "%s", part != NULL ? part->topic : "(all)");
	if (part != NULL) {
		cli_cell(table, "%d", part->partition);
		cli_cell_offset(table, part->committed);
		if (part->error != 0)
			cli_cell(table, "%s", klamm_err_name(part->error));
		else
			cli_cell_offset(table, part->end);
	} else {
		for (int i = 0; i < 3; i++)
			cli_cell(table, "%s", "");
	}
	cli_cell_offset(table, part != NULL ? part->lag : now->lag);
	if (before == NULL)
		return;
	struct cli_group_speed speed = cli_group_speed(before, now, part);
	cli_cell(table, "%s", cli_speed_text(speed.consumed, text));
	cli_cell(table, "%s", cli_speed_text(speed.produced, text));
	cli_cell(table, "%s", cli_eta_text(speed.eta_s, text));
}

void cli_group_print_lag(const struct cli *cli, const struct cli_group_view *before,
			 const struct cli_group_view *now)
{
	static const char *const heads[] = {"TOPIC", "PARTITION", "COMMITTED", "END",
					    "LAG",   "READ/S",    "WRITTEN/S", "ETA"};
	struct cli_table table = {.columns = before != NULL ? 8 : 5};
	for (size_t i = 0; !cli->quiet && i < table.columns; i++)
		cli_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < now->count; i++)
		lag_row(&table, before, now, &now->parts[i]);
	if (now->count > 1 && !cli->quiet)
		lag_row(&table, before, now, NULL);
	cli_table_print(&table, "");
	cli_table_free(&table);
}
