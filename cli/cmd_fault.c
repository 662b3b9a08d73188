/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm fault set, list, clear: the setting klamm.fault of a running klamm broker. */
#include <stdio.h>
#include <stdlib.h>

#include "cli/io.h"
#include "cli/session.h"
#include "core/admin/admin.h"
#include "core/base/error.h"
#include "core/base/text.h"

#define SETTING "klamm.fault"
#define HITS "klamm.fault.hits"
#define RESOURCE_BROKER 4
enum {
	OP_SET,
	OP_DELETE,
	OP_APPEND,
};

/* One request about the setting. */
struct fault_call {
	struct kl_call call;
	int op;
	const char *text;         /* alter; NULL = none */
	struct kl_buf faults, hits; /* describe */
};

/* --- showing --- */

static const void *prepare_describe(struct kl_call *call, int version)
{
	struct kl_describe_configs_request *body = kl_arena_alloc(&call->arena, sizeof(*body));
	struct kl_describe_configs_request_resource *resource =
		kl_type_new(&kl_type_describe_configs_request_resource, &call->arena, 1);
	struct kl_str *keys = kl_arena_alloc(&call->arena, 2 * sizeof(*keys));
	if (body == NULL || resource == NULL || keys == NULL)
		return NULL;
	keys[0] = KL_STR(SETTING);
	keys[1] = KL_STR(HITS);
	kl_msg_init(&kl_msg_describe_configs_request, body);
	resource->resource_type = RESOURCE_BROKER;
	resource->resource_name = KL_STR(""); /* all of them */
	resource->configuration_keys = keys;
	resource->configuration_keys_n = 2;
	body->resources = resource;
	body->resources_n = 1;
	return body;
}

static void keep(struct fault_call *fc,
		 const struct kl_describe_configs_response_config *config)
{
	struct kl_buf *to = kl_str_is(config->name, SETTING) ? &fc->faults
			    : kl_str_is(config->name, HITS)  ? &fc->hits
							     : NULL;
	if (to == NULL)
		return;
	kl_buf_clear(to);
	kl_buf_put(to, config->value.p, (size_t)kl_max(config->value.len, 0));
}

static enum kl_verdict answer_describe(struct kl_call *call, const void *response, int version)
{
	struct fault_call *fc = kl_container(call, struct fault_call, call);
	const struct kl_describe_configs_response *body = response;
	bool there = false;
	for (int32_t i = 0; i < body->results_n; i++) {
		const struct kl_describe_configs_response_resource *r = &body->results[i];
		if (r->error_code != 0)
			kl_admin_item_error(&call->err, r->error_code, "setting", SETTING,
					    r->error_message);
		for (int32_t k = 0; k < r->configs_n; k++) {
			keep(fc, &r->configs[k]);
			there |= kl_str_is(r->configs[k].name, HITS);
		}
	}
	/* A broker of Kafka's takes and keeps any setting; this one only klamm's has. */
	if (call->err.code == 0 && !there)
		kl_error(&call->err, KLAMM_ERR_UNSUPPORTED,
			 "the broker has no setting " SETTING ": it is no klamm broker");
	return KL_CALL_DONE;
}

static int describe(struct cli_session *s, struct fault_call *fc, struct klamm_error *err)
{
	fc->call = (struct kl_call){
		.what = "asking for faults",
		.api = KL_API_DESCRIBE_CONFIGS,
		.prepare = prepare_describe,
		.answer = answer_describe,
	};
	return kl_admin_call(s->admin, &fc->call, s->timeout_ms, err);
}

/* --- changing --- */

static const void *prepare_alter(struct kl_call *call, int version)
{
	struct fault_call *fc = kl_container(call, struct fault_call, call);
	struct kl_incremental_alter_configs_request *body =
		kl_arena_alloc(&call->arena, sizeof(*body));
	struct kl_incremental_alter_configs_request_resource *resource = kl_type_new(
		&kl_type_incremental_alter_configs_request_resource, &call->arena, 1);
	struct kl_incremental_alter_configs_request_config *config = kl_type_new(
		&kl_type_incremental_alter_configs_request_config, &call->arena, 1);
	if (body == NULL || resource == NULL || config == NULL)
		return NULL;
	kl_msg_init(&kl_msg_incremental_alter_configs_request, body);
	config->name = KL_STR(SETTING);
	config->config_operation = (int8_t)fc->op;
	config->value = fc->text != NULL ? kl_str(fc->text) : KL_STR_NULL;
	resource->resource_type = RESOURCE_BROKER;
	resource->resource_name = KL_STR("");
	resource->configs = config;
	resource->configs_n = 1;
	body->resources = resource;
	body->resources_n = 1;
	return body;
}

static enum kl_verdict answer_alter(struct kl_call *call, const void *response, int version)
{
	const struct kl_incremental_alter_configs_response *body = response;
	for (int32_t i = 0; i < body->responses_n; i++)
		if (body->responses[i].error_code != 0)
			kl_admin_item_error(&call->err, body->responses[i].error_code,
					    "setting", SETTING,
					    body->responses[i].error_message);
	return KL_CALL_DONE;
}

