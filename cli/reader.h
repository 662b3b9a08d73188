/* SPDX-License-Identifier: BSD-2-Clause */
/* From a line of text to a record: split at a separator, or a JSON envelope as `klamm
 * consume
 * --json` prints it. */
#ifndef CLI_READER_H
#define CLI_READER_H

#include <klamm/producer.h>
#include <klamm/serializer.h>

#include "cli/cli.h"
#include "core/base/arena.h"

/* What a text means to the serializer that is configured. */
enum cli_form {
	CLI_RAW,    /* there is none: the bytes themselves */
	CLI_STRING, /* serializer string or bytes: a text */
	CLI_JSON,   /* any other: the text is JSON, and what it says is the value */
};
enum cli_form cli_form_of(const char *serializer); /* its name, NULL = none */

struct json_tokener;
struct json_object;

struct cli_reader {
	/* --- set by the owner --- */
	enum cli_form key_form, value_form;
	bool envelopes;	     /* each line is a JSON envelope */
	bool keep_partition; /* of the envelope */
	bool empty_is_null;
	struct klamm_span
		separator; /* between key and value; NULL = no key in the line */
	const char *key;   /* the same for every record; NULL = none */
	struct klamm_header *headers; /* before those of an envelope */
	size_t header_count;
	int64_t timestamp_ms;
	int32_t partition;

	/* --- its own --- */
	struct json_tokener *parser;
	struct json_object
		*parsed[3]; /* what the record points into: line, key, value */
	struct kl_arena arena;
	struct klamm_value key_value, value_value;
};

#define CLI_WHY 160

/* Everything in the record is borrowed from line and reader, until the next call.
 * False: why says what is wrong with the line. */
bool cli_reader_record(struct cli_reader *reader, struct klamm_span line,
		       struct klamm_record *record_out, char why[static CLI_WHY]);
void cli_reader_free(struct cli_reader *reader);

#endif
