/* SPDX-License-Identifier: BSD-2-Clause */
/* Records as klamm produce reads them: envelopes and plain lines.
 * Input: how to read, a limit of memory, then a line. */
#include "cli/io.h"
#include "cli/reader.h"
#include "cli/value.h"
#include "tests/fuzz/fuzz.h"

/* What was read is printed again, and has to be what it was. */
static void print_again(const struct klamm_value *value)
{
	struct kl_buf text = {0}, text2 = {0};
	struct json_object *json = NULL;
	char why[128];
	struct json_tokener *parser = cli_json_parser();
	struct kl_arena arena = {0};
	struct klamm_value again;
	cli_put_value_json(&text, value);
	fuzz_must(cli_json_parse(parser, text.data, text.len, &json, why));
	fuzz_must(cli_value_of_json(json, &arena, &again, why));
	cli_put_value_json(&text2, &again);
	fuzz_must(text.len == text2.len &&
		  memcmp(text.data, text2.data, text.len) == 0);
	json_object_put(json);
	json_tokener_free(parser);
	kl_arena_free(&arena);
	kl_buf_free(&text);
	kl_buf_free(&text2);
}

static const char *const serializers[] = {"", "string", "json", "bytes"};

static void read_line(struct cli_reader *reader, struct klamm_span line)
{
	struct klamm_record record = {.size = sizeof(record)};
	char why[CLI_WHY] = "";
	if (!cli_reader_record(reader, line, &record, why)) {
		fuzz_must(why[0] != '\0');
		return;
	}
	if (record.key_value != NULL)
		print_again(record.key_value);
	if (record.value_value != NULL)
		print_again(record.value_value);
	fuzz_must(record.partition >= -1 && record.timestamp_ms >= -1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = fuzz_take(&data, &size);
	static char name[] = "h";
	struct klamm_header own = {{name, 1}, {NULL, 0}};
	struct cli_reader reader = {
		.key_form = cli_form_of(serializers[how & 3]),
		.value_form = cli_form_of(serializers[how >> 2 & 3]),
		.envelopes = how & 16,
		.keep_partition = how & 32,
		.empty_is_null = how & 64,
		.key = how & 128 ? "1" : NULL,
		.headers = &own,
		.header_count = how >> 7,
		.timestamp_ms = -1,
		.partition = -1,
		.arena.max = fuzz_limit(fuzz_take(&data, &size)),
	};
	if (how & 32)
		reader.separator = (struct klamm_span){":", 1};
	/* Twice: what the first line left is in the way of the next. */
	read_line(&reader, (struct klamm_span){data, size});
	read_line(&reader, (struct klamm_span){data, size});
	cli_reader_free(&reader);
	return 0;
}
