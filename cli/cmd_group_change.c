/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm group delete, delete-offsets, remove-member */
#include <stdlib.h>

#include "cli/group.h"
#include "cli/io.h"
#include "core/base/text.h"

/* --- results, one each --- */

static void begin_json(struct kl_buf *b, const char *group)
{
	cli_put_text(b, "{\"group\":");
	kl_buf_json_bytes(b, group, strlen(group));
}

static void end_json(struct kl_buf *b, const struct klamm_error *err)
{
	cli_json_error(b, err);
	cli_print(b, "}\n");
	kl_buf_free(b);
}

/* The statuses of several errors, each text told once. */
static int tell(const struct klamm_error *errors, size_t i, int32_t forgiven, int status)
{
	const struct klamm_error *err = &errors[i];
	if (err->code == 0 || err->code == forgiven)
		return status;
	if (i == 0 || strcmp(err->text, errors[i - 1].text) != 0)
		cli_error(err);
	int of_this = err->stage == KLAMM_STAGE_API ? CLI_FAILED : cli_error_status(err);
	return kl_max(status, of_this);
}

/* --- delete --- */

struct delete_options {
	bool if_exists, json;
};

static int run_delete(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct delete_options *o = options;
	struct cli_session s = {0};
	int status = cli_session_open(cli, &s);
	struct klamm_error *errors = cli_alloc(args->n * sizeof(*errors));
	if (status == 0) {
		klamm_admin_delete_groups(s.admin, args->v, args->n, s.timeout_ms, errors,
					  NULL);
		int forgiven = o->if_exists ? KLAMM_ERR_GROUP_ID_NOT_FOUND : 0;
		for (size_t i = 0; i < args->n; i++) {
			struct kl_buf b = {0};
			if (o->json) {
				begin_json(&b, args->v[i]);
				end_json(&b, &errors[i]);
			}
			status = tell(errors, i, forgiven, status);
		}
	}
	free(errors);
	cli_session_close(&s);
	return status;
}

static const struct cli_option delete_rows[] = {
	{0, "if-exists", NULL, CLI_FLAG, offsetof(struct delete_options, if_exists), 0, 0,
	 "no error for a group that is not there"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct delete_options, json), 0, 0,
	 "print each result as a JSON object"},
	{0},
};

const struct cli_command cli_group_delete = {
	.name = "group delete",
	.args = "GROUP...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "delete groups without members, and their offsets",
	.options = delete_rows,
	.size = sizeof(struct delete_options),
	.run = run_delete,
};

/* --- delete-offsets --- */

struct offsets_options {
	struct cli_list topics;
	bool json;
};

static int delete_offsets(struct cli_session *s, const char *group,
			  const struct cli_parts *parts, bool json)
{
	struct klamm_error *errors = cli_alloc(parts->n * sizeof(*errors));
	int status = CLI_OK;
	klamm_admin_delete_group_offsets(s->admin, group, parts->v, parts->n, s->timeout_ms,
					 errors, NULL);
	for (size_t i = 0; i < parts->n; i++) {
		struct kl_buf b = {0};
		if (json) {
			begin_json(&b, group);
			cli_json_text(&b, "topic", parts->v[i].topic);
			kl_buf_printf(&b, ",\"partition\":%d", parts->v[i].partition);
			end_json(&b, &errors[i]);
		}
		status = tell(errors, i, 0, status);
	}
	free(errors);
	return status;
}

static int run_delete_offsets(struct cli *cli, const void *options,
			      const struct cli_list *args)
{
	const struct offsets_options *o = options;
	struct cli_session s = {0};
	struct cli_parts parts = {0};
	if (o->topics.n == 0)
		return cli_usage(cli, "--topic is missing");
	int status = cli_session_open(cli, &s);
	for (size_t i = 0; status == 0 && i < o->topics.n; i++)
		status = cli_parts_add(cli, &s, o->topics.v[i], &parts);
	if (status == 0)
		status = delete_offsets(&s, args->v[0], &parts, o->json);
	cli_parts_free(&parts);
	cli_session_close(&s);
	return status;
}

