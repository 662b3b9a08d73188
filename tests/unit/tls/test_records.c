/* SPDX-License-Identifier: BSD-2-Clause */
/* Records through TLS, sessions that are resumed, and certificates that change under load:
 * nothing is lost. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <klamm/sasl.h>
#include <klamm/tls.h>
#include <openssl/ssl.h>

#include "core/base/log.h"
#include "core/os/os.h"
#include "tests/unit/tls/ask.h"

#define CA ask_pair("ssl.ca.location", ask_ca())

static char value[100000];

static void produce(struct klamm_producer *producer, int n, size_t size)
{
	memset(value, 'v', sizeof(value));
	value[size] = '\0';
	for (int i = 0; i < n; i++)
		world_send(producer, "t", 0, "key", value, NULL);
	value[size] = 'v';
	ck_assert_uint_eq(world_flush(producer), 0);
}

static void check_records(struct klamm_consumer *consumer, int n, size_t size)
{
	struct world_seen *seen = calloc((size_t)n, sizeof(*seen));
	world_assign(consumer, "t", 0, 0);
	world_read(consumer, n, seen);
	for (int i = 0; i < n; i++) {
		ck_assert_int_eq(seen[i].offset, i);
		ck_assert_int_eq(seen[i].value_len, (int)size);
	}
	free(seen);
}

/* Sizes around those of TLS records and of what is encrypted at once. */
static const struct {
	int n;
	size_t size;
} loads[] = {{20000, 10}, {200, 16384}, {200, 16000}, {60, 65536}, {40, 99999}};

START_TEST(records_out_and_in)
{
	world_create("t", 1);
	struct klamm_producer *producer =
		world_producer(NULL, "security.protocol=SSL", CA, NULL);
	produce(producer, loads[_i].n, loads[_i].size);
	world_close(producer);
	struct klamm_consumer *consumer =
		world_consumer(NULL, "security.protocol=SSL", CA, NULL);
	check_records(consumer, loads[_i].n, loads[_i].size);
	world_close_consumer(consumer);
}
END_TEST

/* --- what the log tells --- */

static struct kl_buf log_text;
static struct kl_mutex log_mutex;

static void log_line(void *arg, int32_t level, const char *where, const char *text)
{
	kl_mutex_lock(&log_mutex);
	kl_buf_printf(&log_text, "%s: %s\n", where, text);
	kl_mutex_unlock(&log_mutex);
}

static int times(const char *words)
{
	int n = 0;
	kl_mutex_lock(&log_mutex);
	for (const char *p = kl_buf_text(&log_text); (p = strstr(p, words)) != NULL; p++)
		n++;
	kl_mutex_unlock(&log_mutex);
	return n;
}

static struct klamm_conf *logging(const char *pair)
{
	struct klamm_conf *conf = world_conf("security.protocol=SSL", CA, pair, NULL);
	kl_mutex_init(&log_mutex);
	ck_assert_int_eq(klamm_conf_log(conf, log_line, NULL, KL_LOG_DEBUG), 0);
	return conf;
}

/* Every connection ends, and the producer makes new ones. */
static void restart_node(void)
{
	struct klamm_error err;
	ck_assert_int_eq(klamm_broker_node_stop(world_broker, 1, false, &err), 0);
	ck_assert_int_eq(klamm_broker_node_start(world_broker, 1, &err), 0);
}

START_TEST(sessions_are_resumed)
{
	world_create("t", 1);
	struct klamm_producer *producer = world_producer_of(
		logging(_i == 0 ? "ssl.enabled.protocols=TLSv1.2" : "client.id=x"), NULL);
	for (int i = 0; i < 3; i++) {
		produce(producer, 10, 10);
		restart_node();
	}
	produce(producer, 10, 10);
	world_close(producer);
	ck_assert_int_ge(times(", resumed"), 2);
	kl_buf_free(&log_text);
}
END_TEST

/* --- files that change --- */

/* Beyond the pause after which files are looked at again. */
static void let_files_age(void)
{
	usleep(1100000);
}

/* The broker's certificate and the CA that clients trust are replaced, one after the other,
 * as one does it: first trust both, then change, then forget the old one. */
