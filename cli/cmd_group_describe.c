/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm group describe */
#include <stdlib.h>

#include "cli/group.h"
#include "cli/io.h"
#include "cli/table.h"
#include "core/base/text.h"

struct describe_options {
	bool members, offsets, state, json;
};

static bool is_same(const struct klamm_group_member *m)
{
	for (size_t i = 0; i < m->target_count; i++)
		if (m->target_count != m->assignment_count ||
		    strcmp(m->target[i].topic, m->assignment[i].topic) != 0 ||
		    m->target[i].partition != m->assignment[i].partition)
			return false;
	return m->target_count == m->assignment_count;
}

static void member_row(struct cli_table *table, const struct klamm_group_description *g,
		       const struct klamm_group_member *m)
{
	KL_AUTO(kl_buf_free) struct kl_buf has = {0};
	cli_put_partitions(&has, m->assignment, m->assignment_count);
	if (g->epoch >= 0 && !is_same(m)) {
		cli_put_text(&has, " -> ");
		cli_put_partitions(&has, m->target, m->target_count);
	}
	cli_cell(table, "%s", m->id);
	cli_cell(table, "%s", cli_or_dash(m->instance_id));
	cli_cell(table, "%s", cli_or_dash(m->client_id));
	cli_cell(table, "%s", cli_or_dash(m->host));
	cli_cell(table, "%s", cli_or_dash(m->rack));
	if (m->epoch >= 0)
		cli_cell(table, "%d", m->epoch);
	else
		cli_cell(table, "-");
	cli_cell(table, "%zu", m->assignment_count);
	cli_cell_text(table, kl_buf_text(&has));
	table->text.failed |= has.failed;
}

static void print_members(const struct cli *cli, const struct klamm_group_description *g)
{
	static const char *const heads[] = {"MEMBER",     "INSTANCE",  "CLIENT",
					    "HOST",       "RACK",      "EPOCH",
					    "PARTITIONS", "ASSIGNMENT"};
	struct cli_table table = {.columns = kl_countof(heads)};
	for (size_t i = 0; !cli->quiet && i < kl_countof(heads); i++)
		cli_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < g->member_count; i++)
		member_row(&table, g, g->members[i]);
	cli_table_print(&table, "  ");
	cli_table_free(&table);
}

static void print_offsets(const struct cli *cli, const struct cli_group_view *view)
{
	static const char *const heads[] = {"TOPIC", "PARTITION", "COMMITTED", "END",
					    "LAG",   "MEMBER",    "CLIENT",    "HOST"};
	struct cli_table table = {.columns = kl_countof(heads)};
	for (size_t i = 0; !cli->quiet && i < kl_countof(heads); i++)
		cli_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < view->count; i++) {
		const struct cli_group_part *part = &view->parts[i];
		const struct klamm_group_member *m = part->owner;
		cli_cell(&table, "%s", part->topic);
		cli_cell(&table, "%d", part->partition);
		cli_cell_offset(&table, part->committed);
		if (part->error != 0)
			cli_cell(&table, "%s", klamm_err_name(part->error));
		else
			cli_cell_offset(&table, part->end);
		cli_cell_offset(&table, part->lag);
		cli_cell(&table, "%s", m != NULL ? m->id : "-");
		cli_cell(&table, "%s", m != NULL ? cli_or_dash(m->client_id) : "-");
		cli_cell(&table, "%s", m != NULL ? cli_or_dash(m->host) : "-");
	}
	cli_table_print(&table, "  ");
	cli_table_free(&table);
}

static void print_state(const struct klamm_group_description *g)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	kl_buf_printf(&b, "%s: %s, %s", g->id, cli_or_dash(g->state), g->type);
	if (g->protocol_type[0] != '\0' && strcmp(g->protocol_type, "consumer") != 0)
		kl_buf_printf(&b, " group of %s", g->protocol_type);
	if (g->assignor[0] != '\0')
		kl_buf_printf(&b, ", assignor %s", g->assignor);
	kl_buf_printf(&b, ", %zu member%s", g->member_count,
		      g->member_count == 1 ? "" : "s");
	if (g->epoch >= 0)
		kl_buf_printf(&b, ", epoch %d (assignment %d)", g->epoch,
			      g->assignment_epoch);
	kl_buf_printf(&b, ", coordinator %d", g->coordinator);
	cli_print_line(&b);
}

static void json_partitions(struct kl_buf *b, const char *name,
			    const struct klamm_topic_partition *v, size_t n)
{
	kl_buf_printf(b, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++) {
		kl_buf_printf(b, "%s{\"topic\":", i > 0 ? "," : "");
		kl_buf_json_bytes(b, v[i].topic, strlen(v[i].topic));
		kl_buf_printf(b, ",\"partition\":%d}", v[i].partition);
	}
	kl_buf_u8(b, ']');
}

static void json_member(struct kl_buf *b, const struct klamm_group_description *g,
			const struct klamm_group_member *m)
{
	cli_put_text(b, "{\"member\":");
	kl_buf_json_bytes(b, m->id, strlen(m->id));
	cli_json_text(b, "instance_id", m->instance_id);
	cli_json_text(b, "client_id", m->client_id);
	cli_json_text(b, "host", m->host);
	cli_json_text(b, "rack", m->rack);
	cli_json_text(b, "protocol", m->protocol[0] != '\0' ? m->protocol : NULL);
	cli_json_offset(b, "epoch", m->epoch);
	kl_buf_printf(b, ",\"topics\":[");
	for (size_t i = 0; i < m->topic_count; i++) {
		if (i > 0)
			kl_buf_u8(b, ',');
		kl_buf_json_bytes(b, m->topics[i], strlen(m->topics[i]));
	}
	kl_buf_u8(b, ']');
	cli_json_text(b, "regex", m->regex);
	json_partitions(b, "assignment", m->assignment, m->assignment_count);
	if (g->epoch >= 0)
		json_partitions(b, "target", m->target, m->target_count);
	kl_buf_u8(b, '}');
}

