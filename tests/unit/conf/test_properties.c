/* SPDX-License-Identifier: BSD-2-Clause */
/* What java.util.Properties makes of the same text. */
#include "core/conf/properties.h"

#include "tests/unit/unit.h"

static const struct {
	const char *text, *key, *value; /* the first pair; key NULL: there is none */
	int32_t line;
} pairs[] = {
	{"a=b", "a", "b", 1},
	{"a:b", "a", "b", 1},
	{"a b", "a", "b", 1},
	{"a\tb", "a", "b", 1},
	{"  a = b", "a", "b", 1},
	{"a  :  b", "a", "b", 1},
	{"a = = b", "a", "= b", 1},
	{"a : = b", "a", "= b", 1},
	{"a", "a", "", 1},
	{"a=", "a", "", 1},
	{"=b", "", "b", 1},
	{"a=b  ", "a", "b  ", 1},
	{"a=b\r\nc=d", "a", "b", 1},
	{"a=b\rc=d", "a", "b", 1},
	{"# x=y\n! z=w\n\n \t\n a=b", "a", "b", 5},
	{"#x\\\na=b", "a", "b", 2},
	{"a=b#c", "a", "b#c", 1},
	{"a\\=x=b", "a=x", "b", 1},
	{"a\\ x b", "a x", "b", 1},
	{"a\\:x:b", "a:x", "b", 1},
	{"a=1,\\\n   2,\\\r\n\t3", "a", "1,2,3", 1},
	{"\n\na=1\\\n2", "a", "12", 3},
	{"a=b\\\n\nc=d", "a", "b", 1},
	{"a=b\\\n# not a comment", "a", "b# not a comment", 1},
	{"a=b\\\\\nc=d", "a", "b\\", 1},
	{"a=b\\", "a", "b", 1},
	{"a=\\t\\n\\r\\f\\q\\\"", "a", "\t\n\r\fq\"", 1},
	{"a=\\u0041\\u00e4\\u20ac", "a", "A\xc3\xa4\xe2\x82\xac", 1},
	{"a=\\uD83D\\uDE00!", "a", "\xf0\x9f\x98\x80!", 1},
	{"\\u0061=b", "a", "b", 1},
	{"a=\xc3\xa4", "a", "\xc3\xa4", 1},
	{"\xef\xbb\xbf"
	 "a=b",
	 "a", "b", 1},
	{"", NULL, NULL, 0},
	{"# only\n  ! comments", NULL, NULL, 0},
	{"\n\n", NULL, NULL, 0},
};

START_TEST(reads_a_pair)
{
	struct kl_properties r;
	kl_properties_init(&r, pairs[_i].text, strlen(pairs[_i].text));
	bool found = kl_properties_next(&r);
	ck_assert_msg(found == (pairs[_i].key != NULL), "%s", pairs[_i].text);
	if (found) {
		ck_assert_ptr_null(r.why);
		ck_assert_str_eq(kl_buf_text(&r.key), pairs[_i].key);
		ck_assert_str_eq(kl_buf_text(&r.value), pairs[_i].value);
		ck_assert_int_eq(r.line, pairs[_i].line);
	}
	ck_assert(!kl_properties_failed(&r));
	kl_properties_free(&r);
}
END_TEST

START_TEST(reads_on_behind_continued_lines)
{
	static const char text[] = "a=1\\\n2\r\nb=3\n\n#\nc\\\n d=4\\\n\ne";
	static const struct {
		const char *key, *value;
		int32_t line;
	} want[] = {{"a", "12", 1}, {"b", "3", 3}, {"cd", "4", 6}, {"e", "", 9}};
	struct kl_properties r;
	kl_properties_init(&r, text, sizeof(text) - 1);
	for (size_t i = 0; i < kl_countof(want); i++) {
		ck_assert(kl_properties_next(&r));
		ck_assert_str_eq(kl_buf_text(&r.key), want[i].key);
		ck_assert_str_eq(kl_buf_text(&r.value), want[i].value);
		ck_assert_int_eq(r.line, want[i].line);
	}
	ck_assert(!kl_properties_next(&r));
	kl_properties_free(&r);
}
END_TEST

START_TEST(says_what_is_malformed_and_goes_on)
{
	static const char text[] =
		"a=\\u12\nb=\\uD800x\nc=\\u0000\nd=\\uzzzz\ne=x\0y\nf=ok";
	static const char *const why[] = {
		"\\u must be followed by four hexadecimal digits",
		"\\u names half of a character",
		"\\u0000 cannot be part of a value",
		"\\u must be followed by four hexadecimal digits",
		"there is a zero byte in the line",
		NULL,
	};
	struct kl_properties r;
	kl_properties_init(&r, text, sizeof(text) - 1);
	for (size_t i = 0; i < kl_countof(why); i++) {
		ck_assert(kl_properties_next(&r));
		ck_assert_int_eq(r.line, (int)i + 1);
		if (why[i] == NULL)
			ck_assert_ptr_null(r.why);
		else
			ck_assert_str_eq(r.why, why[i]);
	}
	ck_assert(!kl_properties_next(&r));
	kl_properties_free(&r);
}
END_TEST

/* Whatever is cut off or turned over, the end is reached inside the text. */
START_TEST(survives_damage)
{
	static const char text[] =
		"a=\\u0041\\\n  b : c\\\\\n#x\n\\ud83d\\ude00=\\\r\n\\t!\n";
	char copy[sizeof(text)];
	for (size_t cut = 0; cut < sizeof(text); cut++) {
		for (size_t flip = 0; flip < cut * 8; flip++) {
			memcpy(copy, text, cut);
			copy[flip / 8] ^= (char)(1 << flip % 8);
			struct kl_properties r;
			kl_properties_init(&r, copy, cut);
			size_t n = 0;
			while (kl_properties_next(&r))
				ck_assert_uint_le(++n, cut);
			ck_assert_ptr_eq(r.p, r.end);
			kl_properties_free(&r);
		}
	}
}
END_TEST

UNIT_SUITE(properties)
{
	Suite *s = suite_create("properties");
	unit_add_loop(s, reads_a_pair, (int)kl_countof(pairs));
	unit_add(s, reads_on_behind_continued_lines);
	unit_add(s, says_what_is_malformed_and_goes_on);
	unit_add(s, survives_damage);
	return s;
}
