/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm group lag, watch */
#include <math.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/group.h"
#include "cli/io.h"
#include "core/base/text.h"

struct options {
	int32_t interval_s;
	int64_t count, max;
	bool json;
};

static void wake(void *loop)
{
	klamm_loop_wake(loop);
}

/* The loop goes on meanwhile: connections are kept, and a signal ends the wait. */
static void wait_until(struct cli_group_session *s, int64_t until_us)
{
	int64_t left;
	while (!cli_interrupted() && (left = until_us - cli_now_us()) > 0)
		klamm_loop_step(s->session.loop, (left + 999) / 1000, NULL);
}

/* --- lag --- */

static void print_parts_json(const struct cli_group_view *before,
			     const struct cli_group_view *now)
{
	for (size_t i = 0; i < now->count; i++) {
		KL_AUTO(kl_buf_free) struct kl_buf b = {0};
		cli_put_text(&b, "{\"group\":");
		kl_buf_json_bytes(&b, now->group->id, strlen(now->group->id));
		kl_buf_u8(&b, ',');
		cli_json_part(&b, &now->parts[i]);
		if (before != NULL) {
			struct cli_group_speed speed =
				cli_group_speed(before, now, &now->parts[i]);
			cli_json_speed(&b, &speed);
		}
		cli_print(&b, "}\n");
	}
}

static int judge(const struct options *o, const struct cli_group_view *view)
{
	int status = cli_group_tell_errors(view);
	if (o->max >= 0 && view->lag > o->max)
		status = cli_fail(CLI_FAILED,
				  "group %s: it is %lld records behind, more than "
				  "%lld",
				  view->group->id, (long long)view->lag, (long long)o->max);
	return status;
}

static int show_lag(const struct cli *cli, struct cli_group_session *s, const char *group,
		    const struct options *o)
{
	struct cli_group_view before = {0}, now = {0};
	int status = 0;
	if (o->interval_s > 0) {
		status = cli_group_look(s, group, &before);
		if (status == 0)
			wait_until(s, before.at_us + o->interval_s * 1000000ll);
		if (status == 0 && cli_interrupted())
			status = CLI_INTERRUPTED;
	}
	if (status == 0)
		status = cli_group_look(s, group, &now);
	if (status == 0) {
		const struct cli_group_view *then = o->interval_s > 0 ? &before : NULL;
		if (o->json)
			print_parts_json(then, &now);
		else
			cli_group_print_lag(cli, then, &now);
		status = judge(o, &now);
	}
	cli_group_view_free(&before);
	cli_group_view_free(&now);
	return status;
}

static int run_lag(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct cli_group_session s = {0};
	int status = cli_group_open(cli, &s, true);
	if (status == 0) {
		cli_catch_signals(wake, s.session.loop);
		status = show_lag(cli, &s, args->v[0], options);
		cli_release_signals();
	}
	cli_group_close(&s);
	return status;
}

static const struct cli_option lag_rows[] = {
	{'i', "interval", "SECONDS", CLI_INT32, offsetof(struct options, interval_s), 1,
	 86400,
	 "look twice, so far apart, and tell speeds and when it will have caught up"},
	{0, "max", "RECORDS", CLI_INT64, offsetof(struct options, max), 0, INT64_MAX,
	 "exit with status 1 when the group is further behind than that"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct options, json), 0, 0,
	 "print each partition as a JSON object"},
	{0},
};

static const struct options lag_defaults = {.max = -1};

const struct cli_command cli_group_lag = {
	.name = "group lag",
	.args = "GROUP",
	.min_args = 1,
	.max_args = 1,
	.summary = "show how far a group is behind, by partition",
	.options = lag_rows,
	.defaults = &lag_defaults,
	.size = sizeof(struct options),
	.run = run_lag,
};

/* --- watch --- */

static void time_text(char text[static 32])
{
	struct timespec now;
	struct tm tm;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	strftime(text, 32, "%Y-%m-%dT%H:%M:%SZ", &tm);
}

