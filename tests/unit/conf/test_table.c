/* SPDX-License-Identifier: BSD-2-Clause */
/* The option table: held to itself, to Kafka's keys, and to the list of tests. */
#include "core/conf/table.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

#include "core/conf/conf.h"
#include "tests/unit/conf/fixture.h"

static const int32_t roles[] = {KLAMM_ROLE_PRODUCER, KLAMM_ROLE_CONSUMER,
				KLAMM_ROLE_ADMIN};

#define for_rows(row)                                                                  \
	for (size_t i_ = 0; i_ < kl_conf_row_count(); i_++)                            \
		for (const struct kl_conf_row *row = kl_conf_row(i_); row; row = NULL)

START_TEST(every_name_leads_to_its_row)
{
	for_rows(row)
	{
		size_t index, len;
		const char *alias;
		ck_assert_msg(kl_conf_find(row->option.name, &index) == row, "%s",
			      row->option.name);
		ck_assert_uint_eq(index, i_);
		for (size_t a = 0;
		     (alias = kl_word(row->option.aliases, a, &len)) != NULL; a++) {
			char name[100];
			snprintf(name, sizeof(name), "%.*s", (int)len, alias);
			ck_assert_msg(kl_conf_find(name, NULL) == row, "%s", name);
		}
	}
	ck_assert_ptr_null(kl_conf_row(kl_conf_row_count()));
}
END_TEST

START_TEST(every_row_is_complete)
{
	for_rows(row)
	{
		const struct klamm_option *o = &row->option;
		size_t len = strlen(o->doc);
		ck_assert_msg(len > 20 && o->doc[len - 1] == '.' && isupper(o->doc[0]),
			      "%s", o->name);
		ck_assert_msg(row->roles > 0 && row->roles <= KLAMM_ROLE_ANY, "%s",
			      o->name);
		if (row->status != KL_STATUS_INSTEAD)
			ck_assert_msg((row->owner != NULL) ==
					      (row->status == KL_STATUS_OTHER),
				      "%s", o->name);
		ck_assert_msg(row->status != KL_STATUS_INSTEAD || row->instead != NULL,
			      "%s", o->name);
		ck_assert_msg(o->type != KLAMM_OPTION_ENUM || o->range != NULL, "%s",
			      o->name);
		ck_assert_msg(row->status < KL_STATUS_JVM || o->offset == 0, "%s",
			      o->name);
		ck_assert_msg(strlen(o->name) <= 96, "%s", o->name);
	}
}
END_TEST

/* A default is written as it would be stored, and allowed. */
START_TEST(every_default_is_a_value)
{
	for_rows(row)
	{
		KL_AUTO(kl_buf_free) struct kl_buf normal = {0};
		KL_AUTO(kl_buf_free) struct kl_buf why = {0};
		for (size_t r = 0; r < kl_countof(roles); r++) {
			const char *def = kl_conf_default(row, roles[r]);
			if (def == NULL)
				continue;
			ck_assert_msg(kl_conf_normal(row, def, &normal, &why), "%s: %s",
				      row->option.name, kl_buf_text(&why));
			ck_assert_str_eq(kl_buf_text(&normal), def);
			ck_assert_msg(
				klamm_conf_set(conf, row->option.name, def, &err) == 0,
				"%s", err.text);
		}
	}
}
END_TEST

/* A value that is allowed and is not the default. */
static const char *other_value(const struct kl_conf_row *row, char *to, size_t size)
{
	const struct klamm_option *o = &row->option;
	const char *def = o->def != NULL ? o->def : "0";
	switch (o->type) {
	case KLAMM_OPTION_BOOL:
		return strcmp(def, "true") == 0 ? "false" : "true";
	case KLAMM_OPTION_INT:
	case KLAMM_OPTION_LONG:
		snprintf(to, size, "%lld", atoll(def) + 1);
		return to;
	case KLAMM_OPTION_DOUBLE:
		snprintf(to, size, "%g", atof(def) + 0.1);
		return to;
	case KLAMM_OPTION_ENUM:
		snprintf(to, size, "%s", strrchr(o->range, '|') + 1);
		if (strcmp(to, def) == 0)
			snprintf(to, size, "%.*s", (int)strcspn(o->range, "|"),
				 o->range);
		return to;
	default:
		return o->range != NULL && row->check == NULL
			       ? strrchr(o->range, '|') + 1
			       : "x";
	}
}

