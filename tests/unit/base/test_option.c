/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/base/option.h"


#include "tests/unit/unit.h"

struct conf {
	bool on;
	int32_t level;
	int64_t bytes;
	double factor;
	const char *text, *list;
	int32_t word;
};

#define AT(member) offsetof(struct conf, member)
static const struct klamm_option on = {"x.on", KLAMM_OPTION_BOOL, 0, AT(on)};
static const struct klamm_option level = {"x.level", KLAMM_OPTION_INT, 0, AT(level),
					  "-1",	     "-1|1..9"};
static const struct klamm_option bytes = {
	"x.bytes", KLAMM_OPTION_LONG, 0, AT(bytes), NULL, "0.."};
static const struct klamm_option factor = {
	"x.factor", KLAMM_OPTION_DOUBLE, 0, AT(factor), "0.8", "0.5..1.0"};
static const struct klamm_option text = {"x.text", KLAMM_OPTION_STRING, 0, AT(text)};
static const struct klamm_option list = {"x.list", KLAMM_OPTION_LIST, 0, AT(list),
					 NULL,	   "range|sticky"};
static const struct klamm_option word = {"x.word", KLAMM_OPTION_ENUM, 0, AT(word),
					 NULL,	   "none|gzip|zstd"};
static const struct klamm_option secret = {
	"x.password", KLAMM_OPTION_INT, KLAMM_OPTION_SECRET, 0, NULL, "1..9"};

static struct kl_arena strings;

START_TEST(stores_each_type)
{
	struct conf c = {0};
	struct klamm_error err;
	ck_assert_int_eq(kl_option_store(&on, " TRUE ", &strings, &c, &err), 0);
	ck_assert_int_eq(kl_option_store(&level, "9", &strings, &c, &err), 0);
	ck_assert_int_eq(
		kl_option_store(&bytes, "9223372036854775807", &strings, &c, &err), 0);
	ck_assert_int_eq(kl_option_store(&factor, "0.75", &strings, &c, &err), 0);
	ck_assert_int_eq(kl_option_store(&text, " kept as it is ", &strings, &c, &err),
			 0);
	ck_assert_int_eq(
		kl_option_store(&list, " range ,,sticky, ", &strings, &c, &err), 0);
	ck_assert_int_eq(kl_option_store(&word, "ZSTD", &strings, &c, &err), 0);
	ck_assert(c.on);
	ck_assert_int_eq(c.level, 9);
	ck_assert_int_eq(c.bytes, INT64_MAX);
	ck_assert_double_eq(c.factor, 0.75);
	ck_assert_str_eq(c.text, " kept as it is ");
	ck_assert_str_eq(c.list, "range,sticky");
	ck_assert_int_eq(c.word, 2);
	ck_assert_int_eq(kl_option_store(&list, "", &strings, &c, &err), 0);
	ck_assert_str_eq(c.list, "");
	kl_arena_free(&strings);
}
END_TEST

static const struct {
	const struct klamm_option *row;
	const char *value, *sentence;
} refused[] = {
	{&on, "yes", "x.on = yes: must be true or false"},
	{&level, "0", "x.level = 0: must be -1 or 1..9"},
	{&level, "10", "x.level = 10: must be -1 or 1..9"},
	{&level, "-2", "x.level = -2: must be -1 or 1..9"},
	{&level, "", "x.level = : must be -1 or 1..9"},
	{&level, "3x", "x.level = 3x: must be -1 or 1..9"},
	{&bytes, "9223372036854775808",
	 "x.bytes = 9223372036854775808: must be 0..9223372036854775807"},
	{&bytes, "-1", "x.bytes = -1: must be 0..9223372036854775807"},
	{&factor, "0.4", "x.factor = 0.4: must be 0.5..1.0"},
	{&factor, "nan", "x.factor = nan: must be 0.5..1.0"},
	{&factor, "0,8", "x.factor = 0,8: must be 0.5..1.0"},
	{&list, "range,other", "x.list = range,other: must be range or sticky"},
	{&word, "lz4", "x.word = lz4: must be none, gzip or zstd"},
	{&word, "", "x.word = : must be none, gzip or zstd"},
	{&secret, "12345", "x.password = [hidden]: must be 1..9"},
};

START_TEST(refuses_in_one_sentence)
{
	struct conf c = {.level = 77};
	struct klamm_error err;
	int rc =
		kl_option_store(refused[_i].row, refused[_i].value, &strings, &c, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, refused[_i].sentence);
	ck_assert_int_eq(c.level, 77);
	kl_arena_free(&strings);
}
END_TEST