static void print_sample_json(const struct cli_group_view *before,
			      const struct cli_group_view *now)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	char at[32];
	struct cli_group_speed all = cli_group_speed(before, now, NULL);
	time_text(at);
	cli_put_text(&b, "{\"group\":");
	kl_buf_json_bytes(&b, now->group->id, strlen(now->group->id));
	cli_json_text(&b, "time", at);
	cli_json_text(&b, "state", now->group->state);
	kl_buf_printf(&b, ",\"member_count\":%zu", now->group->member_count);
	cli_json_offset(&b, "lag", now->lag);
	cli_json_speed(&b, &all);
	cli_put_text(&b, ",\"partitions\":[");
	for (size_t i = 0; i < now->count; i++) {
		struct cli_group_speed speed = cli_group_speed(before, now, &now->parts[i]);
		cli_put_text(&b, i > 0 ? ",{" : "{");
		cli_json_part(&b, &now->parts[i]);
		cli_json_speed(&b, &speed);
		kl_buf_u8(&b, '}');
	}
	cli_print(&b, "]}\n");
}

static void print_summary(const struct cli_group_view *before,
			  const struct cli_group_view *now)
{
	char at[32], consumed[CLI_SPEED_TEXT], produced[CLI_SPEED_TEXT],
		eta[CLI_SPEED_TEXT];
	struct cli_group_speed all = cli_group_speed(before, now, NULL);
	time_text(at);
	KL_AUTO(kl_buf_free) struct kl_buf b = {0};
	kl_buf_printf(&b,
		      "%s %s: %s, %zu member%s, lag %lld, read/s %s, written/s %s, eta %s",
		      at, now->group->id, now->group->state, now->group->member_count,
		      now->group->member_count == 1 ? "" : "s", (long long)now->lag,
		      cli_speed_text(all.consumed, consumed),
		      cli_speed_text(all.produced, produced), cli_eta_text(all.eta_s, eta));
	cli_print_line(&b);
}

/* On a terminal each sample takes the place of the last one. */
static void print_sample(const struct cli *cli, const struct options *o,
			 const struct cli_group_view *before,
			 const struct cli_group_view *now)
{
	bool live = isatty(STDOUT_FILENO) && !o->json;
	if (live)
		printf("\033[H\033[2J");
	if (o->json)
		print_sample_json(before, now);
	else
		print_summary(before, now);
	if (live) {
		printf("\n");
		cli_group_print_lag(cli, before, now);
	}
	fflush(stdout);
}

/* What is wrong now may be right at the next look: the coordinator is moving, or the group
 * begins only then. It is told, and watching goes on, once there was something to see. */
static int watch(const struct cli *cli, struct cli_group_session *s, const char *group,
		 const struct options *o)
{
	struct cli_group_view before = {0}, now;
	bool seen = false;
	for (int64_t n = 0; !cli_interrupted() && !ferror(stdout); n++) {
		int64_t begun = cli_now_us();
		int status = cli_group_look(s, group, &now);
		if (status != 0 && (!seen || cli_interrupted())) {
			cli_group_view_free(&now);
			return cli_interrupted() ? CLI_OK : status;
		}
		if (status == 0) {
			print_sample(cli, o, &before, &now);
			cli_group_view_free(&before);
			before = now;
			seen = true;
		} else {
			cli_group_view_free(&now);
		}
		if (o->count >= 0 && n + 1 >= o->count)
			break;
		wait_until(s, begun + o->interval_s * 1000000ll);
	}
	cli_group_view_free(&before);
	return CLI_OK;
}

static int run_watch(struct cli *cli, const void *options, const struct cli_list *args)
{
	struct cli_group_session s = {0};
	int status = cli_group_open(cli, &s, true);
	if (status == 0) {
		cli_catch_signals(wake, s.session.loop);
		status = watch(cli, &s, args->v[0], options);
		cli_release_signals();
	}
	cli_group_close(&s);
	return status;
}

static const struct cli_option watch_rows[] = {
	{'i', "interval", "SECONDS", CLI_INT32, offsetof(struct options, interval_s), 1,
	 86400, "how often to look, 2 if nothing is said"},
	{'n', "count", "COUNT", CLI_INT64, offsetof(struct options, count), 1, INT64_MAX,
	 "stop after so many looks"},
	{'J', "json", NULL, CLI_FLAG, offsetof(struct options, json), 0, 0,
	 "print each look as a JSON object"},
	{0},
};

static const struct options watch_defaults = {.interval_s = 2, .count = -1, .max = -1};

const struct cli_command cli_group_watch = {
	.name = "group watch",
	.args = "GROUP",
	.min_args = 1,
	.max_args = 1,
	.summary = "watch how far a group is behind, until interrupted",
	.about =
		"On a terminal it is a table that is drawn again; elsewhere each look is a "
		"line.\n",
	.options = watch_rows,
	.defaults = &watch_defaults,
	.size = sizeof(struct options),
	.run = run_watch,
};
