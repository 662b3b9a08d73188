/* SPDX-License-Identifier: BSD-2-Clause */
/* Mechanisms and users. The users are looked up by plugins on the blocking pool, and
 * changed by any thread. */
#include "broker/sasl.h"

#include <errno.h>
#include <stdlib.h>

#include "broker/sasl_settings.h"
#include "core/base/error.h"
#include "core/base/option.h"
#include "core/conf/properties.h"
#include "core/os/secret.h"

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#define MECHANISMS_MAX 8
#define USERS_FILE_MAX (1 << 20)

struct kl_dev_mechanism {
	struct kl_plugin *plugin;
	struct kl_instance instance;
};

/* "USER\0WHAT" and what is stored. */
struct credential {
	UT_hash_handle hh;
	char *value;
	size_t key_len;
	char key[];
};

struct kl_dev_sasl {
	struct kl_host host;
	bool host_made;
	struct kl_dev_sasl_settings settings;
	struct kl_dev_mechanism mechanisms[MECHANISMS_MAX];
	struct kl_str names[MECHANISMS_MAX];
	size_t count;
	int64_t reauth_ms;
	struct kl_mutex mutex; /* guards the credentials */
	struct credential *credentials;
};

/* --- users --- */

static void free_credential(struct credential *c)
{
	if (c == NULL)
		return;
	kl_wipe_text(c->value);
	free(c);
}

static struct credential *make_credential(const char *user, const char *what,
					  const char *value)
{
	size_t user_len = strlen(user), len = user_len + 1 + strlen(what);
	struct credential *c = calloc(1, sizeof(*c) + len);
	if (c == NULL)
		return NULL;
	c->key_len = len;
	memcpy(c->key, user, user_len + 1);
	memcpy(c->key + user_len + 1, what, len - user_len - 1);
	c->value = value != NULL ? kl_secret_text(value) : NULL;
	if (value != NULL && c->value == NULL) {
		free(c);
		return NULL;
	}
	return c;
}

/* value NULL: it goes. */
static int store(struct kl_dev_sasl *sasl, const char *user, const char *what,
		 const char *value)
{
	struct credential *c = make_credential(user, what, value), *old = NULL;
	bool added = true;
	if (c == NULL)
		return KLAMM_ERR_NO_MEMORY;
	kl_mutex_lock(&sasl->mutex);
	HASH_FIND(hh, sasl->credentials, c->key, c->key_len, old);
	if (old != NULL)
		HASH_DEL(sasl->credentials, old);
	if (value != NULL) {
#undef uthash_nonfatal_oom
#define uthash_nonfatal_oom(elt) added = false
		HASH_ADD(hh, sasl->credentials, key[0], c->key_len, c);
	}
	kl_mutex_unlock(&sasl->mutex);
	free_credential(old);
	if (value == NULL || !added)
		free_credential(c);
	return added ? 0 : KLAMM_ERR_NO_MEMORY;
}

int kl_dev_sasl_credential(void *arg, const char *user, const char *what,
			   struct klamm_out *out)
{
	struct kl_dev_sasl *sasl = arg;
	struct credential *wanted = make_credential(user, what, NULL), *c = NULL;
	if (wanted == NULL)
		return KLAMM_ERR_NO_MEMORY;
	int rc = KLAMM_ERR_AUTHENTICATION;
	kl_mutex_lock(&sasl->mutex);
	HASH_FIND(hh, sasl->credentials, wanted->key, wanted->key_len, c);
	if (c != NULL)
		rc = klamm_out_append(out, c->value, strlen(c->value));
	kl_mutex_unlock(&sasl->mutex);
	free_credential(wanted);
	return rc;
}

