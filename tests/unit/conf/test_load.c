/* SPDX-License-Identifier: BSD-2-Clause */
/* Files, variables in values, and what is told about them. */
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "core/base/base.h"
#include "core/conf/conf.h"
#include "tests/unit/conf/fixture.h"

/* "E|N file:line [key] text", one a line. */
static void tell(void *arg, const struct klamm_conf_issue *issue)
{
	ck_assert_uint_eq(issue->size, sizeof(*issue));
	kl_buf_printf(&told, "%c %s:%d [%s] %s\n", issue->is_error ? 'E' : 'N',
		      issue->file != NULL ? issue->file : "-", issue->line, issue->key,
		      issue->text);
}

static int load(const char *name, const char *text)
{
	return klamm_conf_load_text(conf, name, text, strlen(text), tell, NULL, &err);
}

/* A file of the test's folder; its path is freed by the caller. */
static char *write_file(const char *name, const char *text)
{
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/%s", dir, name), 0);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	ck_assert_int_ge(fputs(text, f), 0);
	ck_assert_int_eq(fclose(f), 0);
	return path;
}

START_TEST(loads_what_java_writes)
{
	ck_assert_msg(load("client.properties",
			   "# a Java client's file\n"
			   "bootstrap.servers = SASL_SSL://one:9093,two:9094\n"
			   "acks: all\n"
			   "key.serializer=org.apache.kafka.common.serialization.\\\n"
			   "    StringSerializer\n"
			   "client.id \\u0061b\n") == 0,
		      "%s", err.text);
	ck_assert_str_eq(kl_buf_text(&told), "");
	ck_assert_str_eq(klamm_conf_get(conf, "bootstrap.servers"),
			 "SASL_SSL://one:9093,two:9094");
	ck_assert_str_eq(klamm_conf_get(conf, "acks"), "all");
	ck_assert_str_eq(klamm_conf_get(conf, "key.serializer"), "string");
	ck_assert_str_eq(klamm_conf_get(conf, "client.id"), "ab");
}
END_TEST

START_TEST(tells_everything_in_one_pass_and_keeps_nothing)
{
	ck_assert_int_eq(klamm_conf_set(conf, "linger.ms", "1", &err), 0);
	ck_assert_int_eq(load("client.conf", "linger.ms = 2\n"
					     "lingr.ms = 3\n"
					     "batch.size = -1\n"
					     "\n"
					     "ssl.provider = BC\n"
					     "sasl.jaas.config = hunter2\n"
					     "client.id = \\uxyz\n"
					     "linger_ms = 4\n"),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(
		kl_buf_text(&told),
		"E client.conf:2 [lingr.ms] lingr.ms: no such key; did you mean "
		"linger.ms?\n"
		"E client.conf:3 [batch.size] batch.size = -1: must be 0..2147483647\n"
		"N client.conf:5 [ssl.provider] ssl.provider: only means something to "
		"a JVM; "
		"ignored\n"
		"E client.conf:6 [sasl.jaas.config] sasl.jaas.config = [hidden]: must "
		"have required, requisite, sufficient or optional behind the login "
		"module, before character 8\n"
		"E client.conf:7 [client.id] \\u must be followed by four hexadecimal "
		"digits\n"
		"N client.conf:8 [linger_ms] linger_ms: set again; line 1 no longer "
		"counts\n");
	ck_assert_str_eq(err.text, "client.conf:2: lingr.ms: no such key; did you mean "
				   "linger.ms? (and 3 more)");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "1");
	ck_assert(!kl_conf_is_set(conf, "ssl.provider"));
}
END_TEST

START_TEST(later_values_win)
{
	ck_assert_int_eq(
		load("a.conf", "linger.ms=1\nbatch.size=1\nserializer.x.y=1\n"), 0);
	ck_assert_int_eq(load("b.conf", "linger.ms=2\nserializer.x.y=2\n"), 0);
	ck_assert_int_eq(klamm_conf_set_pair(conf, "linger_ms=3", &err), 0);
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "3");
	ck_assert_str_eq(klamm_conf_get(conf, "batch.size"), "1");
	ck_assert_str_eq(klamm_conf_get(conf, "serializer.x.y"), "2");
	ck_assert_int_eq(load("c.conf", "linger.ms=4\n"), 0);
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "4");
}
END_TEST

START_TEST(forgives_unknown_keys_of_java_once)
{
	ck_assert_int_eq(
		load("x.properties", "my.own.key=1\nlinger.ms=2\nmy.own.key=2\n"), 0);
	ck_assert_str_eq(kl_buf_text(&told),
			 "N x.properties:1 [my.own.key] my.own.key: no such key\n");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "2");
	/* but not bad values of known ones */
	ck_assert_int_eq(load("x.properties", "linger.ms=x\n"), KLAMM_ERR_CONFIG);
	ck_assert_int_eq(load("x.conf", "my.own.key=1\n"), KLAMM_ERR_CONFIG);
}
END_TEST

