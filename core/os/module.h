/* SPDX-License-Identifier: BSD-2-Clause */
/* Shared objects: is the file safe to run, and dlopen. The same in both worlds. Any thread.
 *
 * Whoever can change a plugin's file, or put another in its place, runs code in this process:
 * so neither the file nor its folder may be writable by anyone but root and the user that
 * this process runs as. What was checked is what is loaded: both go by one open descriptor.
 */
#ifndef KL_MODULE_H
#define KL_MODULE_H

#include <klamm/error.h>

#include "core/base/base.h"

/* Load dir/file. 0; -ENOENT when there is no such file or folder, with err as it was; or
 * KLAMM_ERR_PLUGIN with a sentence. A module is never unloaded: threads and exit handlers of
 * the libraries it pulls in may outlive every use. */
int kl_module_load(const char *dir, const char *file, void **module_out,
		   struct klamm_error *err);
/* NULL: it defines no such name. */
const void *kl_module_symbol(void *module, const char *name);

#endif