/* Only where it means something. */
static int alter(struct cli_session *s, int op, const char *text, struct klamm_error *err)
{
	struct fault_call fc = {.op = op, .text = text};
	int rc = describe(s, &fc, err);
	kl_buf_free(&fc.faults);
	kl_buf_free(&fc.hits);
	if (rc != 0)
		return rc;
	fc.call = (struct kl_call){
		.what = "setting faults",
		.api = KL_API_INCREMENTAL_ALTER_CONFIGS,
		.prepare = prepare_alter,
		.answer = answer_alter,
	};
	return kl_admin_call(s->admin, &fc.call, s->timeout_ms, err);
}

static int change(struct cli *cli, int op, const char *text)
{
	struct cli_session s = {0};
	struct klamm_error err;
	int status = cli_session_open(cli, &s);
	if (status == 0 && alter(&s, op, text, &err) != 0)
		status = err.code == KLAMM_ERR_INVALID_CONFIG
				 ? cli_fail(CLI_USAGE, "%s", err.text)
				 : cli_error(&err);
	cli_session_close(&s);
	return status;
}

/* --- commands --- */

struct set_options {
	bool append;
};

static int run_set(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct set_options *o = options;
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	for (size_t i = 0; i < args->n; i++)
		kl_buf_printf(&text, "%s%s", i > 0 ? "; " : "", args->v[i]);
	const char *faults = kl_buf_text(&text);
	if (text.failed) /* "" would take all faults away */
		return cli_fail(CLI_FAILED, "out of memory");
	return change(cli, o->append ? OP_APPEND : OP_SET, faults);
}

static const struct cli_option set_rows[] = {
	{'a', "append", NULL, CLI_FLAG, offsetof(struct set_options, append), 0, 0,
	 "behind the faults that are there, not instead of them"},
	{0},
};

const struct cli_command cli_fault_set = {
	.name = "fault set",
	.args = "FAULT...",
	.min_args = 1,
	.max_args = CLI_MANY,
	.summary = "make a running klamm broker misbehave",
	.about = "A fault is one argument: an API or any, then words, such as\n"
		 "  'produce topic=t partition=0 nth=3 error=NOT_LEADER_OR_FOLLOWER'\n"
		 "topic= partition= node= say which requests; nth= every= count=\n"
		 "probability= seed= how many of them; error= delay= drop=before|after cut=\n"
		 "record= garbage silence reset leader= lose= coordinator= throttle= lag=\n"
		 "what happens.\n"
		 "klamm(1) has the rest.\n",
	.options = set_rows,
	.size = sizeof(struct set_options),
	.run = run_set,
};

static int run_clear(struct cli *cli, const void *options, const struct cli_list *args)
{
	return change(cli, OP_DELETE, NULL);
}

const struct cli_command cli_fault_clear = {
	.name = "fault clear",
	.args = "",
	.summary = "take all faults of a klamm broker away",
	.run = run_clear,
};

struct list_options {
	bool json;
};

/* Both lists have "; " between their elements. */
static void print_faults(char *faults, char *hits, bool json)
{
	char *next_fault, *next_hits;
	for (; faults != NULL && *faults != '\0'; faults = next_fault, hits = next_hits) {
		next_fault = strstr(faults, "; ");
		next_hits = hits != NULL ? strstr(hits, "; ") : NULL;
		if (next_fault != NULL)
			*next_fault = '\0', next_fault += 2;
		if (next_hits != NULL)
			*next_hits = '\0', next_hits += 2;
		if (!json) {
			kl_text_tame(faults);
			printf("%lld\t%s\n", hits != NULL ? atoll(hits) : 0, faults);
			continue;
		}
		KL_AUTO(kl_buf_free) struct kl_buf line = {0};
		kl_buf_printf(&line, "{\"fault\":");
		kl_buf_json_bytes(&line, faults, strlen(faults));
		kl_buf_printf(&line, ",\"hits\":%s", hits ?: "0");
		cli_print(&line, "}\n");
	}
}

static int run_list(struct cli *cli, const void *options, const struct cli_list *args)
{
	const struct list_options *o = options;
	struct cli_session s = {0};
	struct fault_call fc = {0};
	struct klamm_error err;
	int status = cli_session_open(cli, &s);
	if (status == 0 && describe(&s, &fc, &err) != 0)
		status = cli_error(&err);
	char *faults = (char *)kl_buf_text(&fc.faults), *hits = (char *)kl_buf_text(&fc.hits);
	if (status == 0 && (fc.faults.failed || fc.hits.failed))
		status = cli_fail(CLI_FAILED, "out of memory");
	if (status == 0)
		print_faults(faults, hits, o->json);
	kl_buf_free(&fc.faults);
	kl_buf_free(&fc.hits);
	cli_session_close(&s);
	return status;
}

static const struct cli_option list_rows[] = {
	{'J', "json", NULL, CLI_FLAG, offsetof(struct list_options, json), 0, 0,
	 "print each fault as a JSON object"},
	{0},
};

const struct cli_command cli_fault_list = {
	.name = "fault list",
	.args = "",
	.summary = "show the faults of a klamm broker, and how many requests each has met",
	.options = list_rows,
	.size = sizeof(struct list_options),
	.run = run_list,
};