START_TEST(what_is_had_otherwise_says_how)
{
	int n = 0;
	for_rows(row)
	{
		if (row->status != KL_STATUS_INSTEAD)
			continue;
		char text[200], want[400];
		const char *name = row->option.name,
			   *value = other_value(row, text, sizeof(text));
		ck_assert_int_eq(klamm_conf_set(conf, name, value, &err), KLAMM_ERR_CONFIG);
		bool is_kafkas = row->owner == NULL;
		snprintf(want, sizeof(want), "%s = %s: %s%s%s%s", name, value,
			 is_kafkas ? "" : "belongs to ", is_kafkas ? "" : row->owner,
			 is_kafkas ? "" : "; ", row->instead);
		ck_assert_str_eq(err.text, want);
		ck_assert(!kl_conf_is_set(conf, name));
		n++;
	}
	ck_assert_int_gt(n, 0);
}
END_TEST

START_TEST(what_has_no_meaning_here_is_noted)
{
	int n = 0;
	for_rows(row)
	{
		if (row->status != KL_STATUS_JVM && row->status != KL_STATUS_OTHER)
			continue;
		char text[200], want[400];
		const char *name = row->option.name;
		ck_assert_msg(klamm_conf_set(conf, name,
					     other_value(row, text, sizeof(text)),
					     &err) == 0,
			      "%s", err.text);
		if (row->status == KL_STATUS_JVM)
			snprintf(want, sizeof(want),
				 "%s: only means something to a JVM; ignored", name);
		else
			snprintf(want, sizeof(want), "%s: belongs to %s; ignored%s%s", name,
				 row->owner, row->instead != NULL ? "; " : "",
				 row->instead != NULL ? row->instead : "");
		ck_assert_str_eq(last_log, want);
		n++;
	}
	ck_assert_int_gt(n, 0);
}
END_TEST

START_TEST(secrets_are_never_told)
{
	int n = 0;
	for_rows(row)
	{
		if ((row->option.flags & KLAMM_OPTION_SECRET) == 0)
			continue;
		if (klamm_conf_set(conf, row->option.name, "hunter2", &err) == 0)
			ck_assert_str_eq(klamm_conf_get(conf, row->option.name),
					 "[hidden]");
		ck_assert_ptr_null(strstr(err.text, "hunter2"));
		ck_assert_ptr_null(strstr(last_log, "hunter2"));
		n++;
	}
	ck_assert_int_ge(n, 10);
}
END_TEST

/* --- against Kafka --- */

/* Where klamm's default is another: a feature that is missing is off, bytes need no
 * serializer, the partitioner that Java uses without a name has one, and its JMX
 * reporter does not exist. */
static const char *const own_defaults[] = {
	"enable.metrics.push", "key.serializer",    "value.serializer",
	"key.deserializer",    "value.deserializer", "partitioner.class",
	"bootstrap.servers",   "bootstrap.controllers",
};

static bool has_own_default(const char *name)
{
	for (size_t i = 0; i < kl_countof(own_defaults); i++)
		if (strcmp(own_defaults[i], name) == 0)
			return true;
	return false;
}

static bool same_type(const char *type, int32_t ours)
{
	static const struct {
		const char *name;
		int32_t type, also;
	} types[] = {
		{"boolean", KLAMM_OPTION_BOOL, 0},
		{"int", KLAMM_OPTION_INT, 0},
		{"short", KLAMM_OPTION_INT, 0},
		{"long", KLAMM_OPTION_LONG, 0},
		{"double", KLAMM_OPTION_DOUBLE, 0},
		{"list", KLAMM_OPTION_LIST, 0},
		{"string", KLAMM_OPTION_STRING, KLAMM_OPTION_ENUM},
		{"class", KLAMM_OPTION_STRING, 0},
		{"password", KLAMM_OPTION_STRING, 0},
	};
	for (size_t i = 0; i < kl_countof(types); i++)
		if (strcmp(types[i].name, type) == 0)
			return ours == types[i].type || ours == types[i].also;
	return false;
}

static void check_default(const struct kl_conf_row *row, int32_t role, char *kafka)
{
	const char *name = row->option.name, *ours = kl_conf_default(row, role);
	if (strcmp(kafka, "-") == 0 || has_own_default(name))
		return;
	ck_assert_msg((row->roles & role) != 0, "%s: is a key of role %d", name, role);
	if (strcmp(kafka, "null") == 0) {
		ck_assert_msg(ours == NULL, "%s", name);
		return;
	}
	if (strcmp(kafka, "''") == 0)
		kafka = (char *)"";
	if (*kafka == '[') { /* a list */
		kafka[strlen(kafka) - 1] = '\0';
		kafka++;
	}
	KL_AUTO(kl_buf_free) struct kl_buf normal = {0};
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	ck_assert_msg(kl_conf_normal(row, kafka, &normal, &why), "%s", name);
	ck_assert_msg(ours != NULL && strcasecmp(ours, kl_buf_text(&normal)) == 0,
		      "%s: the default is %s in Kafka and %s here", name, kafka, ours);
}

