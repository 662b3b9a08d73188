/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm group list, offsets */
#include <stdlib.h>

#include "cli/group.h"
#include "cli/io.h"
#include "cli/table.h"
#include "core/base/text.h"

/* --- list --- */

struct list_options {
	struct cli_list states, types;
	bool json;
};

/* The words of "Stable,Empty" given once or more, in one list. */
static void split(const struct cli_list *texts, struct cli_list *words)
{
	for (size_t i = 0; i < texts->n; i++)
		for (const char *p = texts->v[i]; *p != '\0';) {
			size_t len = strcspn(p, ",");
			char *word = cli_alloc(len);
			memcpy(word, p, len);
			cli_list_add(words, word);
			p += len + (p[len] == ',');
		}
}

static void free_words(struct cli_list *words)
{
	for (size_t i = 0; i < words->n; i++)
		free((void *)words->v[i]);
	free(words->v);
}

/* A misspelt word would find nothing, which looks like an answer. */
static int check_words(const struct cli *cli, const char *option,
		       const struct cli_list *words, const char *const *known, size_t n)
{
	for (size_t i = 0; i < words->n; i++) {
		bool found = false;
		for (size_t j = 0; j < n; j++)
			found |= strcasecmp(words->v[i], known[j]) == 0;
		if (found)
			continue;
		const char *near = cli_nearest(words->v[i], known, n);
		if (near != NULL)
			return cli_usage(cli, "%s %s: there is no such; did you mean %s?",
					 option, words->v[i], near);
		return cli_usage(cli, "%s %s: there is no such", option, words->v[i]);
	}
	return 0;
}

static const char *const states[] = {
	"PreparingRebalance", "CompletingRebalance", "Stable",   "Dead", "Empty",
	"Assigning",          "Reconciling",         "NotReady",
};
static const char *const types[] = {"classic", "consumer", "share", "streams"};

static void listing_json(const struct klamm_group_listing *g)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	kl_buf_printf(&b, "{\"group\":");
	kl_buf_json_bytes(&b, g->id, strlen(g->id));
	cli_json_text(&b, "type", g->type[0] != '\0' ? g->type : NULL);
	cli_json_text(&b, "protocol_type", g->protocol_type);
	cli_json_text(&b, "state", g->state[0] != '\0' ? g->state : NULL);
	kl_buf_printf(&b, ",\"coordinator\":%d", g->coordinator);
	cli_print(&b, "}\n");
}

static void print_list(const struct cli *cli, const struct klamm_group_list *list,
		       bool json)
{
	static const char *const heads[] = {"GROUP", "TYPE", "PROTOCOL", "STATE",
					    "COORDINATOR"};
	struct cli_table table = {.columns = kl_countof(heads)};
	for (size_t i = 0; !cli->quiet && !json && i < kl_countof(heads); i++)
		cli_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < list->count; i++) {
		const struct klamm_group_listing *g = list->groups[i];
		if (json) {
			listing_json(g);
			continue;
		}
		cli_cell(&table, "%s", g->id);
		cli_cell(&table, "%s", cli_or_dash(g->type));
		cli_cell(&table, "%s", cli_or_dash(g->protocol_type));
		cli_cell(&table, "%s", cli_or_dash(g->state));
		cli_cell(&table, "%d", g->coordinator);
	}
	cli_table_print(&table, "");
	cli_table_free(&table);
}

static int list_groups(const struct cli *cli, struct cli_session *s,
		       const struct klamm_group_filter *filter, bool json)
{
	struct klamm_group_list *list;
	struct klamm_error err;
	int rc = klamm_admin_list_groups(s->admin, filter, s->timeout_ms, &list, &err);
	if (list != NULL)
		print_list(cli, list, json);
	int status = rc == 0 ? CLI_OK : cli_error(&err);
	for (size_t i = 1; list != NULL && i < list->error_count; i++)
		if (strcmp(list->errors[i].text, list->errors[i - 1].text) != 0)
			cli_error(&list->errors[i]);
	klamm_group_list_free(list);
	return status;
}

static int run_list(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct list_options *o = options;
	struct cli_list of_state = {0}, of_type = {0};
	struct cli_session s = {0};
	split(&o->states, &of_state);
	split(&o->types, &of_type);
	int status = check_words(cli, "--state", &of_state, states, kl_countof(states));
	if (status == 0)
		status = check_words(cli, "--type", &of_type, types, kl_countof(types));
	if (status == 0)
		status = cli_session_open(cli, &s);
	const struct klamm_group_filter filter = {
		.size = sizeof(filter),
		.states = of_state.v,
		.state_count = of_state.n,
		.types = of_type.v,
		.type_count = of_type.n,
	};
	if (status == 0)
		status = list_groups(cli, &s, &filter, o->json);
	cli_session_close(&s);
	free_words(&of_state);
	free_words(&of_type);
	return status;
}

