/* SPDX-License-Identifier: BSD-2-Clause */
/* Opening the plugins that a client's configuration names: what every client does alike. On
 * the thread that makes the client; codecs also where they are first needed. */
#ifndef KL_ROLE_PLUGIN_H
#define KL_ROLE_PLUGIN_H

#include "core/conf/conf.h"
#include "core/plugin.h"

/* A plugin in a role: the serializer of keys, the partitioner, ... */
struct kl_role_plugin {
	struct kl_plugin *plugin; /* NULL = nobody has this role */
	struct kl_instance instance;
	struct kl_mutex mutex; /* its owner's: around calls of a SERIAL one */
};

/* The host of a client's plugins, with the client's memory budget and secrets. */
int kl_conf_host(struct klamm_conf *conf, const struct kl_settings *settings, struct kl_os *os,
		 const struct kl_log *log, struct klamm_loop *loop, struct kl_host *host_out,
		 struct klamm_error *err);

/* Have the application's tokens reach them. */
void kl_conf_host_token(struct klamm_conf *conf, struct kl_host *host);

/* Find by name, where this configuration says to look. */
int kl_conf_load_plugin(const struct klamm_conf *conf, const struct kl_settings *settings,
			int32_t kind, const char *name, struct kl_plugin **plugin_out,
			struct klamm_error *err);

/* kl_plugin_open() with the options of this configuration. */
int kl_conf_open_plugin(struct klamm_conf *conf, const struct kl_plugin *plugin,
			struct kl_host *host, const char *role,
			struct kl_instance *instance_out, struct klamm_error *err);

/* Both; name NULL leaves the role empty. The mutex is not touched. After a failure too it ends
 * with kl_role_close(). */
int kl_role_open(struct klamm_conf *conf, const struct kl_settings *settings, int32_t kind,
		 const char *name, struct kl_host *host, const char *role,
		 struct kl_role_plugin *to, struct klamm_error *err);
void kl_role_close(struct kl_role_plugin *role);

/* The plugin of sasl.mechanism, where security.protocol asks for one. */
int kl_role_open_sasl(struct klamm_conf *conf, const struct kl_settings *settings,
		      struct kl_host *host, struct kl_role_plugin *to,
		      struct klamm_error *err);
/* NULL when nobody has the role. */
static inline struct kl_instance *kl_role_instance(struct kl_role_plugin *role)
{
	return role->plugin != NULL ? &role->instance : NULL;
}

#endif
