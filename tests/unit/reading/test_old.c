/* SPDX-License-Identifier: BSD-2-Clause */
/* What Kafka 0.9 and 0.10 wrote to their disks, read through the codec plugins. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/reading/reading.h"

static const char *const codecs[] = {"gzip", "snappy", "lz4"};

/* The bytes behind the line "= NAME". */
static uint8_t *log_of(const char *name, size_t *len_out)
{
	size_t len;
	char *text = unit_read("tests/unit/reading/old-brokers.txt", &len), *save;
	struct kl_buf hex = {0};
	bool on = false;
	for (char *line = strtok_r(text, "\n", &save); line != NULL;
	     line = strtok_r(NULL, "\n", &save)) {
		if (*line == '=')
			on = strcmp(line + 2, name) == 0;
		else if (on && *line != '#')
			kl_buf_printf(&hex, "%s", line);
	}
	uint8_t *bytes = unit_hex(kl_buf_text(&hex), len_out);
	ck_assert_uint_gt(*len_out, 0);
	kl_buf_free(&hex);
	free(text);
	return bytes;
}

static void check(const char *release, const char *codec, const char *expected)
{
	char name[50];
	snprintf(name, sizeof(name), "Kafka %s, %s", release, codec);
	struct kl_buf out = {0};
	uint8_t *log = log_of(name, &reading_script.log_len);
	reading_script.log = log;
	reading_script.log_end = 6;
	reading_start(NULL);
	reading_until(6, &out);
	ck_assert_msg(strcmp(kl_buf_text(&out), expected) == 0, "%s:\n%s", name,
		      kl_buf_text(&out));
	kl_buf_free(&out);
	free(log);
}

static bool is_shipped(const char *codec)
{
	char name[20];
	snprintf(name, sizeof(name), "codec_%s", codec);
	return strstr(SHIPPED, name) != NULL;
}

/* Offsets inside count from the start of the log, and LZ4 frames have a wrong checksum. */
START_TEST(reads_v0)
{
	if (is_shipped(codecs[_i]))
		check("0.9.0.1", codecs[_i],
		      "0 -1 none null \"first first first first first \"\n"
		      "1 -1 none \"k\" null\n"
		      "2 -1 none \"\" \"last\"\n"
		      "3 -1 none null \"first first first first first \"\n"
		      "4 -1 none \"k\" null\n"
		      "5 -1 none \"\" \"last\"\n");
}
END_TEST

/* Offsets inside count from the first of them. */
START_TEST(reads_v1)
{
	if (is_shipped(codecs[_i]))
		check("0.10.2.2", codecs[_i],
		      "0 1700000000000 create null \"first first first first first \"\n"
		      "1 1700000000005 create \"k\" null\n"
		      "2 1700000000010 create \"\" \"last\"\n"
		      "3 1700000000015 create null \"first first first first first \"\n"
		      "4 1700000000020 create \"k\" null\n"
		      "5 1700000000025 create \"\" \"last\"\n");
}
END_TEST

UNIT_SUITE(old)
{
	Suite *s = suite_create("old");
	unit_add_case(s, "reads_v0", reads_v0, reading_up, NULL, 3);
	unit_add_case(s, "reads_v1", reads_v1, reading_up, NULL, 3);
	return s;
}
