/* SPDX-License-Identifier: BSD-2-Clause */
/* Twenty and some wrong plugins, each of which the kit must catch with its own sentence. */
#include <stdio.h>
#include <stdlib.h>

#include "kit/kit.h"
#include "tests/unit/unit.h"

/* A hanging one is given up after that; it never ends by itself. */
#define HANG_MS 5000

static const struct broken {
	int32_t kind;
	const char *name;
	const char *words[3]; /* of the sentence that comes first */
} broken[] = {
	{KLAMM_KIND_CODEC, "abi", {"was built for ABI 7 of codec plugins", "with ABI 1"}},
	{KLAMM_KIND_CODEC, "head", {"has a descriptor of 40 bytes; the head alone takes "}},
	{KLAMM_KIND_CODEC,
	 "member",
	 {"lacks compress, which every codec plugin must have"}},
	{KLAMM_KIND_CODEC, "undefined", {"undefined symbol: nobody_has_this"}},
	{KLAMM_KIND_CODEC, "second", {"it exports a second symbol, helper_of_mine"}},
	{KLAMM_KIND_CODEC, "leak", {"it leaks on close: about ", " bytes each time"}},
	{KLAMM_KIND_CODEC, "crash", {"it crashes: open() ended with signal 11"}},
	{KLAMM_KIND_CODEC, "hang", {"it hangs: open() has not returned after 5 s"}},
	{KLAMM_KIND_CODEC, "limit", {"compress() writes beyond the limit"}},
	{KLAMM_KIND_CODEC,
	 "trip",
	 {"round trip: 131073 bytes come back with another byte at "
	  "131072"}},
	{KLAMM_KIND_CODEC, "bomb", {"decompress() goes past its limit"}},
	{KLAMM_KIND_CODEC, "swallow", {"open() swallows codec.swallow.dictionary = "}},
	{KLAMM_KIND_CODEC,
	 "overlap",
	 {"codec.overlap.level and codec.overlap.window lie in the "
	  "same place",
	  "swallows"}},
	{KLAMM_KIND_CODEC, "chatty", {"it prints 18 bytes"}},
	{KLAMM_KIND_PARTITIONER, "range", {"pick() answers partition ", "out of range"}},
	{KLAMM_KIND_PARTITIONER, "unstable", {"pick() is unstable: the same key goes to "}},
	{KLAMM_KIND_ASSIGNOR, "nobody", {"assign() leaves topic-00-6 to nobody"}},
	{KLAMM_KIND_ASSIGNOR, "outside", {"assign() writes outside of a topic"}},
	{KLAMM_KIND_ASSIGNOR,
	 "twice",
	 {"assigned twice: member-02 gets it while member-00 still "
	  "has it"}},
	{KLAMM_KIND_SASL,
	 "proof",
	 {"accept_step() accepts a proof that is wrong: the store has a "
	  "part of the password"}},
	{KLAMM_KIND_SASL, "secret", {"the secret is left in memory: "}},
	{KLAMM_KIND_SERIALIZER,
	 "null",
	 {"null is not empty: encode() writes empty bytes as null"}},
	{KLAMM_KIND_SERIALIZER,
	 "concurrent",
	 {"concurrent calls on one self disturb each other"}},
	{KLAMM_KIND_METRICS,
	 "monotonic",
	 {"report() changes the snapshot that it was lent: not "
	  "monotonic: the counter record-send-total falls"}},
	{KLAMM_KIND_METRICS, "stride", {"it crashes: report() of 5 metrics"}},
	{KLAMM_KIND_METRICS, "keeps", {"it crashes: report() of "}},
};

struct findings {
	unsigned count;
	char first[KIT_TEXT];
};

static void keep_first(void *arg, const struct kit_check *check,
		       const struct kit_verdict *verdict)
{
	struct findings *findings = arg;
	if (verdict->result == KIT_BAD && findings->count++ == 0)
		snprintf(findings->first, sizeof(findings->first), "%s", verdict->text);
}

START_TEST(each_is_caught_with_its_sentence)
{
	const struct broken *b = &broken[_i];
	char file[4096];
	snprintf(file, sizeof(file), "%s/%s_%s.so", BROKEN, kl_kind_word(b->kind), b->name);
	struct kit_subject subject = {.kind = b->kind, .file = file};
	struct findings findings = {0};
	if (strcmp(b->name, "hang") == 0)
		subject.limit_ms = HANG_MS;
	unsigned bad = kit_run_all(&subject, keep_first, &findings);
	ck_assert_msg(bad > 0, "%s passes", b->name);
	ck_assert_uint_eq(bad, findings.count);
	for (size_t i = 0; i < kl_countof(b->words) && b->words[i] != NULL; i++)
		ck_assert_msg(strstr(findings.first, b->words[i]) != NULL, "%s: %s", b->name,
			      findings.first);
}
END_TEST

/* What comes after a plugin that does not open has no meaning, and is not told as wrong. */
static void count_skipped(void *arg, const struct kit_check *check,
			  const struct kit_verdict *verdict)
{
	*(unsigned *)arg += verdict->result == KIT_SKIPPED;
}

START_TEST(one_that_does_not_load_fails_once)
{
	unsigned skipped = 0;
	struct kit_subject subject = {.kind = KLAMM_KIND_CODEC,
				      .file = BROKEN "/codec_abi.so"};
	ck_assert_uint_eq(kit_run_all(&subject, count_skipped, &skipped), 1);
	ck_assert_uint_eq(skipped, kit_count(KLAMM_KIND_CODEC) - 1);
}
END_TEST

START_TEST(a_file_has_its_kind_in_its_name)
{
	static const struct {
		const char *file, *words;
	} files[] = {
		{BROKEN "/zstd.so",
		 "the file is called zstd.so: klamm looks for codec plugins in "
		 "files called codec_NAME.so"},
		{BROKEN "/partitioner_range.so", "files called codec_NAME.so"},
		{BROKEN "/codec_not_there.so", "there is no "},
	};
	for (size_t i = 0; i < kl_countof(files); i++) {
		struct kit_subject subject = {.kind = KLAMM_KIND_CODEC, .file = files[i].file};
		struct kit_verdict v;
		kit_run(&subject, &kit_checks[0], &v);
		ck_assert_int_eq(v.result, KIT_BAD);
		ck_assert_msg(strstr(v.text, files[i].words) != NULL, "%s", v.text);
	}
}
END_TEST

UNIT_SUITE(broken)
{
	Suite *s = suite_create("broken");
	unit_add_loop(s, each_is_caught_with_its_sentence, (int)kl_countof(broken));
	unit_add(s, one_that_does_not_load_fails_once);
	unit_add(s, a_file_has_its_kind_in_its_name);
	return s;
}