START_TEST(expands_variables)
{
	char *path =
		write_file("more", "#\nname = first\nlinger = 42 \nname = ${env:X}\n");
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	setenv("KLAMM_TEST_NAME", "from-env", 1);
	kl_buf_printf(&text,
		      "client.id = <${env:KLAMM_TEST_NAME}${file:%s:name}${plain}>$\n"
		      "linger.ms = ${file:%s:linger}\n",
		      path, path);
	ck_assert_msg(load("a.conf", kl_buf_text(&text)) == 0, "%s", err.text);
	ck_assert_str_eq(klamm_conf_get(conf, "client.id"),
			 "<from-env${env:X}${plain}>$");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "42");
	free(path);
}
END_TEST

START_TEST(says_which_variable_fails)
{
	char *path = write_file("more", "a = b\nc = \\uzz\n");
	unsetenv("KLAMM_TEST_NONE");
	ck_assert_int_eq(load("a.conf", "\nclient.id = x${env:KLAMM_TEST_NONE}\n"),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text,
			 "a.conf:2: client.id: ${env:KLAMM_TEST_NONE}: no such "
			 "environment variable");
	ck_assert_int_eq(
		klamm_conf_set(conf, "client.id", "${file:/no/such/file:key}", &err),
		KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text,
			 "client.id: ${file:/no/such/file:key}: /no/such/file: no such "
			 "file");
	ck_assert_int_eq(
		klamm_conf_set(conf, "client.id", "${file:/no/such/file}", &err),
		KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text,
			 "client.id: ${file:/no/such/file}: must be ${file:PATH:KEY}");
	ck_assert_int_eq(klamm_conf_set(conf, "client.id", "${vault:a:b}", &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "client.id: ${vault:...}: there are ${env:NAME} and "
				   "${file:PATH:KEY}");
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	kl_buf_printf(&text, "${file:%s:missing}", path);
	ck_assert_int_eq(klamm_conf_set(conf, "client.id", kl_buf_text(&text), &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, ": line 2: \\u must be followed by"));
	free(path);
	path = write_file("more", "a = b\n");
	ck_assert_int_eq(klamm_conf_set(conf, "client.id", kl_buf_text(&text), &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(
		strstr(err.text, ":missing}: there is no such key in the file"));
	free(path);
}
END_TEST

/* A bad value that came out of a variable is shown as the variable. */
START_TEST(never_shows_what_a_variable_held)
{
	setenv("KLAMM_TEST_SECRET", "hunter2", 1);
	ck_assert_int_eq(load("a.conf", "linger.ms = ${env:KLAMM_TEST_SECRET}\n"
					"sasl.password = ${env:KLAMM_TEST_SECRET}\n"
					"sasl.jaas.config = user hunter2\n"
					"no.such.key = hunter2\n"),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(kl_buf_text(&told),
				     "linger.ms = ${env:KLAMM_TEST_SECRET}: "
				     "must be"));
	ck_assert_ptr_null(strstr(kl_buf_text(&told), "hunter2"));
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
}
END_TEST

/* Of a key that is no secret it may be. */
START_TEST(no_secret_comes_from_a_file_that_all_may_read)
{
	static const char *const keys[] = {"sasl.password", "sasl.mine.password", "client.id"};
	static const mode_t modes[] = {0604, 0602, 0640, 0600};
	char *path = write_file("more", "p = hunter2\n");
	for (size_t key = 0; key < kl_countof(keys); key++) {
		for (size_t mode = 0; mode < kl_countof(modes); mode++) {
			KL_AUTO(kl_buf_free) struct kl_buf text = {0};
			kl_buf_printf(&text, "${file:%s:p}", path);
			ck_assert_int_eq(chmod(path, modes[mode]), 0);
			int rc = klamm_conf_set(conf, keys[key], kl_buf_text(&text), &err);
			bool is_refused = key < 2 && mode < 2;
			ck_assert_int_eq(rc, is_refused ? KLAMM_ERR_CONFIG : 0);
			if (is_refused)
				ck_assert_ptr_nonnull(
					strstr(err.text, "everybody may read this file"));
		}
	}
	/* Not when it is set, and not when it is read again either. */
	char *secret;
	ck_assert_int_eq(chmod(path, 0604), 0);
	ck_assert_int_eq(kl_conf_read_secret(conf, "sasl.password", &secret, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "everybody may read this file"));
	ck_assert_ptr_null(strstr(err.text, "hunter2"));
	free(path);
}
END_TEST

START_TEST(reads_a_secret_again)
{
	mode_t mask = umask(077);
	char *path = write_file("more", "p = first\n");
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	kl_buf_printf(&text, "${file:%s:p}", path);
	ck_assert_int_eq(
		klamm_conf_set(conf, "sasl.mine.password", kl_buf_text(&text), &err),
		0);
	ck_assert_str_eq(klamm_conf_get(conf, "sasl.mine.password"), "[hidden]");
	free(path);
	path = write_file("more", "p = second\n");
	char *secret;
	ck_assert_int_eq(kl_conf_read_secret(conf, "sasl.mine.password", &secret, &err),
			 0);
	ck_assert_str_eq(secret, "second");
	kl_wipe_text(secret);
	ck_assert_int_eq(remove(path), 0);
	ck_assert_int_eq(kl_conf_read_secret(conf, "sasl.mine.password", &secret, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_int_eq(kl_conf_read_secret(conf, "sasl.password", &secret, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "sasl.password is not set");
	umask(mask);
	free(path);
}
END_TEST

START_TEST(names_the_file_that_it_cannot_read)
{
	ck_assert_int_eq(klamm_conf_load(conf, "/no/such.conf", tell, NULL, &err),
			 KLAMM_ERR_IO);
	ck_assert_str_eq(err.text, "/no/such.conf: no such file");
	ck_assert_int_eq(klamm_conf_load(conf, "/", tell, NULL, &err), KLAMM_ERR_IO);
	ck_assert_str_eq(err.text, "/: is a folder");
	ck_assert_int_eq(klamm_conf_load(conf, "/dev/zero", tell, NULL, &err),
			 KLAMM_ERR_IO);
	ck_assert_str_eq(err.text, "/dev/zero: larger than 1 MiB");
	ck_assert_str_eq(kl_buf_text(&told), "");
}
END_TEST

START_TEST(lints_a_file)
{
	char *path =
		write_file("p.conf", "acks=1\nlinger.ms=5\nretry.backoff.ms=5000\n");
	ck_assert_int_eq(kl_conf_lint(path, 0, tell, NULL, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(
		kl_buf_text(&told),
		"E -:0 [bootstrap.servers] bootstrap.servers: must be set; it names "
		"the brokers "
		"to ask first\n"
		"N -:0 [retry.backoff.ms] retry.backoff.ms = 5000: must not be above "
		"retry.backoff.max.ms (1000)\n");
	free(path);
	kl_buf_clear(&told);
	path = write_file("c.conf", "bootstrap.servers=a\nfetch.max.wait.ms=40000\n");
	ck_assert_int_eq(kl_conf_lint(path, 0, tell, NULL, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "fetch.max.wait.ms = 40000: must not be above "
				   "request.timeout.ms (30000)");
	ck_assert_int_eq(kl_conf_lint(path, KLAMM_ROLE_PRODUCER, NULL, NULL, &err), 0);
	free(path);
}
END_TEST

static const char *const samples[] = {
	"conf/demo.conf",
	"conf/latency.conf",
	"conf/profiles.conf",
	"conf/throughput.conf",
	"conf/client.properties",
};

/* What we ship is right, and so is what stands commented out in it. */
START_TEST(samples_are_right)
{
	size_t len;
	char *path = unit_path(samples[_i]), *text = unit_read(samples[_i], &len);
	ck_assert_msg(kl_conf_lint(path, KLAMM_ROLE_ANY, tell, NULL, &err) == 0, "%s",
		      err.text);
	for (char *p = text; (p = strchr(p, '#')) != NULL; p++)
		if (p[1] >= 'a' && p[1] <= 'z')
			*p = ' ';
	ck_assert_msg(load(samples[_i], text) == 0, "%s", err.text);
	free(text);
	free(path);
}
END_TEST

UNIT_SUITE(load)
{
	Suite *s = suite_create("load");
	unit_add_fixture(s, loads_what_java_writes, files_up, files_down);
	unit_add_fixture(s, tells_everything_in_one_pass_and_keeps_nothing, files_up,
			 files_down);
	unit_add_fixture(s, later_values_win, files_up, files_down);
	unit_add_fixture(s, forgives_unknown_keys_of_java_once, files_up, files_down);
	unit_add_fixture(s, expands_variables, files_up, files_down);
	unit_add_fixture(s, says_which_variable_fails, files_up, files_down);
	unit_add_fixture(s, never_shows_what_a_variable_held, files_up, files_down);
	unit_add_fixture(s, no_secret_comes_from_a_file_that_all_may_read, files_up,
			 files_down);
	unit_add_fixture(s, reads_a_secret_again, files_up, files_down);
	unit_add_fixture(s, names_the_file_that_it_cannot_read, files_up, files_down);
	unit_add_fixture(s, lints_a_file, files_up, files_down);
	unit_add_case(s, "samples_are_right", samples_are_right, files_up, files_down,
		      (int)kl_countof(samples));
	return s;
}