START_TEST(a_new_ca_under_load)
{
	world_create("t", 1);
	struct klamm_producer *producer =
		world_producer_of(logging("delivery.timeout.ms=60000"), NULL);
	produce(producer, 100, 100);
	struct cert other = certs_make((struct cert_spec){
		.name = "broker", .names = "IP:127.0.0.1", .issuer = &certs_foreign});
	char *old = certs_text(&certs_ca, false), *new = certs_text(&certs_foreign, false);
	struct kl_buf both = {0};
	kl_buf_printf(&both, "%s%s", old, new);
	certs_file("ca.pem", both.data, both.len);
	let_files_age();
	certs_both("broker.pem", &other, NULL);
	restart_node();
	produce(producer, 100, 100);
	certs_file("ca.pem", new, strlen(new));
	let_files_age();
	restart_node();
	produce(producer, 100, 100);
	world_close(producer);
	ck_assert_int_ge(times("certificates were read again"), 2);
	ck_assert_int_eq(world_end_of("t", 0), 300);
	kl_buf_free(&both);
	free(old);
	free(new);
	certs_free(&other);
	kl_buf_free(&log_text);
}
END_TEST

/* Files that cannot be used leave all as it was, and are told of. */
START_TEST(half_a_file)
{
	world_create("t", 1);
	struct klamm_producer *producer = world_producer_of(logging("client.id=x"), NULL);
	produce(producer, 10, 10);
	certs_file("ca.pem", "-----BEGIN CERTIFICATE-----\nMII", 31);
	certs_file("broker.pem", "", 0);
	let_files_age();
	restart_node();
	produce(producer, 10, 10);
	world_close(producer);
	ck_assert_int_ge(times("certificates stay as they are"), 1);
	kl_buf_free(&log_text);
}
END_TEST

/* A client's own certificate: the broker comes to trust another issuer only. */
START_TEST(a_new_certificate_of_the_client)
{
	world_create("t", 1);
	const char *mine = certs_both("mine.pem", &certs_client, NULL);
	struct klamm_producer *producer = world_producer_of(
		logging(ask_pair("ssl.certificate.location", mine)), NULL);
	produce(producer, 100, 100);
	struct cert other = certs_make((struct cert_spec){
		.name = "alice", .issuer = &certs_foreign});
	/* The same file serves the client as its trust: both CAs from now on. */
	char *old = certs_text(&certs_ca, false), *new = certs_text(&certs_foreign, false);
	struct kl_buf both = {0};
	kl_buf_printf(&both, "%s%s", old, new);
	certs_file("ca.pem", both.data, both.len);
	certs_both("mine.pem", &other, NULL);
	let_files_age();
	restart_node();
	produce(producer, 100, 100);
	world_close(producer);
	ck_assert_int_eq(world_end_of("t", 0), 200);
	kl_buf_free(&both);
	free(old);
	free(new);
	certs_free(&other);
	kl_buf_free(&log_text);
}
END_TEST

/* --- a context of the application's --- */

static SSL_CTX *context(const char *ca)
{
	SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
	if (ca != NULL)
		ck_assert_int_eq(SSL_CTX_load_verify_locations(ctx, ca, NULL), 1);
	return ctx;
}

static int ask_with(SSL_CTX *ctx, const char *pair, struct klamm_error *err)
{
	struct klamm_conf *conf = world_conf("security.protocol=SSL", pair, NULL);
	ck_assert_int_eq(klamm_conf_ssl_ctx(conf, ctx, err), 0);
	SSL_CTX_free(ctx); /* klamm has its own reference */
	return ask_of(conf, err);
}

START_TEST(an_application_brings_its_own)
{
	struct klamm_error err;
	ck_assert_int_eq(ask_with(context(ask_ca()), "client.id=x", &err), 0);
	ck_assert_int_eq(ask_with(context(NULL), "client.id=x", &err), KLAMM_ERR_TLS);
	ck_assert_ptr_nonnull(strstr(err.text, "it is not in the application's SSL_CTX"));
	world_down();
	struct cert other = certs_make((struct cert_spec){
		.name = "x", .names = "DNS:elsewhere.example", .issuer = &certs_ca});
	ask_start((struct klamm_broker_options){
		.tls_certificate = certs_both("other.pem", &other, NULL)});
	ck_assert_int_eq(ask_with(context(ask_ca()), "client.id=x", &err), KLAMM_ERR_TLS);
	ck_assert_ptr_nonnull(strstr(err.text, "is for elsewhere.example"));
	ck_assert_int_eq(ask_with(context(ask_ca()),
				  "ssl.endpoint.identification.algorithm=", &err), 0);
	certs_free(&other);
}
END_TEST

/* --- SASL_SSL --- */

