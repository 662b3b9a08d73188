/* SPDX-License-Identifier: BSD-2-Clause */
/* Files: a token in one (Kafka's FileJwtRetriever), and how any of them is read. */
#include <errno.h>
#include <fcntl.h>
#include <strings.h>
#include <unistd.h>

#include "plugins/sasl_oauthbearer/oauth.h"

static int fail(struct klamm_error *err, const char *path, int error)
{
	return klamm_fail(err, KLAMM_ERR_IO, "%.200s: cannot be read: %s", path,
			  strerror(error));
}

static int read_all(int fd, const char *path, struct kl_text *to,
		    struct klamm_error *err)
{
	for (;;) {
		if (!kl_text_reserve(to, 16384))
			return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
		ssize_t n = read(fd, to->p + to->len, 16384);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(err, path, errno);
		to->len += (size_t)n;
		to->p[to->len] = '\0';
		if (n == 0)
			return 0;
		if (to->len > OAUTH_FILE_MAX)
			return klamm_fail(err, KLAMM_ERR_IO,
					  "%.200s: more than %zu bytes", path,
					  OAUTH_FILE_MAX);
	}
}

static void trim(struct kl_text *t)
{
	while (t->len > 0 && (unsigned char)t->p[t->len - 1] <= ' ')
		t->p[--t->len] = '\0';
	size_t blank = 0;
	while (blank < t->len && (unsigned char)t->p[blank] <= ' ')
		blank++;
	if (blank > 0) {
		memmove(t->p, t->p + blank, t->len - blank + 1);
		t->len -= blank;
	}
}

int kl_oauth_read_file(const char *path, struct kl_text *to, struct klamm_error *err)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(err, path, errno);
	int rc = read_all(fd, path, to, err);
	close(fd);
	trim(to);
	if (rc == 0 && to->len == 0)
		rc = klamm_fail(err, KLAMM_ERR_IO, "%.200s: is empty", path);
	return rc;
}

const char *kl_oauth_file_of(const char *url)
{
	if (strncasecmp(url, "file:", 5) != 0)
		return NULL;
	url += 5;
	if (strncmp(url, "//", 2) != 0)
		return url;
	url += 2; /* a host may stand there: none, or this one */
	return strncasecmp(url, "localhost/", 10) == 0 ? url + 9 : url;
}

static int fetch(struct oauth *o, const struct klamm_call *call,
		 struct oauth_token *token_out, struct klamm_error *err)
{
	int rc = kl_oauth_read_file(kl_oauth_file_of(o->conf->endpoint),
				    &token_out->value, err);
	return rc == 0 ? kl_oauth_inspect(o, 0, token_out, err) : rc;
}

const struct oauth_source kl_oauth_from_file = {"the token's file", fetch};