static void check_value(const struct kl_conf_row *row, const char *text, bool good)
{
	KL_AUTO(kl_buf_free) struct kl_buf normal = {0};
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	ck_assert_msg(kl_conf_normal(row, text, &normal, &why) == good,
		      "%s = %s must be %s", row->option.name, text,
		      good ? "good" : "refused");
}

static void check_number(const struct kl_conf_row *row, const char *bound, int step,
			 bool good)
{
	char text[64];
	if (row->option.type == KLAMM_OPTION_DOUBLE)
		snprintf(text, sizeof(text), "%.6f", atof(bound) + 0.001 * step);
	else
		snprintf(text, sizeof(text), "%lld", atoll(bound) + step);
	check_value(row, text, good);
}

/* "[0,...]", "[1,...,9] or -1", "[a, b]", "ci:[A, B]", "non-empty string". */
static void check_range(const struct kl_conf_row *row, char *valid)
{
	char *dots = strstr(valid, ",...");
	if (strcmp(valid, "-") == 0) {
		return;
	} else if (strcmp(valid, "non-empty string") == 0) {
		check_value(row, "", false);
	} else if (dots != NULL) {
		char * or = strstr(valid, "] or "), *low = valid + 1, *high = dots + 4;
		*dots = '\0';
		if (or != NULL)
			check_value(row, or +5, true);
		check_number(row, low, 0, true);
		if (or == NULL || atoi(low) - 1 != atoi(or +5))
			check_number(row, low, -1, false);
		if (*high == ',') {
			check_number(row, high + 1, 0, true);
			check_number(row, high + 1, 1, false);
		}
	} else {
		char *save = NULL, *list = strchr(valid, '[') + 1;
		list[strlen(list) - 1] = '\0';
		for (char *w = strtok_r(list, ", ", &save); w;
		     w = strtok_r(NULL, ", ", &save))
			if (strstr(w, "by_duration") == NULL)
				check_value(row, w, true);
		if (row->kind == 0)
			check_value(row, "no_such_word", false);
	}
}

START_TEST(agrees_with_kafkas_keys)
{
	size_t len;
	char *save = NULL, *text = unit_read("tests/unit/conf/kafka-keys.tsv", &len);
	int n = 0;
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *field[6], *rest = line;
		if (*line == '#')
			continue;
		for (size_t i = 0; i < kl_countof(field); i++)
			field[i] = strsep(&rest, "\t");
		const struct kl_conf_row *row = kl_conf_find(field[0], NULL);
		ck_assert_msg(row != NULL, "%s: no such row", field[0]);
		ck_assert_str_eq(row->option.name, field[0]);
		ck_assert_msg(same_type(field[1], row->option.type), "%s: type",
			      field[0]);
		ck_assert_msg(strcmp(field[1], "password") != 0 ||
				      (row->option.flags & KLAMM_OPTION_SECRET) != 0,
			      "%s: secret", field[0]);
		for (size_t r = 0; r < kl_countof(roles); r++)
			check_default(row, roles[r], field[2 + r]);
		if (row->status != KL_STATUS_JVM && row->status != KL_STATUS_OTHER)
			check_range(row, field[5]);
		n++;
	}
	ck_assert_int_eq(n, 147);
	free(text);
}
END_TEST

/* --- against tests/lint/options.tsv --- */

/* The word in the second column that the row's status asks for; NULL: names of tests.
 */
static const char *expected_word(const struct kl_conf_row *row)
{
	switch (row->status) {
	case KL_STATUS_INSTEAD:
		return "refused";
	case KL_STATUS_JVM:
	case KL_STATUS_OTHER:
		return "noted";
	default:
		return NULL;
	}
}

