/* SPDX-License-Identifier: BSD-2-Clause */
#include "cli/report.h"

#include "cli/io.h"
#include "core/base/text.h"

static void put_text(struct kl_buf *out, const char *member, const char *text)
{
	cli_put_text(out, member);
	kl_buf_json_bytes(out, text, strlen(text));
}

static void put_int(struct kl_buf *out, const char *member, int64_t n)
{
	cli_put_text(out, member);
	cli_put_int(out, n);
}

void cli_put_delivery(struct kl_buf *out, const struct klamm_delivery *d,
		      const char *file, uint64_t line)
{
	put_text(out, "{\"file\":", file);
	put_int(out, ",\"line\":", (int64_t)line);
	put_text(out, ",\"topic\":", d->topic);
	put_int(out, ",\"partition\":", d->partition);
	put_int(out, ",\"offset\":", d->offset);
	put_int(out, ",\"timestamp\":", d->timestamp_ms);
	if (d->error == 0)
		cli_put_text(out, ",\"error\":null");
	else
		put_text(out, ",\"error\":", klamm_err_name(d->error));
	put_text(out, ",\"outcome\":", klamm_outcome_name(d->outcome));
	cli_put_text(out, ",\"retriable\":");
	cli_put_text(out, d->retriable ? "true" : "false");
	put_text(out, ",\"text\":", d->text);
	cli_put_text(out, "}\n");
}

void cli_put_transaction(struct kl_buf *out, const char *state, uint64_t records)
{
	put_text(out, "{\"transaction\":", state);
	put_int(out, ",\"records\":", (int64_t)records);
	cli_put_text(out, "}\n");
}
