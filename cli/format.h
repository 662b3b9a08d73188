/* SPDX-License-Identifier: BSD-2-Clause */
/* From a record to text: a format with % directives (kcat's and more), or one JSON
 * envelope per line. */
#ifndef CLI_FORMAT_H
#define CLI_FORMAT_H

#include <klamm/consumer.h>
#include <klamm/serializer.h>

#include "cli/cli.h"
#include "core/base/buf.h"

struct cli_format_op;

struct cli_format {
	struct cli_format_op *ops;
	size_t count;
	bool json; /* envelopes; there are no ops then */
	bool null_is_shown; /* as NULL, rather than as nothing */
	/* Keys or values go through their deserializer. */
	bool decode_keys, decode_values;
	/* Of the batch at hand; head: {"topic":"t","partition":0,"offset": */
	const char *topic;
	int32_t partition;
	struct kl_buf head;
};

/* False: why says what is wrong with text. */
bool cli_format_compile(struct cli_format *format, const char *text,
			char why[static 128]);
void cli_format_free(struct cli_format *format);

/* Before the first record of a batch. topic is borrowed until the next one. */
void cli_format_batch(struct cli_format *format, const char *topic, int32_t partition);
/* Append one record; batch may be NULL where nothing is decoded. DESERIALIZE and what
 * else a deserializer may answer; then nothing was appended. */
int cli_format_record(struct cli_format *format, struct klamm_batch *batch,
		      const struct klamm_record_view *view, struct kl_buf *out,
		      struct klamm_error *err);

/* Append the envelope of a record that cannot be decoded: its bytes as base64, and why. */
void cli_format_dead(const struct cli_format *format, const struct klamm_record_view *view,
		     const char *why, struct kl_buf *out);

#endif
