/* SPDX-License-Identifier: BSD-2-Clause */
/* A plugin of this tree, loaded and opened as a client would. */
#ifndef LOADED_H
#define LOADED_H

#include "core/plugin.h"

struct setting {
	const char *key, *value; /* key NULL = the end */
};

struct loaded {
	struct kl_host host;
	struct kl_plugin *plugin;
	struct kl_instance instance;
};

/* Is it part of this build? */
bool is_shipped(int32_t kind, const char *name);
/* The test fails when it does not load or open. settings may be NULL. */
struct loaded *loaded_new(int32_t kind, const char *name, const char *role,
			  const struct setting *settings);
void loaded_free(struct loaded *l);

/* A kl_lookup_fn over an array of settings. */
const char *lookup_setting(void *settings, const char *key);

#endif
