/* SPDX-License-Identifier: BSD-2-Clause */
/* Memory for secrets: no core dump has it, it stays out of swap where the system allows that,
 * and it is wiped when it is given back. The same in both worlds. Any thread.
 *
 * All of it is one region of the process, so a text is known by where it lies: kl_wipe_text()
 * takes texts from here and from malloc alike. */
#ifndef KL_SECRET_H
#define KL_SECRET_H

#include "core/base/base.h"

/* Zeroed, of at least n bytes; NULL: out of memory. */
void *kl_secret_alloc(size_t n);
char *kl_secret_copy(const char *text, size_t len); /* with a NUL behind it */
static inline char *kl_secret_text(const char *text)
{
	return kl_secret_copy(text, strlen(text));
}
void kl_secret_free(void *p);			    /* NULL is fine */

/* Wipe a text from here or from malloc, and free it; NULL is fine. */
void kl_wipe_text(char *text);

#endif