static void print_json(const struct klamm_group_description *g,
		       const struct describe_options *o, const struct cli_group_view *view)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	cli_put_text(&b, "{\"group\":");
	kl_buf_json_bytes(&b, g->id, strlen(g->id));
	cli_json_error(&b, &g->error);
	if (g->error.code == 0) {
		cli_json_text(&b, "type", g->type);
		cli_json_text(&b, "state", g->state);
		cli_json_text(&b, "protocol_type", g->protocol_type);
		cli_json_text(&b, "assignor", g->assignor[0] != '\0' ? g->assignor : NULL);
		kl_buf_printf(&b, ",\"coordinator\":%d", g->coordinator);
		cli_json_offset(&b, "epoch", g->epoch);
		cli_json_offset(&b, "assignment_epoch", g->assignment_epoch);
		kl_buf_printf(&b, ",\"member_count\":%zu", g->member_count);
	}
	if (o->members && g->error.code == 0) {
		cli_put_text(&b, ",\"members\":[");
		for (size_t i = 0; i < g->member_count; i++) {
			if (i > 0)
				kl_buf_u8(&b, ',');
			json_member(&b, g, g->members[i]);
		}
		kl_buf_u8(&b, ']');
	}
	if (o->offsets && view->offsets != NULL) {
		cli_json_offset(&b, "lag", view->lag);
		cli_put_text(&b, ",\"offsets\":[");
		for (size_t i = 0; i < view->count; i++) {
			cli_put_text(&b, i > 0 ? ",{" : "{");
			cli_json_part(&b, &view->parts[i]);
			kl_buf_u8(&b, '}');
		}
		kl_buf_u8(&b, ']');
	}
	cli_print(&b, "}\n");
}

static void print_text(const struct cli *cli, const struct klamm_group_description *g,
		       const struct describe_options *o, const struct cli_group_view *view)
{
	if (g->error.code != 0)
		return;
	print_state(g);
	if (o->members && g->member_count > 0)
		print_members(cli, g);
	if (o->offsets && view->count > 0)
		print_offsets(cli, view);
}

static int describe_with_offsets(const struct cli *cli, struct cli_group_session *s,
				 const char *name, const struct describe_options *o)
{
	struct cli_group_view view;
	int status = cli_group_look(s, name, &view);
	if (view.group != NULL && o->json)
		print_json(view.group, o, &view);
	else if (view.group != NULL)
		print_text(cli, view.group, o, &view);
	if (status == 0)
		status = cli_group_tell_errors(&view);
	cli_group_view_free(&view);
	return status;
}

static int describe_all(const struct cli *cli, struct cli_group_session *s,
			const struct cli_list *names, const struct describe_options *o)
{
	static const struct cli_group_view none;
	struct klamm_group_descriptions *groups;
	struct klamm_error err;
	int rc = klamm_admin_describe_groups(s->session.admin, names->v, names->n, 0,
					     s->session.timeout_ms, &groups, &err);
	if (groups == NULL)
		return cli_error(&err);
	int status = rc == 0 ? CLI_OK : cli_error_status(&err);
	for (size_t i = 0; i < groups->count; i++) {
		const struct klamm_group_description *g = groups->groups[i];
		if (o->json)
			print_json(g, o, &none);
		else
			print_text(cli, g, o, &none);
		if (g->error.code != 0 &&
		    (i == 0 ||
		     strcmp(g->error.text, groups->groups[i - 1]->error.text) != 0))
			cli_error(&g->error);
	}
	klamm_group_descriptions_free(groups);
	return status;
}

static int run_describe(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct describe_options o = *(const struct describe_options *)options;
	struct cli_group_session s = {0};
	if (!o.members && !o.offsets && !o.state)
		o.offsets = o.members = true;
	int status = cli_group_open(cli, &s, o.offsets);
	if (status == 0 && !o.offsets)
		status = describe_all(cli, &s, args, &o);
	for (size_t i = 0; o.offsets && s.consumer != NULL && i < args->n; i++) {
		int rc = describe_with_offsets(cli, &s, args->v[i], &o);
		status = kl_max(status, rc);
	}
	cli_group_close(&s);
	return status;
}

#define AT(member) offsetof(struct describe_options, member)

static const struct cli_option describe_rows[] = {
	{'m', "members", NULL, CLI_FLAG, AT(members), 0, 0,
	 "only the members, and which partitions each has"},
	{'o', "offsets", NULL, CLI_FLAG, AT(offsets), 0, 0,
	 "only the offsets: committed, end, lag, and who reads there"},
	{'s', "state", NULL, CLI_FLAG, AT(state), 0, 0, "only the line with the state"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0, "print each group as a JSON object"},
	{0},
};

#undef AT

const struct cli_command cli_group_describe = {
	.name = "group describe",
	.args = "GROUP...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "show state, members and offsets of groups",
	.options = describe_rows,
	.size = sizeof(struct describe_options),
	.run = run_describe,
};