int klamm_broker_credential(struct klamm_broker *broker, const char *user,
			    const char *what, const char *value,
			    struct klamm_error *err)
{
	int rc = kl_dev_check_fork(broker, err);
	if (rc != 0)
		return rc;
	if (broker->sasl == NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the broker does not ask clients who they are");
	if (user == NULL || user[0] == '\0' || what == NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "a user needs a name");
	if (store(broker->sasl, user, what, value) != 0)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a user");
	return 0;
}

/* Does it say what is stored, rather than the password? */
static bool is_stored(const char *value)
{
	return (strncmp(value, "SCRAM-", 6) == 0 ||
		strncmp(value, "delegation-token=", 17) == 0) &&
	       strstr(value, "=[") != NULL;
}

/* WHAT=[VALUE],WHAT=[VALUE], as Kafka's tools write it. why_out: what is wrong with it. */
static int store_line(struct kl_dev_sasl *sasl, const char *user, char *value,
		      const char **why_out)
{
	if (!is_stored(value))
		return store(sasl, user, "password", value);
	for (char *next = value, *what; (what = next) != NULL;) {
		char *open = strstr(what, "=["), *close = strchr(what, ']');
		if (open == NULL || close == NULL || close < open ||
		    (close[1] != '\0' && close[1] != ',')) {
			*why_out = "must be WHAT=[VALUE],WHAT=[VALUE]";
			return 0;
		}
		next = close[1] == ',' ? close + 2 : NULL;
		*open = *close = '\0';
		int rc = store(sasl, user, what, open + 2);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int read_users(struct kl_dev_sasl *sasl, const char *file, const char *data,
		      size_t len, struct klamm_error *err)
{
	KL_AUTO(kl_properties_free) struct kl_properties r;
	int rc = 0;
	kl_properties_init(&r, data, len);
	while (rc == 0 && kl_properties_next(&r)) {
		const char *user = kl_buf_text(&r.key), *why = r.why;
		char *value = (char *)kl_buf_text(&r.value);
		if (why == NULL && (*user == '\0' || *value == '\0'))
			why = "must be NAME = PASSWORD";
		if (why == NULL)
			rc = store_line(sasl, user, value, &why);
		if (why != NULL)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					"%s: line %d: %s", file, (int)r.line, why);
	}
	if (rc != 0 || kl_properties_failed(&r))
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "%s: out of memory", file);
	return 0;
}

static int load_users(struct kl_dev_sasl *sasl, const char *file,
		      struct klamm_error *err)
{
	char *data;
	size_t len;
	int rc = kl_os_read_file(sasl->host.os, file, USERS_FILE_MAX, &data, &len);
	if (rc < 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"%s: cannot be read: %s", file, strerror(-rc));
	rc = read_users(sasl, file, data, len, err);
	explicit_bzero(data, len);
	free(data);
	return rc;
}

/* --- mechanisms --- */

const struct kl_dev_mechanism *kl_dev_sasl_find(const struct kl_dev_sasl *sasl,
						struct kl_str name)
{
	for (size_t i = 0; i < sasl->count; i++)
		if (kl_str_is(name, sasl->names[i].p))
			return &sasl->mechanisms[i];
	return NULL;
}

struct kl_instance *kl_dev_mechanism_instance(const struct kl_dev_mechanism *mechanism)
{
	return (struct kl_instance *)&mechanism->instance;
}

const char *kl_dev_mechanism_name(const struct kl_dev_mechanism *mechanism)
{
	return mechanism->plugin->sasl.mechanism;
}

struct kl_str *kl_dev_sasl_names(struct kl_dev_sasl *sasl, int32_t *count_out)
{
	*count_out = (int32_t)sasl->count;
	return sasl->names;
}

int64_t kl_dev_sasl_reauth_ms(const struct kl_dev_sasl *sasl)
{
	return sasl->reauth_ms;
}

static int add_mechanism(struct kl_dev_sasl *sasl, const char *name,
			 struct klamm_error *err)
{
	if (sasl->count == MECHANISMS_MAX)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"more than %d SASL mechanisms", MECHANISMS_MAX);
	struct kl_dev_mechanism *m = &sasl->mechanisms[sasl->count];
	int rc = kl_plugin_load(KLAMM_KIND_SASL, name, &(struct kl_plugin_search){0},
				&m->plugin, err);
	if (rc != 0)
		return rc;
	sasl->names[sasl->count++] = kl_str(m->plugin->sasl.mechanism);
	if (m->plugin->sasl.accept_new == NULL || m->plugin->sasl.accept_step == NULL)
		return kl_error(err, KLAMM_ERR_PLUGIN,
				"sasl %s: the plugin has no server's half",
				m->plugin->head.name);
	kl_dev_sasl_settings_know(&sasl->settings, m->plugin);
	return kl_plugin_open(m->plugin, &sasl->host, "sasl.enabled.mechanisms",
			      kl_dev_sasl_setting, &sasl->settings, &m->instance, err);
}

static int add_mechanisms(struct kl_dev_sasl *sasl, const char *list,
			  struct klamm_error *err)
{
	struct klamm_span name;
	int rc = 0;
	while (rc == 0 && kl_list_next(&list, &name)) {
		char *text = strndup(name.data, name.len);
		rc = text != NULL ? add_mechanism(sasl, text, err)
				  : kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory");
		free(text);
	}
	if (rc == 0 && sasl->count == 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"no SASL mechanism is named");
	return rc != 0 ? rc : kl_dev_sasl_settings_check(&sasl->settings, err);
}

/* Without a mechanism they have no reader. */
static int refuse_settings(const char *const *config, struct klamm_error *err)
{
	struct kl_dev_sasl_settings settings;
	int rc = kl_dev_sasl_settings_take(&settings, config, err);
	if (rc == 0)
		rc = kl_dev_sasl_settings_check(&settings, err);
	kl_dev_sasl_settings_free(&settings);
	return rc;
}

int kl_dev_sasl_new(struct klamm_broker *broker, const char *mechanisms,
		    const char *users, int64_t reauth_ms, const char *const *config,
		    struct klamm_error *err)
{
	if (mechanisms == NULL && (users != NULL || reauth_ms != 0))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"users need a SASL mechanism to prove who they are");
	if (mechanisms == NULL)
		return refuse_settings(config, err);
	if (reauth_ms < 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"a session of %lld ms cannot be", (long long)reauth_ms);
	struct kl_dev_sasl *sasl = calloc(1, sizeof(*sasl));
	if (sasl == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	broker->sasl = sasl;
	sasl->reauth_ms = reauth_ms;
	kl_mutex_init(&sasl->mutex);
	int rc = kl_host_init(&sasl->host, broker->loop->os, &broker->loop->log,
			      broker->loop, NULL, err);
	sasl->host_made = rc == 0;
	if (rc == 0)
		rc = kl_dev_sasl_settings_take(&sasl->settings, config, err);
	if (rc == 0)
		rc = add_mechanisms(sasl, mechanisms, err);
	if (rc == 0 && users != NULL)
		rc = load_users(sasl, users, err);
	return rc;
}

void kl_dev_sasl_free(struct kl_dev_sasl *sasl)
{
	if (sasl == NULL)
		return;
	if (sasl->host_made)
		kl_host_closing(&sasl->host);
	for (size_t i = 0; i < MECHANISMS_MAX; i++) {
		kl_plugin_close(&sasl->mechanisms[i].instance);
		kl_plugin_free(sasl->mechanisms[i].plugin);
	}
	if (sasl->host_made)
		kl_host_free(&sasl->host);
	kl_dev_sasl_settings_free(&sasl->settings);
	struct credential *c, *next;
	HASH_ITER(hh, sasl->credentials, c, next)
	{
		HASH_DEL(sasl->credentials, c);
		free_credential(c);
	}
	kl_mutex_destroy(&sasl->mutex);
	free(sasl);
}
