/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm topic create, list, describe, delete */
#include <stdlib.h>

#include "cli/io.h"
#include "cli/session.h"
#include "cli/table.h"
#include "core/base/text.h"

/* --- results, one per topic --- */

static void print_result(const char *topic, const struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf line = {0};
	kl_buf_printf(&line, "{\"topic\":");
	kl_buf_json_bytes(&line, topic, strlen(topic));
	if (err->code == 0) {
		kl_buf_printf(&line, ",\"error\":null");
	} else {
		kl_buf_printf(&line,
			      ",\"error\":\"%s\",\"text\":", klamm_err_name(err->code));
		kl_buf_json_bytes(&line, err->text, strlen(err->text));
	}
	cli_print(&line, "}\n");
}

/* What a broker says of one topic is that topic's failure. A failure of the whole call
 * is every topic's, but told once. */
static int tell_results(const struct cli_list *topics, const struct klamm_error *errors,
			int32_t forgiven, bool json)
{
	int status = CLI_OK;
	for (size_t i = 0; i < topics->n; i++) {
		const struct klamm_error *err = &errors[i];
		if (json)
			print_result(topics->v[i], err);
		if (err->code == 0 || err->code == forgiven)
			continue;
		bool told = i > 0 && strcmp(err->text, errors[i - 1].text) == 0;
		if (!told)
			cli_error(err);
		int of_this = err->stage == KLAMM_STAGE_API ? CLI_FAILED
							    : cli_error_status(err);
		status = kl_max(status, of_this);
	}
	return status;
}

/* --- create --- */

struct create_options {
	int32_t partitions, replicas;
	struct cli_list configs;
	bool if_not_exists, dry_run, json;
};

static int parse_configs(const struct cli *cli, const struct cli_list *list,
			 struct klamm_topic_config *configs)
{
	for (size_t i = 0; i < list->n; i++) {
		const char *text = list->v[i], *equal = strchr(text, '=');
		if (equal == NULL || equal == text)
			return cli_usage(cli, "-c %s: must be KEY=VALUE", text);
		char *name = cli_alloc((size_t)(equal - text));
		memcpy(name, text, (size_t)(equal - text));
		configs[i] = (struct klamm_topic_config){name, equal + 1};
	}
	return 0;
}

static int create_topics(struct cli_session *s, const struct create_options *o,
			 const struct cli_list *names,
			 const struct klamm_topic_config *configs)
{
	struct klamm_new_topic *topics = cli_alloc(names->n * sizeof(*topics));
	const struct klamm_new_topic **pointers =
		cli_alloc(names->n * sizeof(*pointers));
	struct klamm_error *errors = cli_alloc(names->n * sizeof(*errors));
	for (size_t i = 0; i < names->n; i++) {
		topics[i] = (struct klamm_new_topic){
			.size = sizeof(*topics),
			.name = names->v[i],
			.partitions = o->partitions,
			.replicas = o->replicas,
			.configs = configs,
			.config_count = o->configs.n,
		};
		pointers[i] = &topics[i];
	}
	klamm_admin_create_topics(s->admin, pointers, names->n,
				  o->dry_run ? KLAMM_ADMIN_VALIDATE_ONLY : 0,
				  s->timeout_ms, errors, NULL);
	int forgiven = o->if_not_exists ? KLAMM_ERR_TOPIC_ALREADY_EXISTS : 0;
	int status = tell_results(names, errors, forgiven, o->json);
	free(topics);
	free(pointers);
	free(errors);
	return status;
}

static int run_create(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct create_options *o = options;
	struct klamm_topic_config *configs = cli_alloc(o->configs.n * sizeof(*configs));
	struct cli_session s = {0};
	int status = parse_configs(cli, &o->configs, configs);
	if (status == 0)
		status = cli_session_open(cli, &s);
	if (status == 0)
		status = create_topics(&s, o, args, configs);
	cli_session_close(&s);
	for (size_t i = 0; i < o->configs.n; i++)
		free((void *)configs[i].name);
	free(configs);
	return status;
}

#define AT(member) offsetof(struct create_options, member)

static const struct cli_option create_rows[] = {
	{'p', "partitions", "N", CLI_INT32, AT(partitions), 1, INT32_MAX,
	 "how many partitions, instead of the broker's default"},
	{'r', "replicas", "N", CLI_INT32, AT(replicas), 1, INT16_MAX,
	 "copies of each partition, instead of the broker's default"},
	{'c', "config", "KEY=VALUE", CLI_LIST, AT(configs), 0, 0,
	 "a setting of the topic, such as retention.ms=60000; may be repeated"},
	{0, "if-not-exists", NULL, CLI_FLAG, AT(if_not_exists), 0, 0,
	 "no error for a topic that is there"},
	{0, "dry-run", NULL, CLI_FLAG, AT(dry_run), 0, 0,
	 "let the broker say whether it would work"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0,
	 "print each result as a JSON object"},
	{0},
};

