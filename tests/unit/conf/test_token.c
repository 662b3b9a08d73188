/* SPDX-License-Identifier: BSD-2-Clause */
/* Tokens of the application, up to the plugin's host. */
#include <klamm/conf.h>

#include "core/base/sink.h"
#include "core/conf/conf.h"
#include "core/conf/role_plugin.h"
#include "tests/unit/unit.h"

static struct klamm_conf *conf, *copy;
static struct kl_host host;
static struct kl_sink value, extensions;
static struct klamm_error err;
static int64_t expires;

static const struct giving {
	const char *value, *name, *text;
	int64_t expires_ms;
	int code, set_rc, extension_rc;
} * giving;

static int give(void *arg, struct klamm_token *token, struct klamm_error *e)
{
	ck_assert_ptr_eq(arg, &giving);
	if (giving->code != 0) {
		snprintf(e->text, sizeof(e->text), "%s", giving->text);
		return giving->code;
	}
	ck_assert_int_eq(klamm_token_set(token, giving->value, giving->expires_ms),
			 giving->set_rc);
	if (giving->name != NULL)
		ck_assert_int_eq(
			klamm_token_extension(token, giving->name, giving->text),
			giving->extension_rc);
	return 0;
}

static void up(void)
{
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	klamm_conf_token(conf, give, &giving);
	ck_assert_int_eq(klamm_conf_copy(conf, &copy, &err), 0);
	ck_assert_int_eq(kl_host_init(&host, kl_os_real(), NULL, NULL, NULL, &err), 0);
	kl_conf_host_token(copy, &host); /* as a client does, which has a copy */
	kl_sink_init(&value, 1000, NULL);
	kl_sink_init(&extensions, 1000, NULL);
}

static void down(void)
{
	kl_sink_free(&value);
	kl_sink_free(&extensions);
	kl_host_free(&host);
	klamm_conf_free(copy);
	klamm_conf_free(conf);
}

static int ask(const struct giving *what)
{
	giving = what;
	return host.token(host.token_arg, &value.out, &extensions.out, &expires, &err);
}

static void holds(const struct kl_sink *sink, const char *text)
{
	ck_assert_uint_eq(sink->out.len, strlen(text));
	ck_assert_mem_eq(sink->out.len > 0 ? (const char *)sink->out.data : "", text,
			 strlen(text));
}

START_TEST(reaches_the_plugin)
{
	ck_assert_int_eq(ask(&(struct giving){"tok", "trace", "a b", 5000}), 0);
	holds(&value, "tok");
	holds(&extensions, "trace=a b\x01");
	ck_assert_int_eq(expires, 5000);
}
END_TEST

START_TEST(never_ends_below_zero)
{
	ck_assert_int_eq(ask(&(struct giving){"tok", .expires_ms = -77}), 0);
	ck_assert_int_eq(expires, -1);
}
END_TEST

static const struct {
	const char *name, *text;
} wrong[] = {{"auth", "x"}, {"a1", "x"}, {"", "x"},    {"a", ""},        {"a", "\x01"},
	     {"a", "\x7f"}, {"a", NULL}, {"a=b", "c"}, {"a", "\xc3\xb6"}};

START_TEST(wrong_extensions_are_refused)
{
	ck_assert_int_eq(
		ask(&(struct giving){"tok", wrong[_i].name, wrong[_i].text,
				     .extension_rc = KLAMM_ERR_INVALID_ARGUMENT}),
		0);
	holds(&extensions, "");
}
END_TEST

START_TEST(an_empty_token_is_none)
{
	ck_assert_int_eq(
		ask(&(struct giving){"", .set_rc = KLAMM_ERR_INVALID_ARGUMENT}),
		KLAMM_ERR_AUTHENTICATION);
	ck_assert_str_eq(err.text, "the application's function gave no token");
}
END_TEST

START_TEST(a_token_that_is_too_long)
{
	char text[1002];
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	ck_assert_int_eq(
		ask(&(struct giving){text, .set_rc = KLAMM_ERR_INVALID_ARGUMENT}),
		KLAMM_ERR_AUTHENTICATION);
}
END_TEST

START_TEST(its_error_is_handed_on)
{
	ck_assert_int_eq(
		ask(&(struct giving){.text = "offline", .code = KLAMM_ERR_CONNECT}),
		KLAMM_ERR_CONNECT);
	ck_assert_str_eq(err.text, "offline");
	ck_assert_int_eq(ask(&(struct giving){.text = "", .code = KLAMM_ERR_CONNECT}),
			 KLAMM_ERR_CONNECT);
	ck_assert_str_eq(err.text, "the application says no more");
}
END_TEST

START_TEST(no_function_is_no_token)
{
	klamm_conf_token(copy, NULL, NULL);
	kl_conf_host_token(copy, &host);
	ck_assert(host.token == NULL);
}
END_TEST

UNIT_SUITE(token)
{
	Suite *s = suite_create("token");
	unit_add_fixture(s, reaches_the_plugin, up, down);
	unit_add_fixture(s, never_ends_below_zero, up, down);
	unit_add_case(s, "wrong_extensions_are_refused", wrong_extensions_are_refused,
		      up, down, (int)kl_countof(wrong));
	unit_add_fixture(s, an_empty_token_is_none, up, down);
	unit_add_fixture(s, a_token_that_is_too_long, up, down);
	unit_add_fixture(s, its_error_is_handed_on, up, down);
	unit_add_fixture(s, no_function_is_no_token, up, down);
	return s;
}