START_TEST(every_row_has_its_test)
{
	size_t len, index, n = 0;
	char *save = NULL, *text = unit_read("tests/lint/options.tsv", &len);
	bool *seen = calloc(kl_conf_row_count(), sizeof(*seen));
	for (char *line = strtok_r(text, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		char *rest = line, *name = strsep(&rest, "\t");
		if (*name == '#')
			continue;
		const struct kl_conf_row *row = kl_conf_find(name, &index);
		ck_assert_msg(row != NULL && strcmp(row->option.name, name) == 0,
			      "%s: in options.tsv, but not a row", name);
		ck_assert_msg(!seen[index], "%s: twice in options.tsv", name);
		seen[index] = true;
		const char *how = rest != NULL ? strsep(&rest, "\t") : "";
		const char *word = expected_word(row);
		ck_assert_msg(*how != '\0', "%s: options.tsv names no test", name);
		bool generic = strcmp(how, "refused") == 0 || strcmp(how, "noted") == 0;
		ck_assert_msg(word != NULL ? strcmp(how, word) == 0 : !generic,
			      "%s: options.tsv must say %s, not %s", name,
			      word != NULL ? word : "where it changes what klamm does",
			      how);
	}
	for (; n < kl_conf_row_count(); n++)
		ck_assert_msg(seen[n], "%s: not in tests/lint/options.tsv",
			      kl_conf_row(n)->option.name);
	free(seen);
	free(text);
}
END_TEST

START_TEST(explains_every_key)
{
	KL_AUTO(kl_buf_free) struct kl_buf out = {0};
	ck_assert_int_eq(kl_conf_explain("linger_ms", &out, &err), 0);
	ck_assert_str_eq(
		kl_buf_text(&out),
		"linger.ms\n"
		"    How long a batch that is not full waits for more records.\n"
		"    type      long, 0.., in ms\n"
		"    default   5\n"
		"    for       producer\n"
		"    also      linger_ms, queue.buffering.max.ms\n"
		"    status    works; read by klamm itself\n");
	kl_buf_clear(&out);
	ck_assert_int_eq(kl_conf_explain("receive.buffer.bytes", &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(
		kl_buf_text(&out), "default   32768; consumer: 65536; admin: 65536\n"));
	ck_assert_ptr_nonnull(
		strstr(kl_buf_text(&out), "for       producer, consumer, admin\n"));
	kl_buf_clear(&out);
	ck_assert_int_eq(kl_conf_explain("compression.zstd.level", &out, &err), 0);
	ck_assert_ptr_nonnull(
		strstr(kl_buf_text(&out), "status    works; read by codec_zstd\n"));
	kl_buf_clear(&out);
	ck_assert_int_eq(kl_conf_explain("queue.buffering.max.kbytes", &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(kl_buf_text(&out),
				     "also      buffer_memory, queue.buffering.max.kbytes "
				     "(in KiB)\n"));
	kl_buf_clear(&out);
	ck_assert_int_eq(kl_conf_explain("compression.level", &out, &err), 0);
	ck_assert_ptr_nonnull(strstr(kl_buf_text(&out),
				     "status    not accepted: belongs to librdkafka; set "
				     "compression.gzip.level, "));
	kl_buf_clear(&out);
	ck_assert_int_eq(kl_conf_explain("compression.zstd", &out, &err), 0);
	ck_assert_ptr_eq(strstr(kl_buf_text(&out), "compression.zstd.level\t3\tHow hard"),
			 kl_buf_text(&out));
	ck_assert_ptr_null(strstr(kl_buf_text(&out), "\ncompression"));
	ck_assert_int_eq(kl_conf_explain("serializer.avro.url", &out, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "serializer.avro.url: a plugin's own key; `klamm plugin "
				   "info KIND NAME` lists the keys of a plugin");
	ck_assert_int_eq(kl_conf_explain("lingr", &out, &err), KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "lingr: no such key");
	for_rows(row)
	{
		kl_buf_clear(&out);
		ck_assert_int_eq(kl_conf_explain(row->option.name, &out, &err), 0);
		ck_assert_ptr_nonnull(strstr(kl_buf_text(&out), row->option.doc));
	}
	kl_buf_clear(&out);
	ck_assert_int_eq(kl_conf_explain(NULL, &out, &err), 0);
	ck_assert_ptr_nonnull(
		strstr(kl_buf_text(&out), "\nlinger.ms\t5\tHow long a batch"));
}
END_TEST

UNIT_SUITE(table)
{
	Suite *s = suite_create("table");
	unit_add(s, every_name_leads_to_its_row);
	unit_add(s, every_row_is_complete);
	unit_add_fixture(s, every_default_is_a_value, log_up, conf_down);
	unit_add_fixture(s, what_is_had_otherwise_says_how, log_up, conf_down);
	unit_add_fixture(s, what_has_no_meaning_here_is_noted, log_up, conf_down);
	unit_add_fixture(s, secrets_are_never_told, log_up, conf_down);
	unit_add(s, agrees_with_kafkas_keys);
	unit_add(s, every_row_has_its_test);
	unit_add(s, explains_every_key);
	return s;
}
