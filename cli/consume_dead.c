/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm consume: records that a deserializer cannot read. They never hold up the others,
 * unless that is asked for. */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "cli/consume.h"

int cli_consume_dead_check(struct cli_consume *c)
{
	static const char *const words[] = {
		[CLI_ON_ERROR_TELL] = "tell",
		[CLI_ON_ERROR_SKIP] = "skip",
		[CLI_ON_ERROR_STOP] = "stop",
	};
	const struct cli_consume_options *o = c->options;
	c->on_error = o->dead_letters != NULL ? CLI_ON_ERROR_SKIP : CLI_ON_ERROR_TELL;
	if (o->on_error == NULL)
		return 0;
	size_t i = 0;
	while (i < kl_countof(words) && strcmp(o->on_error, words[i]) != 0)
		i++;
	if (i == kl_countof(words))
		return cli_usage(c->cli, "--on-error %s: must be tell, skip or stop",
				 o->on_error);
	if (i == CLI_ON_ERROR_STOP && o->dead_letters != NULL)
		return cli_usage(c->cli, "--dead-letters reads on, --on-error stop does not");
	c->on_error = (enum cli_on_error)i;
	return 0;
}

int cli_consume_dead_open(struct cli_consume *c)
{
	const char *path = c->options->dead_letters;
	if (path == NULL)
		return 0;
	c->dead.path = path;
	c->dead.fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
	if (c->dead.fd < 0)
		return cli_fail(CLI_USAGE, "%s: cannot open: %s", path, strerror(errno));
	return 0;
}

static bool stop(struct cli_consume *c, const struct klamm_error *err)
{
	c->status = cli_fail(CLI_FAILED, "%s; stopped there: --on-error skip leaves it out",
			     err->text);
	return false;
}

static bool keep(struct cli_consume *c, const struct klamm_record_view *view,
		 const struct klamm_error *err)
{
	cli_format_dead(&c->format, view, err->text, &c->dead.buf);
	cli_out_check(&c->dead);
	if (cli_out_broken(&c->dead))
		c->status = CLI_FAILED; /* told at the end, with the reason */
	return !cli_out_broken(&c->dead);
}

bool cli_consume_dead(struct cli_consume *c, const struct klamm_record_view *view,
		      const struct klamm_error *err)
{
	if (err->code != KLAMM_ERR_DESERIALIZE) {
		c->status = cli_error(err);
		return false;
	}
	if (c->on_error == CLI_ON_ERROR_STOP)
		return stop(c, err);
	if (c->dead.fd >= 0 && !keep(c, view, err))
		return false;
	if (c->on_error == CLI_ON_ERROR_TELL)
		cli_error(err);
	c->unreadable++;
	return true;
}

bool cli_consume_flush(struct cli_consume *c)
{
	bool kept = c->dead.fd < 0 || cli_out_flush(&c->dead);
	if (!kept)
		c->status = CLI_FAILED;
	return cli_out_flush(&c->out) && kept;
}

int cli_consume_dead_end(struct cli_consume *c, int status)
{
	bool kept = c->dead.fd >= 0;
	if (kept && cli_out_end(&c->dead, 0) != 0)
		status = status != 0 ? status : CLI_FAILED;
	if (kept && close(c->dead.fd) != 0)
		status = cli_fail(CLI_FAILED, "%s: cannot write: %s", c->dead.path,
				  strerror(errno));
	if (c->unreadable > 0 && !c->cli->quiet)
		cli_fail(0, "%llu of %llu records could not be decoded%s%s",
			 (unsigned long long)c->unreadable, (unsigned long long)c->printed,
			 kept ? ": they are in " : "", kept ? c->dead.path : "");
	bool failed = c->unreadable > 0 && c->on_error == CLI_ON_ERROR_TELL;
	return status == 0 && failed ? CLI_FAILED : status;
}
