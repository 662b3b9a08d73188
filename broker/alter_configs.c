/* SPDX-License-Identifier: BSD-2-Clause */
/* IncrementalAlterConfigs 0-1, for one setting: klamm.fault of a broker, a list of faults
 * between semicolons. It belongs to all nodes, whichever was asked. No setting of Kafka's is
 * called so, and Kafka's own tools can set it. */
#include <stdio.h>

#include "broker/faults.h"

#define RESOURCE_BROKER 4
#define SETTING "klamm.fault"
enum {
	OP_SET,
	OP_DELETE,
	OP_APPEND,
	OP_SUBTRACT,
};

/* What a request wants of one resource. */
struct change {
	struct kl_dev_call *call;
	const struct kl_incremental_alter_configs_request_resource *asked;
	struct kl_list added; /* faults that are not in force yet */
	struct klamm_error err;
};

/* --- lists of faults --- */

static void drop_all(struct kl_list *faults)
{
	kl_list_for_safe(fault, faults, struct kl_dev_fault, link)
		kl_dev_fault_drop(fault);
}

static bool is_blank(const char *p, size_t n)
{
	while (n > 0 && (*p == ' ' || *p == '\t' || *p == '\n'))
		p++, n--;
	return n == 0;
}

static int parse(struct change *change, struct kl_str value)
{
	const char *p = value.p, *end = p + kl_max(value.len, 0);
	while (p < end) {
		const char *stop = memchr(p, ';', (size_t)(end - p)) ?: end;
		struct kl_dev_fault *fault;
		int rc = is_blank(p, (size_t)(stop - p))
				 ? 0
				 : kl_dev_fault_parse(p, (size_t)(stop - p), &fault,
						      &change->err);
		if (rc != 0)
			return rc == KLAMM_ERR_NO_MEMORY ? KLAMM_ERR_KAFKA_STORAGE_ERROR
							 : KLAMM_ERR_INVALID_CONFIG;
		if (!is_blank(p, (size_t)(stop - p)))
			kl_list_push(&change->added, &fault->link);
		p = stop < end ? stop + 1 : end;
	}
	return 0;
}

static bool is_same(const struct kl_dev_fault *a, const struct kl_dev_fault *b)
{
	struct kl_buf x = {0}, y = {0};
	kl_dev_fault_print(&a->spec, &x);
	kl_dev_fault_print(&b->spec, &y);
	bool same = !x.failed && x.len == y.len && memcmp(x.data, y.data, x.len) == 0;
	kl_buf_free(&x);
	kl_buf_free(&y);
	return same;
}

static void subtract(struct klamm_broker *broker, struct kl_list *taken)
{
	kl_list_for(one, taken, struct kl_dev_fault, link)
		kl_list_for_safe(fault, &broker->faults, struct kl_dev_fault, link)
			if (is_same(fault, one))
				kl_dev_fault_drop(fault);
	drop_all(taken);
}

static void apply(struct klamm_broker *broker, int op, struct kl_list *faults)
{
	if (op == OP_SUBTRACT) {
		subtract(broker, faults);
		return;
	}
	if (op != OP_APPEND)
		drop_all(&broker->faults);
	struct kl_list *link;
	while ((link = kl_list_pop(faults)) != NULL)
		kl_dev_fault_arm(broker, kl_list_entry(link, struct kl_dev_fault, link));
}

/* --- requests --- */

static int refuse(struct change *change, int code, const char *why)
{
	kl_error(&change->err, code, "%s", why);
	return code;
}

/* "" stands for all brokers. */
static bool is_own(const struct kl_dev_call *call, struct kl_str name)
{
	char id[12];
	snprintf(id, sizeof(id), "%d", (int)call->conn->node->id);
	return name.len <= 0 || kl_str_is(name, id);
}

static int check(struct change *change)
{
	const struct kl_incremental_alter_configs_request_resource *asked = change->asked;
	int error = kl_dev_call_error(change->call);
	if (error != 0)
		return refuse(change, error, klamm_err_text(error));
	if (asked->resource_type != RESOURCE_BROKER)
		return refuse(change, KLAMM_ERR_INVALID_REQUEST,
			      "this broker changes settings of brokers only");
	if (!is_own(change->call, asked->resource_name))
		return refuse(change, KLAMM_ERR_INVALID_REQUEST,
			      "only the broker that is asked can be changed");
	for (int32_t i = 0; i < asked->configs_n; i++) {
		const struct kl_incremental_alter_configs_request_config *config =
			&asked->configs[i];
		if (!kl_str_is(config->name, SETTING))
			return refuse(change, KLAMM_ERR_INVALID_REQUEST,
				      "the only setting that can be changed is " SETTING);
		if (i > 0 || config->config_operation < OP_SET ||
		    config->config_operation > OP_SUBTRACT)
			return refuse(change, KLAMM_ERR_INVALID_REQUEST,
				      SETTING " may stand there once, with an operation "
					      "of Kafka's");
		if (config->config_operation != OP_DELETE && config->value.len < 0)
			return refuse(change, KLAMM_ERR_INVALID_CONFIG,
				      SETTING " needs a value");
	}
	return 0;
}

static int alter(struct change *change, bool validate_only)
{
	int rc = check(change);
	if (rc != 0 || change->asked->configs_n <= 0)
		return rc;
	const struct kl_incremental_alter_configs_request_config *config =
		&change->asked->configs[0];
	if (config->config_operation != OP_DELETE)
		rc = parse(change, config->value);
	if (rc == 0 && !validate_only)
		apply(change->call->broker, config->config_operation, &change->added);
	drop_all(&change->added);
	return rc;
}

void kl_dev_alter_configs(struct kl_dev_call *call)
{
	const struct kl_incremental_alter_configs_request *request = call->request;
	struct kl_incremental_alter_configs_response response;
	kl_msg_init(&kl_msg_incremental_alter_configs_response, &response);
	size_t n = (size_t)kl_max(request->resources_n, 0);
	response.responses = kl_type_new(&kl_type_incremental_alter_configs_response_resource,
					 &call->arena, n);
	if (response.responses == NULL) {
		kl_dev_call_fail(call);
		return;
	}
	response.responses_n = (int32_t)n;
	for (size_t i = 0; i < n; i++) {
		struct change change = {.call = call, .asked = &request->resources[i]};
		struct kl_incremental_alter_configs_response_resource *out =
			&response.responses[i];
		kl_list_init(&change.added);
		out->resource_type = change.asked->resource_type;
		out->resource_name = change.asked->resource_name;
		out->error_message = KL_STR_NULL;
		out->error_code = (int16_t)alter(&change, request->validate_only);
		if (out->error_code == 0)
			continue;
		const char *text = kl_arena_text(&call->arena, change.err.text,
						 strlen(change.err.text));
		if (text != NULL)
			out->error_message = kl_str(text);
	}
	kl_dev_answer(call, &response);
}
