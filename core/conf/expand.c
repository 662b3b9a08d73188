/* SPDX-License-Identifier: BSD-2-Clause */
/* ${env:NAME} and ${file:PATH:KEY} in values. What Java's pattern does not match
 * ("${x}") stays as it is. The result is not expanded again. */
#include <errno.h>
#include <stdlib.h>

#include "core/base/error.h"
#include "core/conf/object.h"
#include "core/conf/properties.h"
#include "core/os/os.h"

#define FILE_MAX (1 << 20) /* a configuration of more than 1 MiB is a mistake */

static void free_name(char **text)
{
	free(*text);
}

static int read_failed(const char *path, int rc, struct klamm_error *err)
{
	switch (rc) {
	case 0:
		return 0;
	case -ENOMEM:
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", path);
	case -ENOENT:
	case -ENOTDIR:
		return kl_error(err, KLAMM_ERR_IO, "%s: no such file", path);
	case -EACCES:
	case -EPERM:
		return kl_error(err, KLAMM_ERR_IO, "%s: no permission to read it",
				path);
	case -EISDIR:
		return kl_error(err, KLAMM_ERR_IO, "%s: is a folder", path);
	case -EFBIG:
		return kl_error(err, KLAMM_ERR_IO, "%s: larger than 1 MiB", path);
	case -EKEYREJECTED:
		return kl_error(err, KLAMM_ERR_IO,
				"everybody may read this file, so nothing in it is "
				"secret; chmod o= keeps others out");
	default:
		return kl_error(err, KLAMM_ERR_IO, "%s: cannot be read (errno %d)",
				path, -rc);
	}
}

int kl_conf_read_file(const char *path, char **data_out, size_t *len_out,
		      struct klamm_error *err)
{
	return read_failed(path,
			   kl_os_read_file(kl_os_real(), path, FILE_MAX, data_out, len_out),
			   err);
}

static int put_env(const char *name, struct kl_buf *out, struct klamm_error *err)
{
	const char *value = secure_getenv(name);
	if (value == NULL)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"${env:%s}: no such environment variable", name);
	kl_buf_put(out, value, strlen(value));
	return 0;
}

static int find_pair(const char *path, const char *key, const char *data, size_t len,
		     struct kl_buf *out, struct klamm_error *err)
{
	KL_AUTO(kl_properties_free) struct kl_properties r;
	kl_properties_init(&r, data, len);
	bool found = false;
	while (kl_properties_next(&r)) {
		if (r.why != NULL)
			return kl_error(err, KLAMM_ERR_CONFIG,
					"${file:%s:%s}: line %d: %s", path, key, r.line,
					r.why);
		if (strcmp(kl_buf_text(&r.key), key) != 0)
			continue;
		if (found) /* as in every file of this form, the last one counts */
			kl_wipe_buf(out);
		kl_buf_put(out, r.value.data, r.value.len);
		found = true;
	}
	if (kl_properties_failed(&r))
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"${file:%s:%s}: out of memory", path, key);
	if (!found)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"${file:%s:%s}: there is no such key in the file", path,
				key);
	return 0;
}

/* rest: "PATH:KEY". */
static int put_file(char *rest, bool is_secret, struct kl_buf *out, struct klamm_error *err)
{
	char *key = strchr(rest, ':');
	if (key == NULL)
		return kl_error(err, KLAMM_ERR_CONFIG,
				"${file:%s}: must be ${file:PATH:KEY}", rest);
	*key++ = '\0';
	KL_AUTO(kl_wipe_textp) char *data = NULL;
	size_t len;
	struct klamm_error why = {0};
	int rc = (is_secret ? kl_os_read_secret_file : kl_os_read_file)(
		kl_os_real(), rest, FILE_MAX, &data, &len);
	rc = read_failed(rest, rc, &why);
	if (rc != 0)
		return kl_error(err, rc == KLAMM_ERR_IO ? KLAMM_ERR_CONFIG : rc,
				"${file:%s:%s}: %s", rest, key, why.text);
	KL_AUTO(kl_wipe_buf) struct kl_buf value = {.is_secret = true};
	rc = find_pair(rest, key, data, len, &value, err);
	explicit_bzero(data, len);
	if (rc == 0)
		kl_buf_put(out, value.data, value.len);
	return rc;
}

/* inner: what stands between the braces; it has a colon. */
static int put_variable(const char *inner, size_t len, bool is_secret, struct kl_buf *out,
			struct klamm_error *err)
{
	KL_AUTO(free_name) char *text = strndup(inner, len);
	if (text == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	if (strncmp(text, "env:", 4) == 0)
		return put_env(text + 4, out, err);
	if (strncmp(text, "file:", 5) == 0)
		return put_file(text + 5, is_secret, out, err);
	return kl_error(err, KLAMM_ERR_CONFIG,
			"${%.*s:...}: there are ${env:NAME} and ${file:PATH:KEY}",
			(int)strcspn(text, ":"), text);
}

int kl_conf_expand(const char *text, bool is_secret, struct kl_buf *out, bool *used_out,
		   struct klamm_error *err)
{
	*used_out = false;
	while (*text != '\0') {
		const char *open = strstr(text, "${");
		const char *close = open != NULL ? strchr(open, '}') : NULL;
		if (close == NULL) {
			kl_buf_put(out, text, strlen(text));
			break;
		}
		size_t len = (size_t)(close - open) - 2;
		bool variable = memchr(open + 2, ':', len) != NULL;
		kl_buf_put(out, text, (size_t)((variable ? open : close + 1) - text));
		if (variable) {
			*used_out = true;
			int rc = put_variable(open + 2, len, is_secret, out, err);
			if (rc != 0)
				return rc;
		}
		text = close + 1;
	}
	kl_buf_text(out);
	return out->failed ? kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory") : 0;
}