#undef AT

static const struct create_options create_defaults = {.partitions = -1, .replicas = -1};

const struct cli_command cli_topic_create = {
	.name = "topic create",
	.args = "TOPIC...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "create topics",
	.options = create_rows,
	.defaults = &create_defaults,
	.size = sizeof(struct create_options),
	.run = run_create,
};

/* --- delete --- */

struct delete_options {
	bool if_exists, json;
};

static int run_delete(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct delete_options *o = options;
	struct cli_session s = {0};
	int status = cli_session_open(cli, &s);
	if (status == 0) {
		struct klamm_error *errors = cli_alloc(args->n * sizeof(*errors));
		klamm_admin_delete_topics(s.admin, args->v, args->n, s.timeout_ms,
					  errors, NULL);
		int forgiven = o->if_exists ? KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION : 0;
		status = tell_results(args, errors, forgiven, o->json);
		free(errors);
	}
	cli_session_close(&s);
	return status;
}

static const struct cli_option delete_rows[] = {
	{0, "if-exists", NULL, CLI_FLAG, offsetof(struct delete_options, if_exists), 0,
	 0, "no error for a topic that is not there"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct delete_options, json), 0, 0,
	 "print each result as a JSON object"},
	{0},
};

const struct cli_command cli_topic_delete = {
	.name = "topic delete",
	.args = "TOPIC...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "delete topics",
	.options = delete_rows,
	.size = sizeof(struct delete_options),
	.run = run_delete,
};

/* --- list and describe --- */

struct show_options {
	bool internal, json;
};

static size_t replicas_of(const struct klamm_topic_description *t)
{
	return t->partition_count > 0 ? t->partitions[0]->replica_count : 0;
}

static void json_ids(struct kl_buf *b, const char *name, const int32_t *ids, size_t n)
{
	kl_buf_printf(b, ",\"%s\":[", name);
	for (size_t i = 0; i < n; i++)
		kl_buf_printf(b, "%s%d", i > 0 ? "," : "", ids[i]);
	kl_buf_printf(b, "]");
}

static void json_error(struct kl_buf *b, int32_t error)
{
	if (error == 0)
		kl_buf_printf(b, ",\"error\":null");
	else
		kl_buf_printf(b, ",\"error\":\"%s\"", klamm_err_name(error));
}

static void json_partition(struct kl_buf *b,
			   const struct klamm_partition_description *p)
{
	kl_buf_printf(b, "{\"partition\":%d,\"leader\":%d,\"leader_epoch\":%d",
		      p->partition, p->leader, p->leader_epoch);
	json_ids(b, "replicas", p->replicas, p->replica_count);
	json_ids(b, "in_sync", p->in_sync, p->in_sync_count);
	json_ids(b, "offline", p->offline, p->offline_count);
	json_error(b, p->error);
	kl_buf_printf(b, "}");
}

static void print_json(const struct klamm_topic_description *t, bool partitions)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	char id[KL_UUID_TEXT];
	kl_uuid_text(&t->id, id);
	kl_buf_printf(&b, "{\"topic\":");
	kl_buf_json_bytes(&b, t->name, strlen(t->name));
	kl_buf_printf(&b, ",\"id\":\"%s\",\"internal\":%s", id,
		      t->internal ? "true" : "false");
	json_error(&b, t->error);
	kl_buf_printf(&b, ",\"partition_count\":%zu,\"replica_count\":%zu",
		      t->partition_count, replicas_of(t));
	if (partitions) {
		kl_buf_printf(&b, ",\"partitions\":[");
		for (size_t i = 0; i < t->partition_count; i++) {
			if (i > 0)
				kl_buf_u8(&b, ',');
			json_partition(&b, t->partitions[i]);
		}
		kl_buf_printf(&b, "]");
	}
	cli_print(&b, "}\n");
}