static const struct cli_option list_rows[] = {
	{0, "state", "STATE,...", CLI_LIST, offsetof(struct list_options, states), 0, 0,
	 "only groups in these states: Stable, Empty, ... (Kafka 2.6)"},
	{0, "type", "TYPE,...", CLI_LIST, offsetof(struct list_options, types), 0, 0,
	 "only groups of these types: classic, consumer, ... (Kafka 3.8)"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct list_options, json), 0, 0,
	 "print each group as a JSON object"},
	{0},
};

const struct cli_command cli_group_list = {
	.name = "group list",
	.args = "",
	.summary = "list groups, their types and states",
	.about = "-q leaves the heading out.\n",
	.options = list_rows,
	.size = sizeof(struct list_options),
	.run = run_list,
};

/* --- offsets --- */

struct offsets_options {
	bool stable, json;
};

static void print_committed(const struct cli *cli, const struct klamm_group_offsets *g,
			    bool json)
{
	static const char *const heads[] = {"TOPIC", "PARTITION", "COMMITTED", "EPOCH",
					    "METADATA"};
	struct cli_table table = {.columns = kl_countof(heads)};
	for (size_t i = 0; !json && !cli->quiet && i < kl_countof(heads); i++)
		cli_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < g->count; i++) {
		const struct klamm_group_offset *o = g->offsets[i];
		struct cli_group_part part = {
			.topic = o->topic,
			.partition = o->partition,
			.error = o->error,
			.committed = o->offset,
			.epoch = o->leader_epoch,
			.metadata = o->metadata,
		};
		if (json) {
			KL_AUTO(kl_buf_free) struct kl_buf b = {0};
			cli_put_text(&b, "{\"group\":");
			kl_buf_json_bytes(&b, g->group, strlen(g->group));
			cli_put_text(&b, ",\"topic\":");
			kl_buf_json_bytes(&b, part.topic, strlen(part.topic));
			kl_buf_printf(&b, ",\"partition\":%d", part.partition);
			cli_json_offset(&b, "committed", part.committed);
			cli_json_offset(&b, "leader_epoch", part.epoch);
			cli_json_text(&b, "metadata", part.metadata);
			cli_json_text(&b, "error",
				      part.error == 0 ? NULL : klamm_err_name(part.error));
			cli_print(&b, "}\n");
			continue;
		}
		cli_cell(&table, "%s", part.topic);
		cli_cell(&table, "%d", part.partition);
		if (part.error != 0)
			cli_cell(&table, "%s", klamm_err_name(part.error));
		else
			cli_cell_offset(&table, part.committed);
		cli_cell_offset(&table, part.epoch);
		cli_cell_text(&table, cli_or_dash(part.metadata));
	}
	cli_table_print(&table, "");
	cli_table_free(&table);
}

static int tell_errors(const struct klamm_group_offsets *g)
{
	int status = CLI_OK;
	for (size_t i = 0; i < g->count; i++) {
		const struct klamm_group_offset *o = g->offsets[i];
		if (o->error != 0)
			status = cli_group_part_failed(g->group, o->topic, o->partition,
						       o->error);
	}
	return status;
}

static int run_offsets(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct offsets_options *o = options;
	struct klamm_group_offsets_query query = {.size = sizeof(query),
						  .group = args->v[0]};
	const struct klamm_group_offsets_query *pointer = &query;
	struct klamm_group_offsets_list *list = NULL;
	struct klamm_error err;
	struct cli_session s = {0};
	int status = cli_session_open(cli, &s);
	if (status == 0 && klamm_admin_list_group_offsets(
				   s.admin, &pointer, 1, o->stable ? KLAMM_ADMIN_STABLE : 0,
				   s.timeout_ms, &list, &err) != 0)
		status = cli_error(&err);
	if (status == 0) {
		print_committed(cli, list->groups[0], o->json);
		status = tell_errors(list->groups[0]);
	}
	klamm_group_offsets_list_free(list);
	cli_session_close(&s);
	return status;
}

static const struct cli_option offsets_rows[] = {
	{0, "stable", NULL, CLI_FLAG, offsetof(struct offsets_options, stable), 0, 0,
	 "wait for transactions that are about to commit offsets"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct offsets_options, json), 0, 0,
	 "print each partition as a JSON object"},
	{0},
};

const struct cli_command cli_group_offsets = {
	.name = "group offsets",
	.args = "GROUP",
	.min_args = 1,
	.max_args = 1,
	.summary = "show what a group has committed",
	.about = "That is offset, leader epoch and metadata, as the coordinator has them; "
		 "\"group lag\"\nputs them beside the ends of partitions.\n",
	.options = offsets_rows,
	.size = sizeof(struct offsets_options),
	.run = run_offsets,
};
