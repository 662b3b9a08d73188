/* SPDX-License-Identifier: BSD-2-Clause */
/* The settings among the broker's own that begin with "sasl.": the plugins of the
 * mechanisms read them, each those that it has a row for. Constant once the broker is
 * made; may be secret, and are wiped. */
#ifndef KL_DEV_SASL_SETTINGS_H
#define KL_DEV_SASL_SETTINGS_H

#include "core/plugin.h"

struct kl_dev_sasl_setting {
	char *text;  /* the key, */
	char *value; /* and what stands behind it in the same memory */
	bool known;  /* some plugin has a row for it */
};

struct kl_dev_sasl_settings {
	struct kl_dev_sasl_setting *v;
	size_t n;
};

/* "sasl.x=y", and not a setting of the broker itself. */
bool kl_dev_sasl_owns_setting(const char *text);
/* Those of config, which ends with NULL or is it. Ends with _free() either way. */
int kl_dev_sasl_settings_take(struct kl_dev_sasl_settings *settings,
			      const char *const *config, struct klamm_error *err);
void kl_dev_sasl_settings_free(struct kl_dev_sasl_settings *settings);
/* A kl_lookup_fn. */
const char *kl_dev_sasl_setting(void *settings, const char *key);
/* Note what this plugin reads; then: does each setting have a reader? */
void kl_dev_sasl_settings_know(struct kl_dev_sasl_settings *settings,
			       const struct kl_plugin *plugin);
int kl_dev_sasl_settings_check(const struct kl_dev_sasl_settings *settings,
			       struct klamm_error *err);

#endif
