/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/fuzz.h"

static const char *defaults(void *arg, const char *key)
{
	return NULL;
}

struct fuzz_plugin *fuzz_plugin(int32_t kind, const char *name, const char *role)
{
	return fuzz_plugin_with(kind, name, role, defaults);
}

struct fuzz_plugin *fuzz_plugin_with(int32_t kind, const char *name, const char *role,
				     kl_lookup_fn lookup)
{
	struct fuzz_plugin *p = calloc(1, sizeof(*p));
	struct klamm_error err = {0};
	if (p == NULL)
		abort();
	if (kl_host_init(&p->host, kl_os_real(), NULL, NULL, NULL, &err) != 0 ||
	    kl_plugin_load(kind, name, &(struct kl_plugin_search){0}, &p->plugin,
			   &err) != 0 ||
	    kl_plugin_open(p->plugin, &p->host, role, lookup, NULL, &p->instance,
			   &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	return p;
}
