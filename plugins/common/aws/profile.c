/* SPDX-License-Identifier: BSD-2-Clause */
#include "plugins/common/aws/profile.h"

#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#define FILE_MAX ((size_t)1 << 20)

static const char *const names[KL_AWS_PROPERTIES] = {
	[KL_AWS_KEY_ID] = "aws_access_key_id",
	[KL_AWS_SECRET] = "aws_secret_access_key",
	[KL_AWS_TOKEN] = "aws_session_token",
	[KL_AWS_REGION_NAME] = "region",
	[KL_AWS_ROLE_ARN] = "role_arn",
	[KL_AWS_ROLE_SESSION] = "role_session_name",
	[KL_AWS_EXTERNAL_ID] = "external_id",
	[KL_AWS_SOURCE_PROFILE] = "source_profile",
	[KL_AWS_CREDENTIAL_SOURCE] = "credential_source",
	[KL_AWS_TOKEN_FILE] = "web_identity_token_file",
	[KL_AWS_DURATION] = "duration_seconds",
	[KL_AWS_MFA] = "mfa_serial",
	[KL_AWS_PROCESS] = "credential_process",
	[KL_AWS_SSO_SESSION] = "sso_session",
	[KL_AWS_SSO_URL] = "sso_start_url",
};

/* --- one file --- */

static bool is_blank(char c)
{
	return c == ' ' || c == '\t' || c == '\r';
}

struct part {
	const char *p;
	size_t n;
};

static struct part trim(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	while (p < end && is_blank(end[-1]))
		end--;
	return (struct part){p, (size_t)(end - p)};
}

static bool is(struct part part, const char *text)
{
	return part.n == strlen(text) && memcmp(part.p, text, part.n) == 0;
}

/* A comment behind a value begins with a blank. */
static const char *value_end(const char *p, const char *end)
{
	for (const char *at = p; at < end; at++)
		if ((*at == '#' || *at == ';') && at > p && is_blank(at[-1]))
			return at;
	return end;
}

/* How much a section counts for the profile: [default] less than [profile default]. */
enum rank {
	OTHER,
	PLAIN,
	NAMED,
};

/* *rank_out of "[profile dev]"; false: the line is no section. */
static bool read_section(struct part line, const char *name, bool is_config,
			 enum rank *rank_out)
{
	const char *close = memchr(line.p, ']', line.n);
	if (close == NULL)
		return false;
	struct part behind = trim(close + 1, line.p + line.n);
	if (behind.n > 0 && behind.p[0] != '#' && behind.p[0] != ';')
		return false;
	struct part title = trim(line.p + 1, close);
	bool is_plain = is(title, name);
	*rank_out = OTHER;
	if (!is_config) {
		*rank_out = is_plain ? NAMED : OTHER;
	} else if (is_plain && strcmp(name, "default") == 0) {
		*rank_out = PLAIN;
	} else if (title.n > 8 && memcmp(title.p, "profile", 7) == 0 &&
		   is_blank(title.p[7])) {
		if (is(trim(title.p + 7, title.p + title.n), name))
			*rank_out = NAMED;
	}
	return true;
}

static void take(struct kl_aws_profile *profile, struct part key, struct part value)
{
	for (size_t i = 0; i < KL_AWS_PROPERTIES; i++) {
		if (strlen(names[i]) != key.n ||
		    strncasecmp(names[i], key.p, key.n) != 0)
			continue;
		kl_text_clear(&profile->v[i]);
		kl_text_put(&profile->v[i], value.p, value.n);
	}
}

static bool read_property(struct kl_aws_profile *profile, struct part line, bool counts)
{
	const char *equals = memchr(line.p, '=', line.n), *end = line.p + line.n;
	if (equals == NULL || equals == line.p)
		return false;
	const char *begin = equals + 1;
	struct part key = trim(line.p, equals),
		    value = trim(begin, value_end(begin, end));
	if (key.n == 0 || memchr(value.p, '\0', value.n) != NULL)
		return false;
	if (counts)
		take(profile, key, value);
	return true;
}

static void forget(struct kl_aws_profile *profile)
{
	for (size_t i = 0; i < KL_AWS_PROPERTIES; i++)
		kl_text_free(&profile->v[i]);
}