static const struct cli_option offsets_rows[] = {
	{'t', "topic", "TOPIC[:N,...]", CLI_LIST, offsetof(struct offsets_options, topics),
	 0, 0, "whose offsets: of a topic, or some of its partitions; may be repeated"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct offsets_options, json), 0, 0,
	 "print each result as a JSON object"},
	{0},
};

const struct cli_command cli_group_delete_offsets = {
	.name = "group delete-offsets",
	.args = "GROUP",
	.min_args = 1,
	.max_args = 1,
	.summary = "forget what a group has committed for topics",
	.about = "No member may subscribe to them.\n",
	.options = offsets_rows,
	.size = sizeof(struct offsets_options),
	.run = run_delete_offsets,
};

/* --- remove-member --- */

struct member_options {
	struct cli_list members, instances;
	const char *reason;
	bool all, json;
};

static int remove_members(struct cli_session *s, const char *group,
			  const struct member_options *o)
{
	size_t n = o->members.n + o->instances.n;
	struct klamm_member_name *names = cli_alloc(n * sizeof(*names));
	struct klamm_error *errors = cli_alloc(n * sizeof(*errors));
	int status = CLI_OK;
	for (size_t i = 0; i < n; i++) {
		bool dynamic = i < o->members.n;
		names[i].id = dynamic ? o->members.v[i] : NULL;
		names[i].instance_id = dynamic ? NULL : o->instances.v[i - o->members.n];
	}
	klamm_admin_remove_group_members(s->admin, group, names, n, o->reason,
					 s->timeout_ms, errors, NULL);
	for (size_t i = 0; i < n; i++) {
		struct kl_buf b = {0};
		if (o->json) {
			begin_json(&b, group);
			cli_json_text(&b, "member", names[i].id);
			cli_json_text(&b, "instance_id", names[i].instance_id);
			end_json(&b, &errors[i]);
		}
		status = tell(errors, i, 0, status);
	}
	free(names);
	free(errors);
	return status;
}

static int remove_all(struct cli_session *s, const char *group,
		      const struct member_options *o)
{
	struct klamm_error err = {0};
	int rc = klamm_admin_remove_group_members(s->admin, group, NULL, 0, o->reason,
						  s->timeout_ms, NULL, &err);
	if (o->json) {
		struct kl_buf b = {0};
		begin_json(&b, group);
		end_json(&b, &err);
	}
	if (rc == 0)
		return CLI_OK;
	int status = cli_error(&err);
	return err.stage == KLAMM_STAGE_API ? CLI_FAILED : status;
}

static int run_remove(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct member_options *o = options;
	bool some = o->members.n + o->instances.n > 0;
	if (some && o->all)
		return cli_usage(cli, "--all, --member and --instance exclude each other");
	if (!some && !o->all)
		return cli_usage(cli, "--member, --instance or --all is missing");
	struct cli_session s = {0};
	int status = cli_session_open(cli, &s);
	if (status == 0)
		status = o->all ? remove_all(&s, args->v[0], o)
				: remove_members(&s, args->v[0], o);
	cli_session_close(&s);
	return status;
}

#define AT(member) offsetof(struct member_options, member)

static const struct cli_option member_rows[] = {
	{'m', "member", "ID", CLI_LIST, AT(members), 0, 0, "by its id; may be repeated"},
	{'i', "instance", "ID", CLI_LIST, AT(instances), 0, 0,
	 "by its group.instance.id; may be repeated"},
	{0, "all", NULL, CLI_FLAG, AT(all), 0, 0, "all members"},
	{0, "reason", "TEXT", CLI_TEXT, AT(reason), 0, 0,
	 "what the broker's log shall say"},
	{'J', "json", NULL, CLI_FLAG, AT(json), 0, 0, "print each result as a JSON object"},
	{0},
};

#undef AT

const struct cli_command cli_group_remove_member = {
	.name = "group remove-member",
	.args = "GROUP",
	.min_args = 1,
	.max_args = 1,
	.summary = "take members out of a classic group",
	.about =
		"Their partitions go to the others at once, and not only when the session is "
		"over.\nA member that lives joins again.\n",
	.options = member_rows,
	.size = sizeof(struct member_options),
	.run = run_remove,
};
