/* SPDX-License-Identifier: BSD-2-Clause */
/* Every key of librdkafka's table, and the units that differ. */
#include <stdio.h>
#include <stdlib.h>

#include "core/conf/conf.h"
#include "core/conf/table.h"
#include "tests/unit/conf/fixture.h"

/* what: "noted", "refused", or a key; stored may be NULL then. */
static void check(const char *name, const char *value, const char *what, const char *stored)
{
	const struct kl_conf_row *row = kl_conf_find(name, NULL);
	ck_assert_msg(row != NULL, "%s: no such key", name);
	int rc = klamm_conf_set(conf, name, value, &err);
	if (strcmp(what, "noted") == 0) {
		ck_assert_msg(rc == 0 && strstr(last_log, "; ignored") != NULL,
			      "%s: %s", name, last_log);
	} else if (strcmp(what, "refused") == 0) {
		ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
		ck_assert_msg(strstr(err.text, ": belongs to librdkafka; ") != NULL, "%s",
			      err.text);
	} else {
		ck_assert_str_eq(row->option.name, what);
		if (stored == NULL)
			return;
		ck_assert_msg(rc == 0, "%s", err.text);
		ck_assert_str_eq(last_log, "");
		const char *is = kl_conf_lookup(conf, what);
		ck_assert_msg(strcmp(is, stored) == 0, "%s = %s: %s is %s", name, value,
			      what, is);
	}
}

START_TEST(takes_or_refuses_every_key)
{
	size_t len;
	char *save = NULL, *text = unit_read("tests/unit/conf/librdkafka-keys.tsv", &len);
	int n = 0;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line == '#')
			continue;
		char *rest = line, *name = strsep(&rest, "\t"), *value = strsep(&rest, "\t");
		char *what = strsep(&rest, "\t");
		ck_assert_msg(what != NULL, "%s: three columns at least", name);
		conf_down();
		log_up();
		check(name, value, what, rest);
		n++;
	}
	ck_assert_int_eq(n, 166);
	free(text);
}
END_TEST

static const struct {
	const char *name, *value, *key, *stored; /* or, key NULL, the sentence */
} translated[] = {
	{"queue.buffering.max.kbytes", "1", "buffer.memory", "1024"},
	{"queue_buffering_max_kbytes", " 32768 ", "buffer.memory", "33554432"},
	{"queue.buffering.max.kbytes", "9007199254740991", "buffer.memory",
	 "9223372036854774784"},
	{"queue.buffering.max.kbytes", "9007199254740992", NULL,
	 "queue.buffering.max.kbytes = 9007199254740992: must be 0..9007199254740991, in KiB"},
	{"queue.buffering.max.kbytes", "-1", NULL,
	 "queue.buffering.max.kbytes = -1: must be 0..9007199254740991, in KiB"},
	{"queue.buffering.max.kbytes", "32M", NULL,
	 "queue.buffering.max.kbytes = 32M: must be 0..9007199254740991, in KiB"},
	{"message.timeout.ms", "0", "delivery.timeout.ms", "2147483647"},
	{"message.timeout.ms", "5000", "delivery.timeout.ms", "5000"},
	{"message.timeout.ms", "never", NULL,
	 "message.timeout.ms = never: must be 0..2147483647"},
	{"topic.metadata.refresh.interval.ms", "-1", "metadata.max.age.ms",
	 "9223372036854775807"},
	{"topic.metadata.refresh.interval.ms", "1000", "metadata.max.age.ms", "1000"},
	{"socket.send.buffer.bytes", "0", "send.buffer.bytes", "-1"},
	{"socket.receive.buffer.bytes", "65536", "receive.buffer.bytes", "65536"},
	{"queue.buffering.max.kbyte", "1", NULL,
	 "queue.buffering.max.kbyte: no such key; did you mean queue.buffering.max.kbytes?"},
};

START_TEST(translates_units)
{
	const char *name = translated[_i].name, *key = translated[_i].key;
	int rc = klamm_conf_set(conf, name, translated[_i].value, &err);
	if (key == NULL) {
		ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
		ck_assert_str_eq(err.text, translated[_i].stored);
		return;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	ck_assert_str_eq(klamm_conf_get(conf, key), translated[_i].stored);
	/* Asked for by the alias, it is still the key's own value. */
	ck_assert_str_eq(klamm_conf_get(conf, name), translated[_i].stored);
}
END_TEST

/* A translated name is no other key's, and its key is one. */
START_TEST(translated_names_are_their_own)
{
	const struct kl_conf_alias *alias;
	size_t i = 0;
	for (; (alias = kl_conf_alias(i)) != NULL; i++) {
		const struct kl_conf_row *row = kl_conf_find(alias->key, NULL);
		ck_assert_str_eq(row->option.name, alias->key);
		ck_assert_ptr_eq(kl_conf_find(alias->name, NULL), row);
		ck_assert_msg((alias->scale != 0) == (alias->unit != NULL), "%s", alias->name);
		for (size_t r = 0; r < kl_conf_row_count(); r++)
			ck_assert_str_ne(kl_conf_row(r)->option.name, alias->name);
	}
	ck_assert_uint_gt(i, 0);
}
END_TEST

UNIT_SUITE(librdkafka)
{
	Suite *s = suite_create("librdkafka");
	unit_add_fixture(s, takes_or_refuses_every_key, log_up, conf_down);
	unit_add_case(s, "translates_units", translates_units, log_up, conf_down,
		      (int)kl_countof(translated));
	unit_add(s, translated_names_are_their_own);
	return s;
}