static int list_topics(const struct cli *cli, const struct show_options *o,
		       const struct klamm_topic_list *list)
{
	struct cli_table table = {.columns = 3};
	if (!cli->quiet && !o->json) {
		cli_cell(&table, "TOPIC");
		cli_cell(&table, "PARTITIONS");
		cli_cell(&table, "REPLICAS");
	}
	for (size_t i = 0; i < list->count; i++) {
		const struct klamm_topic_description *t = list->topics[i];
		if (t->internal && !o->internal)
			continue;
		if (o->json) {
			print_json(t, false);
			continue;
		}
		cli_cell(&table, "%s", t->name);
		cli_cell(&table, "%zu", t->partition_count);
		cli_cell(&table, "%zu", replicas_of(t));
	}
	cli_table_print(&table, "");
	cli_table_free(&table);
	return CLI_OK;
}

static void print_partitions(const struct klamm_topic_description *t)
{
	static const char *const heads[] = {"PARTITION", "LEADER",  "EPOCH", "REPLICAS",
					    "IN-SYNC",	 "OFFLINE", "STATE"};
	struct cli_table table = {.columns = kl_countof(heads)};
	for (size_t i = 0; i < kl_countof(heads); i++)
		cli_cell(&table, "%s", heads[i]);
	for (size_t i = 0; i < t->partition_count; i++) {
		const struct klamm_partition_description *p = t->partitions[i];
		cli_cell(&table, "%d", p->partition);
		cli_cell(&table, "%d", p->leader);
		cli_cell(&table, "%d", p->leader_epoch);
		cli_cell_ids(&table, p->replicas, p->replica_count);
		cli_cell_ids(&table, p->in_sync, p->in_sync_count);
		cli_cell_ids(&table, p->offline, p->offline_count);
		cli_cell(&table, "%s", p->error == 0 ? "ok" : klamm_err_name(p->error));
	}
	cli_table_print(&table, "  ");
	cli_table_free(&table);
}

static int describe_topics(const struct cli *cli, const struct show_options *o,
			   const struct klamm_topic_list *list)
{
	int status = CLI_OK;
	for (size_t i = 0; i < list->count; i++) {
		const struct klamm_topic_description *t = list->topics[i];
		if (o->json)
			print_json(t, true);
		if (t->error != 0)
			status = cli_fail(CLI_FAILED, "topic %s: %s", t->name,
					  klamm_err_text(t->error));
		if (o->json || t->error != 0)
			continue;
		char id[KL_UUID_TEXT];
		KL_AUTO(kl_buf_free) struct kl_buf b = {0};
		kl_uuid_text(&t->id, id);
		kl_buf_printf(&b, "%s: %zu partition%s, %zu replica%s, id %s%s", t->name,
			      t->partition_count, t->partition_count == 1 ? "" : "s",
			      replicas_of(t), replicas_of(t) == 1 ? "" : "s", id,
			      t->internal ? ", internal" : "");
		cli_print_line(&b);
		print_partitions(t);
	}
	return status;
}

static int show(struct cli *cli, const void *options, const struct cli_list *names,
		int (*print)(const struct cli *cli, const struct show_options *o,
			     const struct klamm_topic_list *list))
{
	struct cli_session s = {0};
	int status = cli_session_open(cli, &s);
	if (status == 0) {
		struct klamm_topic_list *list;
		struct klamm_error err;
		if (klamm_admin_describe_topics(s.admin, names->n > 0 ? names->v : NULL,
						names->n, s.timeout_ms, &list,
						&err) != 0) {
			status = cli_error(&err);
		} else {
			status = print(cli, options, list);
			klamm_topic_list_free(list);
		}
	}
	cli_session_close(&s);
	return status;
}

static int list(struct cli *cli, const void *options, const struct cli_list *args)
{
	return show(cli, options, args, list_topics);
}

static int describe(struct cli *cli, const void *options, const struct cli_list *args)
{
	return show(cli, options, args, describe_topics);
}

static const struct cli_option list_rows[] = {
	{'i', "internal", NULL, CLI_FLAG, offsetof(struct show_options, internal), 0, 0,
	 "Kafka's own topics too"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct show_options, json), 0, 0,
	 "print each topic as a JSON object"},
	{0},
};

const struct cli_command cli_topic_list = {
	.name = "topic list",
	.args = "",
	.summary = "list topics with their numbers of partitions and replicas",
	.about = "-q leaves the heading out.\n",
	.options = list_rows,
	.size = sizeof(struct show_options),
	.run = list,
};

const struct cli_command cli_topic_describe = {
	.name = "topic describe",
	.args = "[TOPIC...]",
	.max_args = CLI_MANY,
	.summary = "show partitions, their leaders and replicas",
	.options = list_rows + 1, /* -i says nothing here */
	.size = sizeof(struct show_options),
	.run = describe,
};