START_TEST(an_int_does_not_wrap)
{
	static const struct klamm_option row = {"x.int", KLAMM_OPTION_INT};
	struct klamm_error err;
	int32_t v = 5;
	int rc = kl_option_store(&row, "4294967297", &strings, &v, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text,
			 "x.int = 4294967297: must be -2147483648..2147483647");
	ck_assert_int_eq(v, 5);
}
END_TEST

START_TEST(foreign_rows_are_checked)
{
	struct klamm_error err;
	ck_assert_int_eq(kl_option_check_row(&factor, sizeof(struct conf), &err), 0);
	struct klamm_option row = level;
	row.offset = sizeof(struct conf) - 3;
	ck_assert_int_eq(kl_option_check_row(&row, sizeof(struct conf), &err),
			 KLAMM_ERR_PLUGIN);
	row.offset = SIZE_MAX;
	ck_assert_int_eq(kl_option_check_row(&row, sizeof(struct conf), &err),
			 KLAMM_ERR_PLUGIN);
	row = level;
	row.def = "0";
	ck_assert_int_eq(kl_option_check_row(&row, sizeof(struct conf), &err),
			 KLAMM_ERR_CONFIG);
	row = word;
	row.range = NULL;
	ck_assert_int_eq(kl_option_check_row(&row, sizeof(struct conf), &err),
			 KLAMM_ERR_PLUGIN);
	row.type = 99;
	ck_assert_int_eq(kl_option_check_row(&row, sizeof(struct conf), &err),
			 KLAMM_ERR_PLUGIN);
	ck_assert_str_eq(err.text, "option x.word has the unknown type 99");
}
END_TEST

START_TEST(parses_whole_numbers)
{
	static const struct {
		const char *text;
		bool ok;
		int64_t v;
	} cases[] = {
		{"0", true, 0},
		{"-1", true, -1},
		{"+5", true, 5},
		{"007", true, 7},
		{"9223372036854775807", true, INT64_MAX},
		{"-9223372036854775808", true, INT64_MIN},
		{"9223372036854775808", false, 0},
		{"-9223372036854775809", false, 0},
		{"", false, 0},
		{"-", false, 0},
		{"5s", false, 0},
		{" 5", false, 0},
		{"0x10", false, 0},
		{"1.0", false, 0},
		{"99999999999999999999999", false, 0},
	};
	for (size_t i = 0; i < kl_countof(cases); i++) {
		int64_t v = 0;
		bool ok = kl_parse_int(cases[i].text, strlen(cases[i].text), &v);
		ck_assert_msg(ok == cases[i].ok, "\"%s\"", cases[i].text);
		ck_assert_int_eq(v, cases[i].v);
	}
}
END_TEST

/* Whatever the locale is. */
START_TEST(prints_decimals)
{
	static const double values[] = {0, 1, 0.1, -2.5, 1e-9, .210000000000001, 1.0 / 3,
					5e-324, 1.7976931348623157e308};
	char digits[KL_DOUBLE_TEXT];
	double v;
	unit_decimal_comma();
	for (size_t i = 0; i < kl_countof(values); i++) {
		ck_assert(kl_print_double(values[i], digits));
		ck_assert(kl_parse_double(digits, strlen(digits), &v));
		ck_assert(v == values[i]);
		ck_assert_ptr_null(strchr(digits, ','));
	}
	ck_assert(kl_print_double(0.1, digits));
	ck_assert_str_eq(digits, "0.1");
}
END_TEST

START_TEST(parses_decimals)
{
	double v;
	ck_assert(kl_parse_double("0.8", 3, &v) && v == 0.8);
	ck_assert(kl_parse_double("-0.05", 5, &v) && v == -0.05);
	ck_assert(kl_parse_double("1", 1, &v) && v == 1);
	ck_assert(kl_parse_double("1.", 2, &v) && v == 1);
	ck_assert(!kl_parse_double("", 0, &v));
	ck_assert(!kl_parse_double(".", 1, &v));
	ck_assert(!kl_parse_double("0,8", 3, &v));
	ck_assert(!kl_parse_double("1.2.3", 5, &v));
	ck_assert(kl_parse_double("1e3", 3, &v) && v == 1000);
	ck_assert(kl_parse_double("2.5E-7", 6, &v) && v == 2.5e-7);
	ck_assert(kl_parse_double("0.21000000000000099", 19, &v) && v == .210000000000001);
	ck_assert(!kl_parse_double("1e999", 5, &v));
	ck_assert(!kl_parse_double("e3", 2, &v));
	ck_assert(!kl_parse_double("0x1", 3, &v));
	ck_assert(!kl_parse_double(" 1", 2, &v));
	ck_assert(!kl_parse_double("nan", 3, &v));
	ck_assert(!kl_parse_double("0.1234567890123456789012345678901", 33, &v));
}
END_TEST

