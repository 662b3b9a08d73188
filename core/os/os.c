/* SPDX-License-Identifier: BSD-2-Clause */
/* What both worlds share. */
#include "core/os/os.h"

#include <stdlib.h>

#include "core/base/wide.h"

int64_t kl_os_deadline_ms(struct kl_os *os, int64_t ms)
{
	int64_t us, deadline;
	if (ms < 0 || __builtin_mul_overflow(ms, KL_MS, &us) ||
	    __builtin_add_overflow(os->now(os), us, &deadline))
		return KL_NEVER;
	return deadline;
}

uint64_t kl_os_random_below(struct kl_os *os, uint64_t n)
{
	uint64_t v;
	os->random(os, &v, sizeof(v));
	/* Multiply-shift: the bias for the small n used here is below 2^-32. */
	return kl_mul_high(v, n);
}

/* It may be a password's file. */
static void wipe_and_free(char *data, size_t len)
{
	if (data != NULL)
		explicit_bzero(data, len);
	free(data);
}

/* Until the end rather than trusting a size: /dev/stdin and /proc have none. */
static int read_all(struct kl_os *os, struct kl_file *file, size_t max, char **data_out,
		    size_t *len_out)
{
	char *data = NULL;
	size_t len = 0, cap = 0;
	ssize_t n;
	do {
		if (cap - len < 2) {
			size_t more = cap ? cap * 2 : 4096;
			char *bigger = malloc(more);
			if (bigger == NULL) {
				n = -ENOMEM;
				break;
			}
			if (len > 0)
				memcpy(bigger, data, len);
			wipe_and_free(data, len);
			data = bigger;
			cap = more;
		}
		n = os->file_pread(file, data + len, cap - len - 1, (int64_t)len);
		if (n > 0)
			len += (size_t)n;
		if (len > max)
			n = -EFBIG;
	} while (n > 0);
	if (n < 0) {
		wipe_and_free(data, len);
		return (int)n;
	}
	data[len] = '\0';
	*data_out = data;
	*len_out = len;
	return 0;
}

static int read_file(struct kl_os *os, const char *path, bool is_secret, size_t max,
		     char **data_out, size_t *len_out)
{
	struct kl_file *file;
	int rc = os->file_open(os, path, KL_FILE_READ, &file);
	if (rc < 0)
		return rc;
	if (is_secret)
		rc = os->file_others(file);
	rc = rc > 0 ? -EKEYREJECTED : rc;
	if (rc == 0)
		rc = read_all(os, file, max, data_out, len_out);
	os->file_close(file);
	return rc;
}

int kl_os_read_file(struct kl_os *os, const char *path, size_t max, char **data_out,
		    size_t *len_out)
{
	return read_file(os, path, false, max, data_out, len_out);
}

int kl_os_read_secret_file(struct kl_os *os, const char *path, size_t max, char **data_out,
			   size_t *len_out)
{
	return read_file(os, path, true, max, data_out, len_out);
}
