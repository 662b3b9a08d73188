/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/broker/auth_bench.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/broker/auth.h"
#include "core/conf/role_plugin.h"

struct kl_nodes auth_nodes;
struct kl_node auth_node;
int auth_ready, auth_lost;
struct auth_given given;
struct kl_sasl_authenticate_response auth_refusal, auth_welcome;

static struct kl_host host;
static struct kl_role_plugin role;
static struct kl_buf log_text;
static struct kl_mutex log_mutex;

static void on_changed(struct kl_nodes *of, struct kl_node *which,
		       const struct klamm_error *err)
{
	if (err == NULL)
		auth_ready++;
	else
		auth_lost++;
}

static void log_line(void *arg, int32_t level, const char *where, const char *text)
{
	kl_mutex_lock(&log_mutex);
	kl_buf_printf(&log_text, "%s: %s\n", where, text);
	kl_mutex_unlock(&log_mutex);
}

void auth_offer(const struct klamm_sasl_plugin *plugin)
{
	struct klamm_error err;
	int rc = klamm_conf_plugin(bench_conf, KLAMM_KIND_SASL, &plugin->head, NULL,
				   &err);
	ck_assert_msg(rc == 0, "%s", err.text);
}

int auth_make(struct klamm_error *err)
{
	kl_mutex_init(&log_mutex);
	bench_set("security.protocol=SASL_PLAINTEXT", NULL);
	ck_assert_int_eq(klamm_conf_log(bench_conf, log_line, NULL, KL_LOG_TRACE), 0);
	bench_configure(KLAMM_ROLE_ADMIN);
	int rc = kl_conf_host(bench_conf, bench_settings, &bench_os,
			      kl_conf_log(bench_conf), bench_loop, &host, err);
	ck_assert_int_eq(rc, 0);
	rc = kl_role_open_sasl(bench_conf, bench_settings, &host, &role, err);
	if (rc != 0)
		return rc;
	auth_nodes = (struct kl_nodes){
		.loop = bench_loop,
		.settings = bench_settings,
		.log = *kl_conf_log(bench_conf),
		.slabs = bench_slabs,
		.sasl = kl_role_instance(&role),
		.changed = on_changed,
	};
	return kl_node_init(&auth_node, &auth_nodes, 7, "127.0.0.1",
			    (uint16_t)bench_script.port, err);
}

void auth_start(void)
{
	struct klamm_error err;
	script_start(&bench_script);
	ck_assert_msg(auth_make(&err) == 0, "%s", err.text);
}

void auth_start_plain(void)
{
	bench_set("sasl.mechanism=PLAIN", "sasl.username=alice",
		  "sasl.password=hunter2", NULL);
	auth_start();
}

void auth_down(void)
{
	struct klamm_error why = {.code = KLAMM_ERR_CLOSED};
	if (auth_node.nodes != NULL)
		kl_node_free(&auth_node, &why);
	kl_role_close(&role);
	if (bench_script.thread != 0)
		script_stop(&bench_script);
	/* Not as it is, and not as traffic would show the message's bytes. */
	ck_assert_ptr_null(strstr(kl_buf_text(&log_text), "hunter2"));
	ck_assert_ptr_null(strstr(kl_buf_text(&log_text), "AGFsaWNlAGh1bnRlcjI"));
	kl_buf_free(&log_text);
	kl_host_free(&host);
	bench_down();
}

void auth_call(struct bench_call *call, int ms)
{
	bench_call_init(call);
	kl_node_request(&auth_node, &call->request);
	ck_assert(bench_until(bench_call_done, call, ms));
	kl_request_free(&call->request);
}

void auth_succeeds(void)
{
	struct bench_call call;
	auth_call(&call, 10000);
	ck_assert_msg(call.code == 0, "%s", call.err.text);
}

void auth_fails(int code, const char *words)
{
	struct bench_call call;
	auth_call(&call, 10000);
	ck_assert_msg(call.code == code, "%d: %s", call.code, call.err.text);
	ck_assert_msg(strstr(call.err.text, words) != NULL, "%s", call.err.text);
	ck_assert_ptr_nonnull(strstr(call.err.text, "broker 7 (127.0.0.1:"));
	ck_assert_ptr_null(strstr(call.err.text, "hunter2"));
	ck_assert_int_eq(call.err.stage, KLAMM_STAGE_SASL);
	ck_assert_int_eq(call.err.node, 7);
	ck_assert(!call.maybe_applied);
	ck_assert(kl_auth_is_refusal(&call.err));
	ck_assert(kl_node_has_refused(&auth_node, 0));
	ck_assert_int_eq(auth_lost, 1);
	ck_assert_int_le(bench_script.connections, 1); /* it may not have looked yet */
}

void auth_keep_token(const void *p, size_t n)
{
	ck_assert_uint_le(n, sizeof(given.token));
	memcpy(given.token, p, n);
	given.token_len = n;
	given.tokens++;
}

bool auth_plain_server(const struct script_request *request)
{
	if (request->header.api == KL_API_SASL_HANDSHAKE) {
		given.handshakes++;
		given.handshake_version = request->header.version;
		return false;
	}
	if (request->header.api != KL_API_SASL_AUTHENTICATE)
		return false;
	const struct kl_sasl_authenticate_request *body = request->body;
	auth_keep_token(body->auth_bytes.p, (size_t)body->auth_bytes.len);
	struct kl_sasl_authenticate_response *answer =
		SCRIPT_BODY(sasl_authenticate, request);
	const char *password = memrchr(given.token, '\0', given.token_len);
	bool good = password != NULL && strcmp(password + 1, "hunter2") == 0;
	*answer = good ? auth_welcome : auth_refusal;
	if (answer->auth_bytes.p == NULL)
		answer->auth_bytes = (struct kl_bytes){(const uint8_t *)"", 0};
	script_answer(request, answer);
	return true;
}

void auth_up(void)
{
	bench_up();
	bench_script.handle = auth_plain_server;
	auth_welcome = (struct kl_sasl_authenticate_response){.error_message = KL_STR_NULL};
	auth_refusal = (struct kl_sasl_authenticate_response){
		.error_code = KLAMM_ERR_SASL_AUTHENTICATION_FAILED,
		.error_message =
			KL_STR("Authentication failed: Invalid username or password"),
	};
}
