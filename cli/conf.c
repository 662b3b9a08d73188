/* SPDX-License-Identifier: BSD-2-Clause */
/* The configuration of a run: what the program itself prefers, then files, then -X,
 * then -b; later ones win. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/cli.h"
#include "core/conf/conf.h"

static void tell_issue(void *arg, const struct klamm_conf_issue *issue)
{
	const struct cli *cli = arg;
	if (!issue->is_error && cli->quiet)
		return;
	fprintf(stderr, "klamm: %s:%d: %s%s\n", issue->file, issue->line,
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

/* Somebody's own file, for when no -F is given: $KLAMM_CONF (empty: none), or klamm.conf of
 * the folder that the XDG rules say, if it is there. False: there is none. */
static bool own_file(struct kl_buf *file)
{
	const char *named = secure_getenv("KLAMM_CONF");
	if (named != NULL) {
		kl_buf_printf(file, "%s", named);
		return *named != '\0';
	}
	const char *folder = secure_getenv("XDG_CONFIG_HOME"), *home = secure_getenv("HOME");
	if (folder != NULL && *folder == '/')
		kl_buf_printf(file, "%s/klamm/klamm.conf", folder);
	else if (home != NULL && *home == '/')
		kl_buf_printf(file, "%s/.config/klamm/klamm.conf", home);
	else
		return false;
	/* One that is there and cannot be read is an error of the reading. */
	return access(kl_buf_text(file), F_OK) == 0 || (errno != ENOENT && errno != ENOTDIR);
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
	char text[4096] = "";
	size_t len = 0;
	for (size_t i = 0; i < cli->brokers.n; i++) {
		int n = snprintf(text + len, sizeof(text) - len, "%s%s", i ? "," : "",
				 cli->brokers.v[i]);
		if (n < 0 || (size_t)n >= sizeof(text) - len)
			return cli_usage(cli, "-b: too many brokers");
		len += (size_t)n;
	}
	struct klamm_error err;
	if (cli->brokers.n > 0 &&
	    kl_conf_set_from(conf, "bootstrap.servers", text, "-b", &err) != 0)
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
	if (kl_conf_set_from(conf, "client.id", "klamm", "klamm", &err) != 0 ||
	    kl_conf_set_from(conf, "max.block.ms", wait, "--timeout", &err) != 0)
		return cli_error(&err);
	return 0;
}

static int load_files(const struct cli *cli, struct klamm_conf *conf)
{
	struct klamm_error err;
	if (klamm_conf_profile(conf, cli->profile, &err) != 0)
		return cli_fail(CLI_USAGE, "--%s", err.text);
	KL_AUTO(kl_buf_free) struct kl_buf own = {0};
	int rc = 0;
	bool has_own = cli->files.n == 0 && own_file(&own);
	if (own.failed)
		return cli_fail(CLI_FAILED, "out of memory");
	if (has_own)
		rc = load_file(cli, conf, kl_buf_text(&own));
	for (size_t i = 0; rc == 0 && i < cli->files.n; i++)
		rc = load_file(cli, conf, cli->files.v[i]);
	if (rc == 0 && kl_conf_check_profile(conf, &err) != 0)
		rc = cli_fail(CLI_USAGE, "--%s", err.text);
	return rc;
}

static int fill(const struct cli *cli, struct klamm_conf *conf)
{
	struct klamm_error err;
	int rc = prefer(cli, conf);
	if (rc == 0)
		rc = load_files(cli, conf);
	for (size_t i = 0; rc == 0 && i < cli->pairs.n; i++)
		if (kl_conf_set_pair_from(conf, cli->pairs.v[i], "-X", &err) != 0)
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
	    kl_conf_set_from(conf, "bootstrap.servers", "127.0.0.1:9092", "klamm", &err)) {
		klamm_conf_free(conf);
		return cli_error(&err);
	}
	*conf_out = conf;
	return 0;
}

int cli_never_commit(struct klamm_conf *conf)
{
	struct klamm_error err;
	int rc = kl_conf_set_from(conf, "enable.auto.commit", "false", "klamm", &err);
	return rc == 0 ? CLI_OK : cli_error(&err);
}

int cli_never_create(struct klamm_conf *conf)
{
	static const char key[] = "allow.auto.create.topics";
	struct klamm_error err;
	if (kl_conf_is_set(conf, key) ||
	    kl_conf_set_from(conf, key, "false", "klamm", &err) == 0)
		return CLI_OK;
	return cli_error(&err);
}