static const struct {
	int32_t type;
	const char *range, *text, *why; /* why NULL: a good value */
} values[] = {
	{KLAMM_OPTION_INT, "0..", "0", NULL},
	{KLAMM_OPTION_INT, "0..", "2147483647", NULL},
	{KLAMM_OPTION_INT, "0..", "-1", "must be 0..2147483647"},
	{KLAMM_OPTION_INT, "0..", "2147483648", "must be 0..2147483647"},
	{KLAMM_OPTION_INT, "0..", "ten", "must be 0..2147483647"},
	{KLAMM_OPTION_INT, "0..", "", "must be 0..2147483647"},
	{KLAMM_OPTION_INT, NULL, "2147483648", "must be -2147483648..2147483647"},
	{KLAMM_OPTION_INT, "-1|1..9", "-1", NULL},
	{KLAMM_OPTION_INT, "-1|1..9", "9", NULL},
	{KLAMM_OPTION_INT, "-1|1..9", "0", "must be -1 or 1..9"},
	{KLAMM_OPTION_INT, "-131072..22", "-131072", NULL},
	{KLAMM_OPTION_INT, "-131072..22", "23", "must be -131072..22"},
	{KLAMM_OPTION_LONG, "0..", "9223372036854775807", NULL},
	{KLAMM_OPTION_LONG, "0..", "-5", "must be 0..9223372036854775807"},
	{KLAMM_OPTION_LONG, "..5", "6", "must be -9223372036854775808..5"},
	{KLAMM_OPTION_DOUBLE, "0.5..1.0", "0.5", NULL},
	{KLAMM_OPTION_DOUBLE, "0.5..1.0", "0.49", "must be 0.5..1.0"},
	{KLAMM_OPTION_DOUBLE, NULL, "x", "must be a number"},
	{KLAMM_OPTION_BOOL, NULL, "TRUE", NULL},
	{KLAMM_OPTION_BOOL, NULL, "yes", "must be true or false"},
	{KLAMM_OPTION_ENUM, "a|b|c", "B", NULL},
	{KLAMM_OPTION_ENUM, "a|b|c", "d", "must be a, b or c"},
	{KLAMM_OPTION_ENUM, "a|b|c", "", "must be a, b or c"},
	{KLAMM_OPTION_STRING, NULL, "", NULL},
	{KLAMM_OPTION_STRING, "a|b", "ab", "must be a or b"},
	{KLAMM_OPTION_LIST, NULL, "x,y", NULL},
	{KLAMM_OPTION_LIST, "x|y", "x,,y", NULL},
	{KLAMM_OPTION_LIST, "x|y", "y, x", NULL},
	{KLAMM_OPTION_LIST, "x|y", "x,z", "must be x or y"},
	{99, NULL, "x", "has a type that this version of klamm does not know"},
};

START_TEST(knows_good_values_and_says_why)
{
	struct klamm_option o = {
		.name = "k", .type = values[_i].type, .range = values[_i].range};
	KL_AUTO(kl_buf_free) struct kl_buf why = {0};
	bool ok = kl_option_valid(&o, values[_i].text, &why);
	ck_assert_msg(ok == (values[_i].why == NULL), "\"%s\": %s", values[_i].text,
		      kl_buf_text(&why));
	ck_assert_str_eq(kl_buf_text(&why), ok ? "" : values[_i].why);
}
END_TEST

START_TEST(walks_lists)
{
	const char *p = " a , b,,c ";
	struct klamm_span e;
	static const char *const want[] = {"a", "b", "", "c"};
	for (size_t i = 0; i < kl_countof(want); i++) {
		ck_assert(kl_list_next(&p, &e));
		ck_assert_uint_eq(e.len, strlen(want[i]));
		ck_assert_mem_eq(e.data, want[i], e.len);
	}
	ck_assert(!kl_list_next(&p, &e));
	p = "";
	ck_assert(!kl_list_next(&p, &e));
}
END_TEST

UNIT_SUITE(option)
{
	Suite *s = suite_create("option");
	unit_add(s, parses_whole_numbers);
	unit_add(s, parses_decimals);
	unit_add(s, prints_decimals);
	unit_add_loop(s, knows_good_values_and_says_why, (int)kl_countof(values));
	unit_add(s, walks_lists);
	unit_add(s, stores_each_type);
	unit_add_loop(s, refuses_in_one_sentence, (int)kl_countof(refused));
	unit_add(s, an_int_does_not_wrap);
	unit_add(s, foreign_rows_are_checked);
	return s;
}
