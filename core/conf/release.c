/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm.broker.version: "auto", or the number of a Kafka release. */
#include "core/conf/table.h"

/* Two to four numbers of one or two digits: 0.9, 0.8.2.2, 4.4.0. */
static bool is_release(const char *p)
{
	for (int parts = 1; parts <= 4; parts++) {
		size_t digits = strspn(p, "0123456789");
		if (digits < 1 || digits > 2)
			return false;
		p += digits;
		if (*p == '\0')
			return parts > 1;
		if (*p++ != '.')
			return false;
	}
	return false;
}

bool kl_check_release(const char *text, struct kl_buf *why)
{
	if (strcmp(text, "auto") == 0 || is_release(text))
		return true;
	kl_buf_printf(why, "must be auto or a release of Kafka, such as 0.9 or 0.8.2.2");
	return false;
}
