/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration of a run: what the program itself prefers, then files, then -X,
 * then -b; later ones win. */
#include <stdio.h>

#include "cli/cli.h"

static void tell_issue(void *arg, const struct klamm_conf_issue *issue)
{
	const struct cli *cli = arg;
	if (!issue->is_error && cli->quiet)
		return;
	fprintf(stderr, "klamm: %s:%d: %s%s\n",
		issue->file ? issue->file : "command line", issue->line,
		issue->is_error ? "" : "note: ", issue->text);
}

static void log_line(void *arg, int32_t level, const char *where, const char *text)
{
	static const char *const names[] = {"error", "warning", "info", "debug",
					    "trace"};
	fprintf(stderr, "klamm: %s: %s: %s\n",
		names[level >= 0 && level < (int32_t)kl_countof(names) ? level : 0],
		where, text);
}

static int load_file(const struct cli *cli, struct klamm_conf *conf, const char *file)
{
	struct klamm_error err;
	int rc = klamm_conf_load(conf, file, tell_issue, (void *)cli, &err);
	if (rc == KLAMM_ERR_CONFIG)
		return CLI_USAGE; /* each issue was told */
	if (rc != 0) {
		cli_error(&err);
		return CLI_USAGE;
	}
	return 0;
}

static int set_brokers(const struct cli *cli, struct klamm_conf *conf)
{
	char text[4096];
	size_t len = 0;
	for (size_t i = 0; i < cli->brokers.n; i++) {
		int n = snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "",
				 cli->brokers.v[i]);
		if (n < 0 || (size_t)n >= sizeof(text) - len)
			return cli_usage(cli, "-b: too many brokers");
		len += (size_t)n;
	}
	struct klamm_error err;
	if (len > 0 && klamm_conf_set(conf, "bootstrap.servers", text, &err) != 0)
		return cli_fail(CLI_USAGE, "-b: %s", err.text);
	return 0;
}

/* Somebody sits and waits: a wrong address is worth less of his time than a server's.
 */
static int prefer(const struct cli *cli, struct klamm_conf *conf)
{
	struct klamm_error err;
	char wait[24];
	snprintf(wait, sizeof(wait), "%lld", (long long)cli_timeout_ms(cli));
	if (klamm_conf_set(conf, "client.id", "klamm", &err) != 0 ||
	    klamm_conf_set(conf, "max.block.ms", wait, &err) != 0)
		return cli_error(&err);
	return 0;
}

static int fill(const struct cli *cli, struct klamm_conf *conf)
{
	struct klamm_error err;
	int rc = prefer(cli, conf);
	for (size_t i = 0; rc == 0 && i < cli->files.n; i++)
		rc = load_file(cli, conf, cli->files.v[i]);
	for (size_t i = 0; rc == 0 && i < cli->pairs.n; i++)
		if (klamm_conf_set_pair(conf, cli->pairs.v[i], &err) != 0)
			rc = cli_fail(CLI_USAGE, "-X %s", err.text);
	if (rc == 0)
		rc = set_brokers(cli, conf);
	if (rc != 0)
		return rc;
	/* Errors always; -v begins at info (2), and from -vv on messages are shown. */
	int32_t level = cli->verbosity > 0 ? kl_min(cli->verbosity + 1, 4) : 0;
	if (cli->verbosity > 1)
		level |= KLAMM_LOG_TRAFFIC;
	if (klamm_conf_log(conf, log_line, NULL, level) != 0)
		return cli_fail(CLI_FAILED, "out of memory");
	return 0;
}

int cli_conf(const struct cli *cli, struct klamm_conf **conf_out)
{
	struct klamm_conf *conf;
	struct klamm_error err;
	if (klamm_conf_new(&conf, &err) != 0)
		return cli_error(&err);
	int rc = fill(cli, conf);
	if (rc != 0) {
		klamm_conf_free(conf);
		return rc;
	}
	*conf_out = conf;
	return 0;
}

int cli_client_conf(const struct cli *cli, struct klamm_conf **conf_out)
{
	struct klamm_conf *conf;
	int rc = cli_conf(cli, &conf);
	if (rc != 0)
		return rc;
	/* Where klamm broker listens unless it is told otherwise. */
	const char *servers = klamm_conf_get(conf, "bootstrap.servers");
	struct klamm_error err;
	if ((servers == NULL || servers[0] == '\0') &&
	    klamm_conf_set(conf, "bootstrap.servers", "127.0.0.1:9092", &err) != 0) {
		klamm_conf_free(conf);
		return cli_error(&err);
	}
	*conf_out = conf;
	return 0;
}
