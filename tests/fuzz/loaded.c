/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/fuzz/fuzz.h"

static const char *defaults(void *arg, const char *key)
{
	return NULL;
}

struct fuzz_plugin *fuzz_plugin(int32_t kind, const char *name, const char *role)
{
	struct fuzz_plugin *p = calloc(1, sizeof(*p));
	struct klamm_error err = {0};
	if (p == NULL)
		abort();
	if (kl_host_init(&p->host, kl_os_real(), NULL, NULL, NULL, &err) != 0 ||
	    kl_plugin_load(kind, name, &(struct kl_plugin_search){0}, &p->plugin,
			   &err) != 0 ||
	    kl_plugin_open(p->plugin, &p->host, role, defaults, NULL, &p->instance,
			   &err) != 0) {
		fprintf(stderr, "%s\n", err.text);
		exit(2);
	}
	return p;
}
