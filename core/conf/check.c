/* SPDX-License-Identifier: BSD-2-Clause */
/* Rules between keys. */
#include <stdio.h>

#include "core/base/error.h"
#include "core/conf/object.h"

struct rules {
	struct kl_settings s;
	struct kl_issues issues;
	struct kl_buf told; /* texts of issues: several roles share rules */
};

static void tell(struct rules *r, bool is_error, const char *key, const char *text)
{
	if (kl_has_line(&r->told, text))
		return;
	kl_put_line(&r->told, text);
	kl_issue(&r->issues, 0, is_error, key, text);
}

/* low must not be above high. */
static const struct {
	const char *low, *high;
	int32_t roles;
	bool is_error;
} orders[] = {
	{"retry.backoff.ms", "retry.backoff.max.ms", KLAMM_ROLE_ANY, false},
	{"reconnect.backoff.ms", "reconnect.backoff.max.ms", KLAMM_ROLE_ANY, false},
	{"socket.connection.setup.timeout.ms", "socket.connection.setup.timeout.max.ms",
	 KLAMM_ROLE_ANY, false},
	{"klamm.decompress.max", "klamm.memory.max", KLAMM_ROLE_ANY, true},
	{"batch.size", "buffer.memory", KLAMM_ROLE_PRODUCER, true},
	{"max.request.size", "buffer.memory", KLAMM_ROLE_PRODUCER, false},
	/* Otherwise every quiet fetch would end as a time-out. */
	{"fetch.max.wait.ms", "request.timeout.ms", KLAMM_ROLE_CONSUMER, true},
	{"fetch.max.bytes", "klamm.memory.max", KLAMM_ROLE_CONSUMER, true},
	{"request.timeout.ms", "default.api.timeout.ms", KLAMM_ROLE_ADMIN, true},
};

static int64_t number(const struct kl_settings *s, const char *key)
{
	const struct klamm_option *o = &kl_conf_find(key, NULL)->option;
	const char *at = (const char *)s + o->offset;
	return o->type == KLAMM_OPTION_LONG ? *(const int64_t *)at
					    : *(const int32_t *)at;
}

static void check_orders(struct rules *r)
{
	for (size_t i = 0; i < kl_countof(orders); i++) {
		if ((orders[i].roles & r->s.role) == 0)
			continue;
		int64_t low = number(&r->s, orders[i].low);
		int64_t high = number(&r->s, orders[i].high);
		if (low <= high)
			continue;
		char text[200];
		snprintf(text, sizeof(text), "%s = %lld: must not be above %s (%lld)",
			 orders[i].low, (long long)low, orders[i].high,
			 (long long)high);
		tell(r, orders[i].is_error, orders[i].low, text);
	}
}

static void check_servers(struct rules *r)
{
	if (r->s.bootstrap_servers.n == 0)
		tell(r, true, "bootstrap.servers",
		     "bootstrap.servers: must be set; it names the brokers to ask "
		     "first");
}

/* KIP-91: a record must live long enough for one whole attempt. */
static void check_delivery(struct rules *r)
{
	const struct kl_settings *s = &r->s;
	if (s->role != KLAMM_ROLE_PRODUCER ||
	    s->linger_ms <= (int64_t)s->delivery_timeout_ms - s->request_timeout_ms)
		return;
	char text[200];
	snprintf(text, sizeof(text),
		 "delivery.timeout.ms = %d: must be at least linger.ms + "
		 "request.timeout.ms "
		 "(%lld + %d)",
		 s->delivery_timeout_ms, (long long)s->linger_ms,
		 s->request_timeout_ms);
	tell(r, true, "delivery.timeout.ms", text);
}

static void check_auto_commit(struct rules *r)
{
	if (r->s.role == KLAMM_ROLE_CONSUMER && r->s.enable_auto_commit &&
	    r->s.group_id == NULL)
		tell(r, true, "enable.auto.commit",
		     "enable.auto.commit = true: needs a group.id to commit for");
}

/* One that is late would be put out between two of its heartbeats. */
static void check_session(struct rules *r)
{
	const struct kl_settings *s = &r->s;
	if (s->role != KLAMM_ROLE_CONSUMER || s->group_protocol != KL_GROUP_CLASSIC ||
	    s->heartbeat_interval_ms < s->session_timeout_ms)
		return;
	char text[200];
	snprintf(text, sizeof(text),
		 "heartbeat.interval.ms = %d: must be below session.timeout.ms (%d)",
		 s->heartbeat_interval_ms, s->session_timeout_ms);
	tell(r, true, "heartbeat.interval.ms", text);
}