START_TEST(sasl_through_tls)
{
	const char *users = certs_file("users", "alice = secret\n", 15);
	world_down();
	ask_start((struct klamm_broker_options){.sasl = "PLAIN", .users = users});
	ask_works(CA, "security.protocol=SASL_SSL", "sasl.mechanism=PLAIN",
		  "sasl.username=alice", "sasl.password=secret");
	ask_fails("does not trust", "security.protocol=SASL_SSL", "sasl.mechanism=PLAIN",
		  "sasl.username=alice", "sasl.password=secret");
}
END_TEST

/* PLAIN of this test's own, which notes what it is told of the connection. */
static _Atomic uint32_t noted_flags;
static _Atomic int noted;
static bool said;

static int note_peer(void *self, const struct klamm_sasl_peer *peer, void **session_out,
		     struct klamm_error *err)
{
	noted_flags = peer->flags;
	noted++;
	said = false;
	*session_out = &said;
	return 0;
}

static int say_password(void *session, const struct klamm_call *call,
			const struct klamm_span *in, struct klamm_out *out,
			int32_t *state_out, struct klamm_error *err)
{
	*state_out = said ? KLAMM_SASL_DONE : KLAMM_SASL_SEND;
	said = true;
	return in->data == NULL ? klamm_out_append(out, "\0alice\0secret", 13) : 0;
}

static void forget_session(void *session)
{
}

static const struct klamm_sasl_plugin noting_plugin = {
	.head = {KLAMM_PLUGIN_HEAD(sasl, "plain", "for this test")},
	.mechanism = "PLAIN",
	.session_new = note_peer,
	.step = say_password,
	.session_free = forget_session,
};

START_TEST(mechanisms_are_told_of_tls)
{
	const char *users = certs_file("users", "alice = secret\n", 15);
	struct klamm_error err;
	world_down();
	ask_start((struct klamm_broker_options){.sasl = "PLAIN", .users = users});
	struct klamm_conf *conf = world_conf("security.protocol=SASL_SSL", CA,
					     "sasl.mechanism=PLAIN", NULL);
	ck_assert_int_eq(klamm_conf_plugin(conf, KLAMM_KIND_SASL, &noting_plugin.head,
					   NULL, &err),
			 0);
	ck_assert_msg(ask_of(conf, &err) == 0, "%s", err.text);
	ck_assert_int_ge(noted, 1);
	ck_assert_uint_eq(noted_flags, KLAMM_SASL_TLS);
}
END_TEST

/* --- refusals are told once --- */

START_TEST(records_end_with_the_reason_at_once)
{
	struct world_end end = {0};
	int64_t begin = world_ms();
	struct klamm_producer *producer =
		world_telling(NULL, "security.protocol=SSL", "max.block.ms=20000", NULL);
	struct klamm_record record = world_record("k", "v");
	struct klamm_error err;
	/* Metadata is what fails first. */
	int rc = klamm_producer_send_to(producer, "t", &record, &end, &err);
	if (rc == 0) {
		world_wait(producer, &end);
		ck_assert_int_eq(end.error, KLAMM_ERR_TLS);
		ck_assert_ptr_nonnull(strstr(end.text, "does not trust"));
	} else {
		ck_assert_int_eq(rc, KLAMM_ERR_TLS);
		ck_assert_ptr_nonnull(strstr(err.text, "does not trust"));
	}
	ck_assert_int_lt(world_ms() - begin, 5000);
	world_drop(producer);
}
END_TEST

UNIT_SUITE(records)
{
	Suite *s = suite_create("records");
	unit_add_case(s, "records_out_and_in", records_out_and_in, ask_up, ask_down,
		      (int)kl_countof(loads));
	unit_add_case(s, "sessions_are_resumed", sessions_are_resumed, ask_up, ask_down, 2);
	unit_add_fixture(s, a_new_ca_under_load, ask_up, ask_down);
	unit_add_fixture(s, half_a_file, ask_up, ask_down);
	unit_add_fixture(s, a_new_certificate_of_the_client, ask_up_mutual, ask_down);
	unit_add_fixture(s, an_application_brings_its_own, ask_up, ask_down);
	unit_add_fixture(s, sasl_through_tls, ask_up, ask_down);
	unit_add_fixture(s, mechanisms_are_told_of_tls, ask_up, ask_down);
	unit_add_fixture(s, records_end_with_the_reason_at_once, ask_up, ask_down);
	return s;
}
