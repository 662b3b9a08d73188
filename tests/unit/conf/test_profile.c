/* SPDX-License-Identifier: BSD-2-Clause */
/* Sections, included files, and where a value came from. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/base.h"
#include "core/conf/object.h"
#include "tests/unit/conf/fixture.h"

/* text with each name of the test's folder as "~". */
static void put_short(struct kl_buf *out, const char *text)
{
	size_t len = strlen(dir);
	for (const char *at; (at = strstr(text, dir)) != NULL; text = at + len)
		kl_buf_printf(out, "%.*s~", (int)(at - text), text);
	kl_buf_printf(out, "%s", text);
}

/* "E|N file:line text", one a line, the test's folder as "~". */
static void tell(void *arg, const struct klamm_conf_issue *issue)
{
	kl_buf_printf(&told, "%c ", issue->is_error ? 'E' : 'N');
	put_short(&told, issue->file != NULL ? issue->file : "-");
	kl_buf_printf(&told, ":%d ", issue->line);
	put_short(&told, issue->text);
	kl_buf_printf(&told, "\n");
}

static char *path_of(const char *name)
{
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/%s", dir, name), 0);
	return path;
}

static void write_file(const char *name, const char *text)
{
	char *path = path_of(name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	free(path);
}

static int load_file(const char *name)
{
	char *path = path_of(name);
	int rc = klamm_conf_load(conf, path, tell, NULL, &err);
	free(path);
	return rc;
}

static int load(const char *name, const char *text)
{
	return klamm_conf_load_text(conf, name, text, strlen(text), tell, NULL, &err);
}

static void choose(const char *profile)
{
	ck_assert_msg(klamm_conf_profile(conf, profile, &err) == 0, "%s", err.text);
}

static const char *from(const char *key)
{
	static struct kl_buf text;
	const struct kl_conf_value *value = kl_conf_value(conf, key);
	if (value == NULL)
		return "default";
	kl_buf_clear(&text);
	put_short(&text, value->from);
	return kl_buf_text(&text);
}

static const char profiles[] = "bootstrap.servers = localhost\n"
			       "linger.ms = 1\n"
			       "[profile dev]\n"
			       "client.id = dev\n"
			       "  [ profile   prod ]  \n"
			       "bootstrap.servers = one:1,two:2\n"
			       "linger.ms = 50\n"
			       "[profile dev]\n"
			       "batch.size = 7\n";

START_TEST(only_the_chosen_profile_counts)
{
	choose("prod");
	ck_assert_msg(load("a.conf", profiles) == 0, "%s", err.text);
	ck_assert_str_eq(kl_buf_text(&told), "");
	ck_assert_str_eq(klamm_conf_get(conf, "bootstrap.servers"), "one:1,two:2");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "50");
	ck_assert_str_eq(klamm_conf_get(conf, "client.id"), "");
	ck_assert_str_eq(klamm_conf_get(conf, "batch.size"), "16384");
	ck_assert_str_eq(from("linger.ms"), "a.conf:7 [profile prod]");
	ck_assert_int_eq(klamm_conf_check(conf, KLAMM_ROLE_ANY, NULL, NULL, &err), 0);
}
END_TEST

START_TEST(a_profile_may_have_several_sections)
{
	choose("dev");
	ck_assert_int_eq(load("a.conf", profiles), 0);
	ck_assert_str_eq(klamm_conf_get(conf, "client.id"), "dev");
	ck_assert_str_eq(klamm_conf_get(conf, "batch.size"), "7");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "1");
	ck_assert_str_eq(from("linger.ms"), "a.conf:2");
	ck_assert_str_eq(from("batch.size"), "a.conf:9 [profile dev]");
	ck_assert_str_eq(from("acks"), "default");
}
END_TEST

START_TEST(without_a_profile_sections_are_passed_over)
{
	ck_assert_int_eq(load("a.conf", "linger.ms = 1\n"
					"[profile x]\n"
					"client.id = ${env:KLAMM_TEST_NONE}\n"
					"no.such.key = 1\n"
					"include no-such-file\n"),
			 0);
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "1");
	ck_assert_str_eq(kl_buf_text(&told), "");
}
END_TEST