/* In one of several sections: a [profile default] replaces what [default] said. */
static int parse(struct kl_aws_profile *profile, const char *text, size_t len,
		 const char *name, bool is_config)
{
	enum rank rank = OTHER, best = OTHER;
	bool in_section = false;
	const char *end = text + len;
	int number = 0;
	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		const char *stop = newline != NULL ? newline : end;
		struct part line = trim(text, stop);
		bool is_nested = is_blank(text[0]);
		text = newline != NULL ? newline + 1 : end;
		number++;
		if (line.n == 0 || line.p[0] == '#' || line.p[0] == ';')
			continue;
		if (line.p[0] == '[' && !is_nested) {
			if (!read_section(line, name, is_config, &rank))
				return number;
			in_section = true;
			if (rank > best && best != OTHER)
				forget(profile);
			best = rank > best ? rank : best;
		} else if (!in_section ||
			   (!is_nested &&
			    !read_property(profile, line,
					   rank != OTHER && rank == best))) {
			return number; /* what is nested belongs to other services */
		}
	}
	profile->found |= best != OTHER;
	return 0;
}

int kl_aws_profile_parse(struct kl_aws_profile *profile, const char *text, size_t len,
			 const char *name, bool is_config)
{
	struct kl_aws_profile read = {0};
	int line = parse(&read, text, len, name, is_config);
	if (line == 0 &&
	    read.v[KL_AWS_KEY_ID].len > 0) { /* a key of another file's goes whole */
		kl_text_free(&profile->v[KL_AWS_SECRET]);
		kl_text_free(&profile->v[KL_AWS_TOKEN]);
	}
	for (size_t i = 0; i < KL_AWS_PROPERTIES; i++) {
		if (read.v[i].len > 0 && line == 0) {
			kl_text_clear(&profile->v[i]);
			kl_text_put(&profile->v[i], read.v[i].p, read.v[i].len);
		}
		profile->v[i].failed |= read.v[i].failed;
	}
	profile->found |= line == 0 && read.found;
	kl_aws_profile_free(&read);
	return line;
}

void kl_aws_profile_free(struct kl_aws_profile *profile)
{
	forget(profile);
	profile->found = false;
}

/* --- both files --- */

int kl_aws_read_file(const char *path, size_t max, struct kl_text *to)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), rc = 0;
	if (fd < 0)
		return -errno;
	while (rc == 0) {
		ssize_t n = kl_text_reserve(to, 4096) ? read(fd, to->p + to->len, 4096)
						      : -1;
		if (to->failed)
			rc = -ENOMEM;
		else if (n < 0)
			rc = errno == EINTR ? 0 : -errno;
		else if (n == 0)
			break;
		else
			to->len += (size_t)n;
		if (to->len > max)
			rc = -EFBIG;
	}
	close(fd);
	if (rc == 0)
		to->p[to->len] = '\0';
	return rc;
}

static bool find_file(const char *variable, const char *name, struct kl_text *path)
{
	const char *file = secure_getenv(variable), *home = secure_getenv("HOME");
	if (file != NULL && file[0] != '\0')
		kl_text_add(path, file);
	else if (home != NULL && home[0] != '\0')
		kl_text_printf(path, "%s/.aws/%s", home, name);
	return path->len > 0;
}

static int read_one(const char *variable, const char *file, const char *name,
		    bool is_config, struct kl_aws_profile *profile,
		    struct klamm_error *err)
{
	KL_TEXT_AUTO path = {0};
	KL_TEXT_AUTO text = {0};
	if (!find_file(variable, file, &path))
		return 0;
	int rc = kl_aws_read_file(kl_text_get(&path), FILE_MAX, &text);
	if (rc == -ENOENT || rc == -ENOTDIR)
		return 0;
	if (rc != 0)
		return klamm_fail(
			err, rc == -ENOMEM ? KLAMM_ERR_NO_MEMORY : KLAMM_ERR_CONFIG,
			"%s: cannot be read: %s", kl_text_get(&path), strerror(-rc));
	int line = kl_aws_profile_parse(profile, kl_text_get(&text), text.len, name,
					is_config);
	if (line != 0)
		return klamm_fail(err, KLAMM_ERR_CONFIG,
				  "%s: line %d must be [PROFILE] or KEY = VALUE",
				  kl_text_get(&path), line);
	return 0;
}

int kl_aws_profile_read(const char *name, struct kl_aws_profile *profile_out,
			struct klamm_error *err)
{
	int rc = read_one("AWS_CONFIG_FILE", "config", name, true, profile_out, err);
	if (rc == 0)
		rc = read_one("AWS_SHARED_CREDENTIALS_FILE", "credentials", name, false,
			      profile_out, err);
	for (size_t i = 0; rc == 0 && i < KL_AWS_PROPERTIES; i++)
		if (profile_out->v[i].failed)
			rc = klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	return rc;
}
