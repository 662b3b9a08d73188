/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conf/role_plugin.h"

static const char *look_up(void *arg, const char *key)
{
	return kl_conf_lookup(arg, key);
}

static int read_secret(void *arg, const char *key, char **text_out, struct klamm_error *err)
{
	return kl_conf_read_secret(arg, key, text_out, err);
}

int kl_conf_host(struct klamm_conf *conf, const struct kl_settings *settings, struct kl_os *os,
		 const struct kl_log *log, struct klamm_loop *loop, struct kl_host *host,
		 struct klamm_error *err)
{
	int rc = kl_host_init(host, os, log, loop, settings->client_id, err);
	if (rc != 0)
		return rc;
	host->secret = read_secret;
	host->secret_arg = conf;
	kl_conf_host_token(conf, host);
	host->quota.max = (size_t)settings->klamm_memory_max;
	return 0;
}

int kl_conf_load_plugin(const struct klamm_conf *conf, const struct kl_settings *settings,
			int32_t kind, const char *name, struct kl_plugin **plugin_out,
			struct klamm_error *err)
{
	struct kl_plugin_search search = {
		.own = kl_conf_plugins(conf),
		.dirs = settings->plugin_path.v,
		.dir_count = settings->plugin_path.n,
	};
	return kl_plugin_load(kind, name, &search, plugin_out, err);
}

int kl_conf_open_plugin(struct klamm_conf *conf, const struct kl_plugin *plugin,
			struct kl_host *host, const char *role,
			struct kl_instance *instance_out, struct klamm_error *err)
{
	return kl_plugin_open(plugin, host, role, look_up, conf, instance_out, err);
}

int kl_role_open(struct klamm_conf *conf, const struct kl_settings *settings, int32_t kind,
		 const char *name, struct kl_host *host, const char *role,
		 struct kl_role_plugin *to, struct klamm_error *err)
{
	if (name == NULL)
		return 0;
	int rc = kl_conf_load_plugin(conf, settings, kind, name, &to->plugin, err);
	if (rc == 0)
		rc = kl_conf_open_plugin(conf, to->plugin, host, role, &to->instance, err);
	return rc;
}

int kl_role_open_sasl(struct klamm_conf *conf, const struct kl_settings *settings,
		      struct kl_host *host, struct kl_role_plugin *to, struct klamm_error *err)
{
	if (settings->security_protocol != KL_SECURITY_SASL_PLAINTEXT &&
	    settings->security_protocol != KL_SECURITY_SASL_SSL)
		return 0;
	return kl_role_open(conf, settings, KLAMM_KIND_SASL, settings->sasl_mechanism, host,
			    "sasl.mechanism", to, err);
}

void kl_role_close(struct kl_role_plugin *role)
{
	kl_plugin_close(&role->instance);
	kl_plugin_free(role->plugin);
	role->plugin = NULL;
}