START_TEST(a_profile_that_no_file_has_is_an_error)
{
	choose("prd");
	ck_assert_int_eq(kl_conf_check_profile(conf, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "profile prd: no file was loaded that could have it");
	ck_assert_int_eq(load("b.conf", "bootstrap.servers = x\n"), 0);
	ck_assert_int_eq(kl_conf_check_profile(conf, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text,
			 "profile prd: the files that were loaded have no profiles");
	ck_assert_int_eq(load("a.conf", profiles), 0);
	ck_assert_int_eq(klamm_conf_check(conf, KLAMM_ROLE_PRODUCER, NULL, NULL, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "profile prd: no file has it; did you mean prod?");
	files_down();
	files_up();
	choose("elsewhere");
	ck_assert_int_eq(load("a.conf", profiles), 0);
	struct klamm_conf *copy;
	ck_assert_int_eq(klamm_conf_copy(conf, &copy, &err), 0);
	ck_assert_int_eq(kl_conf_check_profile(copy, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text,
			 "profile elsewhere: no file has it; there is dev prod");
	klamm_conf_free(copy);
}
END_TEST

START_TEST(a_profile_is_chosen_in_time_and_by_a_name)
{
	ck_assert_int_eq(klamm_conf_profile(conf, "a b", &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "profile \"a b\": must be letters, digits, '.', '_' and "
				   "'-', at most 64");
	ck_assert_int_eq(klamm_conf_profile(conf, "", &err), KLAMM_ERR_CONFIG);
	choose("prod");
	choose(NULL);
	choose("prod.eu-1_a");
	ck_assert_int_eq(load("a.conf", "linger.ms = 1\n"), 0);
	ck_assert_int_eq(klamm_conf_profile(conf, "prod", &err), KLAMM_ERR_STATE);
}
END_TEST

static const struct {
	const char *text, *told;
} bad_heads[] = {
	{"[prod]\n", "E a.conf:1 [prod]: must be [profile NAME], with letters, digits, '.', "
		     "'_' and '-' in the name\n"},
	{"[profile]\n", "E a.conf:1 [profile]: must be [profile NAME], with letters, digits, "
			"'.', '_' and '-' in the name\n"},
	{"[profileprod]\n", "E a.conf:1 [profileprod]: must be [profile NAME], with letters, "
			    "digits, '.', '_' and '-' in the name\n"},
	{"[]\n", "E a.conf:1 []: must be [profile NAME], with letters, digits, '.', '_' and "
		 "'-' in the name\n"},
	{"\n[profile prod\nlinger.ms = 1\n", "E a.conf:2 a section's head must end with ]\n"},
	{"[", "E a.conf:1 a section's head must end with ]\n"},
	{"[profile p] x\n", "E a.conf:1 a section's head must end with ]\n"},
};

START_TEST(a_bad_head_is_told)
{
	ck_assert_int_eq(load("a.conf", bad_heads[_i].text), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(kl_buf_text(&told), bad_heads[_i].told);
}
END_TEST

/* In Java's files these lines are pairs as any other, if odd ones. */
START_TEST(java_files_have_no_sections_and_no_includes)
{
	ck_assert_msg(load("a.properties", "[profile prod]\n"
					   "include = other.conf\n"
					   "linger.ms=5\n") == 0,
		      "%s", err.text);
	ck_assert_str_eq(kl_buf_text(&told),
			 "N a.properties:1 [profile: no such key\n"
			 "N a.properties:2 include: no such key\n");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "5");
}
END_TEST

START_TEST(an_included_file_is_found_from_the_file_that_names_it)
{
	char *sub = path_of("sub");
	ck_assert_int_eq(mkdir(sub, 0700), 0);
	free(sub);
	write_file("main.conf", "linger.ms = 1\n"
				"include sub/one.conf\n"
				"batch.size = 3\n");
	write_file("sub/one.conf", "linger.ms = 2\n"
				   "batch.size = 2\n"
				   "client.id = one\n"
				   "include = .././two.properties\n");
	write_file("two.properties", "acks=1\nmy.own.key=x\n");
	ck_assert_msg(load_file("main.conf") == 0, "%s", err.text);
	/* Saying it again in another file is what includes are for. */
	ck_assert_str_eq(kl_buf_text(&told), "N ~/two.properties:2 my.own.key: no such key\n");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "2");
	ck_assert_str_eq(from("linger.ms"), "~/sub/one.conf:1");
	ck_assert_str_eq(klamm_conf_get(conf, "batch.size"), "3");
	ck_assert_str_eq(from("batch.size"), "~/main.conf:3");
	ck_assert_str_eq(from("acks"), "~/two.properties:1");
}
END_TEST

START_TEST(a_profile_may_include)
{
	write_file("main.conf", "include all.conf\n"
				"[profile prod]\n"
				"include prod.conf\n"
				"[profile dev]\n"
				"include no-such.conf\n");
	write_file("all.conf", "linger.ms = 1\nclient.id = all\n");
	write_file("prod.conf", "linger.ms = 9\n");
	choose("prod");
	ck_assert_msg(load_file("main.conf") == 0, "%s", err.text);
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "9");
	ck_assert_str_eq(klamm_conf_get(conf, "client.id"), "all");
}
END_TEST

START_TEST(problems_of_included_files_have_their_place)
{
	write_file("main.conf", "include one.conf\nlingr.ms = 1\ninclude\n"
				"include ${env:KLAMM_TEST_NONE}/x\n");
	write_file("one.conf", "acks = 7\ninclude none.conf\ninclude ${env:KLAMM_TEST_DIR}\n");
	unsetenv("KLAMM_TEST_NONE");
	setenv("KLAMM_TEST_DIR", dir, 1);
	ck_assert_int_eq(load_file("main.conf"), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(kl_buf_text(&told),
			 "E ~/one.conf:1 acks = 7: must be all, -1, 0 or 1\n"
			 "E ~/one.conf:2 include: ~/none.conf: no such file\n"
			 "E ~/one.conf:3 include: ~: is a folder\n"
			 "E ~/main.conf:2 lingr.ms: no such key; did you mean linger.ms?\n"
			 "E ~/main.conf:3 include: must name a file\n"
			 "E ~/main.conf:4 include: ${env:KLAMM_TEST_NONE}: no such "
			 "environment variable\n");
}
END_TEST

START_TEST(a_circle_of_includes_is_named)
{
	write_file("a.conf", "\ninclude b.conf\n");
	write_file("b.conf", "include ./x/y/.././../c.conf\n");
	write_file("c.conf", "acks = 1\n\ninclude a.conf\n");
	ck_assert_int_eq(load_file("a.conf"), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(kl_buf_text(&told),
			 "E ~/c.conf:3 include: a file includes itself: ~/a.conf:2 -> "
			 "~/b.conf:1 -> ~/c.conf:3 -> ~/a.conf\n");
	ck_assert(!kl_conf_is_set(conf, "acks"));
}
END_TEST

START_TEST(includes_end_at_some_depth)
{
	for (int i = 0; i < 20; i++) {
		char name[20], text[60];
		snprintf(name, sizeof(name), "f%d", i);
		snprintf(text, sizeof(text), "include f%d\nlinger.ms = %d\n", i + 1, i);
		write_file(name, text);
	}
	ck_assert_int_eq(load_file("f0"), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(kl_buf_text(&told),
				     "E ~/f10:1 include: more than 10 files deep: ~/f0:1 -> "
				     "~/f1:1 -> "));
	kl_buf_clear(&told);
	ck_assert_int_eq(load_file("f10"), KLAMM_ERR_CONFIG); /* f20 is not there */
	write_file("f20", "");
	kl_buf_clear(&told);
	ck_assert_int_eq(load_file("f10"), 0);
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "10");
}
END_TEST

START_TEST(values_know_who_set_them)
{
	setenv("KLAMM_TEST_NAME", "x", 1);
	ck_assert_int_eq(load("a.conf", "client.id = ${env:KLAMM_TEST_NAME}\n"
					"serializer.avro.url = y\n"),
			 0);
	ck_assert_int_eq(klamm_conf_set(conf, "acks", "1", &err), 0);
	ck_assert_int_eq(kl_conf_set_pair_from(conf, "linger_ms=2", "-X", &err), 0);
	ck_assert_str_eq(from("client.id"), "a.conf:1");
	ck_assert_str_eq(from("serializer.avro.url"), "a.conf:2");
	ck_assert_str_eq(from("acks"), "the program");
	ck_assert_str_eq(from("linger.ms"), "-X");
	struct klamm_conf *copy;
	ck_assert_int_eq(klamm_conf_copy(conf, &copy, &err), 0);
	ck_assert_str_eq(kl_conf_value(copy, "client.id")->from, "a.conf:1");
	ck_assert_str_eq(kl_conf_value(copy, "client.id")->raw, "${env:KLAMM_TEST_NAME}");
	klamm_conf_free(copy);
}
END_TEST

START_TEST(lint_looks_at_each_profile)
{
	write_file("a.conf", "retry.backoff.ms = 1\n"
			     "ssl.provider = x\n"
			     "[profile good]\n"
			     "bootstrap.servers = x\n"
			     "[profile bad]\n"
			     "bootstrap.servers = x\n"
			     "lingr.ms = 1\n"
			     "[profile odd]\n"
			     "fetch.max.wait.ms = 40000\n"
			     "request.timeout.ms = 30000\n");
	char *path = path_of("a.conf");
	ck_assert_int_eq(kl_conf_lint(path, 0, tell, NULL, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(
		kl_buf_text(&told),
		"N ~/a.conf:2 ssl.provider: only means something to a JVM; ignored\n"
		"E ~/a.conf:7 lingr.ms: no such key; did you mean linger.ms?\n"
		"E -:0 profile odd: bootstrap.servers: must be set; it names the brokers to "
		"ask first\n"
		"E -:0 profile odd: fetch.max.wait.ms = 40000: must not be above "
		"request.timeout.ms (30000)\n");
	kl_buf_clear(&told);
	put_short(&told, err.text);
	ck_assert_str_eq(kl_buf_text(&told), "~/a.conf:7: lingr.ms: no such key; did you mean "
					     "linger.ms? (and 2 more)");
	/* What is wrong outside of the profiles hides nothing in them. */
	kl_buf_clear(&told);
	write_file("a.conf", "acks = 7\n[profile bad]\nlingr.ms = 1\n");
	ck_assert_int_eq(kl_conf_lint(path, 0, tell, NULL, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(kl_buf_text(&told),
			 "E ~/a.conf:1 acks = 7: must be all, -1, 0 or 1\n"
			 "E ~/a.conf:3 lingr.ms: no such key; did you mean linger.ms?\n");
	free(path);
}
END_TEST

UNIT_SUITE(profile)
{
	Suite *s = suite_create("profile");
	unit_add_fixture(s, only_the_chosen_profile_counts, files_up, files_down);
	unit_add_fixture(s, a_profile_may_have_several_sections, files_up, files_down);
	unit_add_fixture(s, without_a_profile_sections_are_passed_over, files_up,
			 files_down);
	unit_add_fixture(s, a_profile_that_no_file_has_is_an_error, files_up,
			 files_down);
	unit_add_fixture(s, a_profile_is_chosen_in_time_and_by_a_name, files_up,
			 files_down);
	unit_add_case(s, "a_bad_head_is_told", a_bad_head_is_told, files_up, files_down,
		      (int)kl_countof(bad_heads));
	unit_add_fixture(s, java_files_have_no_sections_and_no_includes, files_up,
			 files_down);
	unit_add_fixture(s, an_included_file_is_found_from_the_file_that_names_it,
			 files_up, files_down);
	unit_add_fixture(s, a_profile_may_include, files_up, files_down);
	unit_add_fixture(s, problems_of_included_files_have_their_place, files_up,
			 files_down);
	unit_add_fixture(s, a_circle_of_includes_is_named, files_up, files_down);
	unit_add_fixture(s, includes_end_at_some_depth, files_up, files_down);
	unit_add_fixture(s, values_know_who_set_them, files_up, files_down);
	unit_add_fixture(s, lint_looks_at_each_profile, files_up, files_down);
	return s;
}