/* KIP-848: the broker decides on these, or has no use for them; and the other way round. */
static void check_protocol(struct rules *r, const struct klamm_conf *conf)
{
	static const struct {
		const char *key;
		enum kl_group_protocol without;
	} keys[] = {
		{"heartbeat.interval.ms", KL_GROUP_CONSUMER},
		{"session.timeout.ms", KL_GROUP_CONSUMER},
		{"partition.assignment.strategy", KL_GROUP_CONSUMER},
		{"group.remote.assignor", KL_GROUP_CLASSIC},
	};
	char text[200];
	for (size_t i = 0; i < kl_countof(keys); i++) {
		if (r->s.role != KLAMM_ROLE_CONSUMER ||
		    r->s.group_protocol != (int32_t)keys[i].without ||
		    !kl_conf_is_set(conf, keys[i].key))
			continue;
		snprintf(text, sizeof(text), "%s: cannot be set with group.protocol = %s",
			 keys[i].key,
			 keys[i].without == KL_GROUP_CONSUMER ? "consumer" : "classic");
		tell(r, true, keys[i].key, text);
	}
}

/* KIP-1123. */
static void check_rack(struct rules *r)
{
	const struct kl_settings *s = &r->s;
	if (s->role != KLAMM_ROLE_PRODUCER || !s->partitioner_rack_aware)
		return;
	if (s->client_rack[strspn(s->client_rack, " \t")] == '\0')
		tell(r, true, "partitioner.rack.aware",
		     "partitioner.rack.aware = true: needs a client.rack");
}

/* KIP-98, KIP-679: what idempotence needs, where it was asked for. */
static void check_idempotence(struct rules *r)
{
	const struct kl_settings *s = &r->s;
	if (s->role != KLAMM_ROLE_PRODUCER || !s->enable_idempotence_asked)
		return;
	const char *why = s->transactional_id != NULL ? "transactional.id is set"
						      : "enable.idempotence is set";
	char text[200];
	if (!s->enable_idempotence)
		tell(r, true, "enable.idempotence",
		     "enable.idempotence = false: must be true when transactional.id is set");
	if (s->acks != KL_ACKS_ALL) {
		snprintf(text, sizeof(text), "acks = %d: must be all when %s", s->acks, why);
		tell(r, true, "acks", text);
	}
	if (s->retries == 0) {
		snprintf(text, sizeof(text), "retries = 0: must be above 0 when %s", why);
		tell(r, true, "retries", text);
	}
	if (s->max_in_flight_requests_per_connection > KL_IDEMPOTENT_IN_FLIGHT_MAX) {
		snprintf(text, sizeof(text),
			 "max.in.flight.requests.per.connection = %d: must be at most %d "
			 "when %s",
			 s->max_in_flight_requests_per_connection,
			 KL_IDEMPOTENT_IN_FLIGHT_MAX, why);
		tell(r, true, "max.in.flight.requests.per.connection", text);
	}
}

static bool is_given(const char *text)
{
	return text != NULL && *text != '\0';
}

/* One place for each thing, and both halves of a certificate. */
static void check_tls(struct rules *r)
{
	const struct kl_settings *s = &r->s;
	int trusted = is_given(s->ssl_truststore_location) +
		      is_given(s->ssl_truststore_certificates) + is_given(s->ssl_ca_location);
	int own = is_given(s->ssl_keystore_location) +
		  is_given(s->ssl_keystore_certificate_chain) +
		  is_given(s->ssl_certificate_location);
	if (trusted > 1)
		tell(r, true, "ssl.truststore.location",
		     "ssl.truststore.location, ssl.truststore.certificates and "
		     "ssl.ca.location: only one of them may be set");
	if (own > 1)
		tell(r, true, "ssl.keystore.location",
		     "ssl.keystore.location, ssl.keystore.certificate.chain and "
		     "ssl.certificate.location: only one of them may be set");
	if (is_given(s->ssl_keystore_key) && is_given(s->ssl_key_location))
		tell(r, true, "ssl.keystore.key",
		     "ssl.keystore.key and ssl.key.location: only one of them may be set");
}

int klamm_conf_check(const struct klamm_conf *conf, int32_t roles,
		     klamm_conf_issue_fn fn, void *arg, struct klamm_error *err)
{
	if ((roles & ~KLAMM_ROLE_ANY) != 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "%d are not roles",
				roles);
	struct rules r = {
		.issues = {.fn = fn, .arg = arg, .log = &conf->log},
	};
	struct klamm_error profile = {0};
	if (kl_conf_check_profile(conf, &profile) != 0)
		tell(&r, true, NULL, profile.text);
	int rc = 0;
	for (int32_t role = 1; role <= KLAMM_ROLE_ADMIN && rc == 0; role <<= 1) {
		if ((roles & role) == 0)
			continue;
		struct kl_arena arena = {0};
		rc = kl_conf_fill(conf, role, &r.s, &arena);
		if (rc == 0) {
			check_servers(&r);
			check_delivery(&r);
			check_auto_commit(&r);
			check_session(&r);
			check_protocol(&r, conf);
			check_idempotence(&r);
			check_rack(&r);
			check_tls(&r);
			check_orders(&r);
		}
		kl_arena_free(&arena);
	}
	kl_buf_free(&r.told);
	if (rc != 0)
		return kl_error(err, rc, "out of memory");
	return kl_issues_result(&r.issues, err);
}
