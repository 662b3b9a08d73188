/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/aws/world.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "core/base/base.h"
#include "core/base/sink.h"
#include "tests/unit/unit.h"

struct world world;

extern char **environ;

static void take_log(const struct klamm_host *host, int32_t level, const char *text)
{
	size_t n = strlen(world.log);
	snprintf(world.log + n, sizeof(world.log) - n, "%d %s\n", (int)level, text);
}

static int64_t now_us(const struct klamm_host *host)
{
	struct timespec ts;
	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000000 + ts.tv_nsec / 1000;
}

static int64_t wall_ms(const struct klamm_host *host)
{
	return world.wall_ms;
}

static void no_chance(const struct klamm_host *host, void *to, size_t len)
{
	memset(to, 0x55, len);
}

static int new_out(const struct klamm_host *host, size_t limit,
		   struct klamm_out **out_out)
{
	struct kl_sink *sink = malloc(sizeof(*sink));
	kl_sink_init(sink, limit, NULL);
	*out_out = &sink->out;
	return 0;
}

static void free_out(const struct klamm_host *host, struct klamm_out *out)
{
	struct kl_sink *sink = kl_container(out, struct kl_sink, out);
	kl_sink_free(sink);
	free(sink);
}

static bool closing(const struct klamm_host *host)
{
	return false;
}

static int read_secret(const struct klamm_host *host, const char *key, char **text_out,
		       struct klamm_error *err)
{
	const char *text = strstr(key, "token") != NULL ? world.token : world.secret;
	if (text == NULL)
		return klamm_fail(err, KLAMM_ERR_CONFIG, "%s is not set", key);
	*text_out = strdup(text);
	return 0;
}

static void wipe_secret(const struct klamm_host *host, char *text)
{
	free(text);
}

static void wipe(const struct klamm_host *host, void *p, size_t len)
{
	explicit_bzero(p, len);
}

static void ignore_reload(const struct klamm_host *host, void (*fn)(void *arg),
			  void *arg)
{
}

static void forget_environment(void)
{
	for (char **p = environ; *p != NULL;) {
		char name[100];
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(*p, "="), *p);
		if (strncmp(name, "AWS_", 4) == 0)
			unsetenv(name);
		else
			p++;
	}
}

void world_up(void)
{
	char folder[500];
	world = (struct world){
		.host = {.size = sizeof(struct klamm_host),
			 .version = "0.1.0",
			 .client_id = "me",
			 .role = "sasl.mechanism",
			 .prefix = "",
			 .log = take_log,
			 .now_us = now_us,
			 .wall_ms = wall_ms,
			 .random = no_chance,
			 .out_new = new_out,
			 .out_free = free_out,
			 .closing = closing,
			 .secret_read = read_secret,
			 .secret_wipe = wipe_secret,
			 .wipe = wipe,
			 .on_reload = ignore_reload},
		.wall_ms = WORLD_NOW,
		.home = unit_tmp(),
	};
	forget_environment();
	setenv("HOME", world.home, 1);
	setenv("AWS_EC2_METADATA_DISABLED", "true", 1);
	snprintf(folder, sizeof(folder), "%s/.aws", world.home);
	ck_assert_int_eq(mkdir(folder, 0700), 0);
}

void world_down(void)
{
	free(world.home);
}

const char *world_path(const char *name)
{
	static char path[500];
	snprintf(path, sizeof(path), "%s/%s", world.home, name);
	return path;
}

void world_write(const char *name, const char *text)
{
	char path[500];
	snprintf(path, sizeof(path), name[0] == '/' ? "%s" : "%s/.aws/%s",
		 name[0] == '/' ? name : world.home, name);
	FILE *f = fopen(path, "w");
	ck_assert_ptr_nonnull(f);
	fputs(text, f);
	ck_assert_int_eq(fclose(f), 0);
}
