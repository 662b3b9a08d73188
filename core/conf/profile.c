/* SPDX-License-Identifier: BSD-2-Clause */
/* Which [profile NAME] sections of files count. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/text.h"
#include "core/conf/object.h"

bool kl_has_line(struct kl_buf *lines, const char *text)
{
	size_t len = strlen(text);
	const char *p = kl_buf_text(lines), *end;
	for (; *p != '\0'; p = end + 1) {
		end = strchr(p, '\n');
		if ((size_t)(end - p) == len && memcmp(p, text, len) == 0)
			return true;
	}
	return false;
}

void kl_put_line(struct kl_buf *lines, const char *text)
{
	kl_buf_printf(lines, "%s\n", text);
}

bool kl_conf_good_profile(const char *name)
{
	size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				  "0123456789._-");
	return len > 0 && len <= 64 && name[len] == '\0';
}

int klamm_conf_profile(struct klamm_conf *conf, const char *name, struct klamm_error *err)
{
	if (name != NULL && !kl_conf_good_profile(name))
		return kl_error(err, KLAMM_ERR_CONFIG,
				"profile \"%.80s\": must be letters, digits, '.', '_' and "
				"'-', at most 64",
				name);
	if (conf->files > 0)
		return kl_error(err, KLAMM_ERR_STATE,
				"a profile must be chosen before files are loaded");
	char *copy = name != NULL ? strdup(name) : NULL;
	if (name != NULL && copy == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a name");
	free(conf->profile);
	conf->profile = copy;
	return 0;
}

int kl_conf_merge_profiles(struct klamm_conf *conf, struct klamm_conf *from,
			   struct klamm_error *err)
{
	KL_AUTO(kl_buf_free) struct kl_buf name = {0};
	const char *lines = kl_buf_text(&from->profiles), *end;
	for (; *lines != '\0'; lines = end + 1) {
		end = strchr(lines, '\n');
		kl_buf_clear(&name);
		kl_buf_put(&name, lines, (size_t)(end - lines));
		if (!kl_has_line(&conf->profiles, kl_buf_text(&name)))
			kl_put_line(&conf->profiles, kl_buf_text(&name));
	}
	if (conf->profiles.failed || name.failed)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for profiles");
	conf->profile_found |= from->profile_found;
	conf->files++;
	return 0;
}

/* The profile whose name is nearest; its data is NULL when none is near. */
static struct klamm_span nearest(const struct klamm_conf *conf)
{
	size_t len = strlen(conf->profile), best = kl_max(len / 3, 2) + 1;
	const char *p = (const char *)conf->profiles.data, *end = p + conf->profiles.len;
	struct klamm_span found = {0};
	for (size_t n; p < end; p += n + 1) {
		n = (size_t)((const char *)memchr(p, '\n', (size_t)(end - p)) - p);
		size_t edits = kl_text_edits(conf->profile, len, p, n);
		if (edits < best && edits < len) {
			best = edits;
			found = (struct klamm_span){p, n};
		}
	}
	return found;
}

int kl_conf_check_profile(const struct klamm_conf *conf, struct klamm_error *err)
{
	if (conf->profile == NULL || conf->profile_found)
		return 0;
	if (conf->files == 0)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"profile %s: no file was loaded that could have it",
				conf->profile);
	if (conf->profiles.len == 0)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"profile %s: the files that were loaded have no profiles",
				conf->profile);
	struct klamm_span near = nearest(conf);
	if (near.data != NULL)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"profile %s: no file has it; did you mean %.*s?",
				conf->profile, (int)near.len, (const char *)near.data);
	KL_AUTO(kl_buf_free) struct kl_buf names = {0};
	kl_buf_put(&names, conf->profiles.data, conf->profiles.len - 1);
	for (size_t i = 0; i < names.len; i++)
		if (names.data[i] == '\n')
			names.data[i] = ' ';
	return kl_error(err, KLAMM_ERR_CONFIG, "profile %s: no file has it; there is %.200s",
			conf->profile, kl_buf_text(&names));
}
