/* SPDX-License-Identifier: BSD-2-Clause */
/* A canary: a password that this process never holds but where klamm does. Clients and a
 * broker work with it; then what a core dump would have, the logs with all traffic, a dump of
 * the configuration and every error are looked through for parts of it. */
#include <klamm/broker.h>
#include <klamm/klamm.h>
#include <netinet/in.h>
#include <openssl/pem.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/conf/conf.h"
#include "kit/inside.h"
#include "tests/client/certs.h"
#include "tests/unit/unit.h"

#define LEN  48
#define PART 16
/* How much of it is looked for in memory. ThreadSanitizer's run-time leaves registers on
 * stacks, which hold a part but not the whole. */
#ifdef __SANITIZE_THREAD__
#define FOUND LEN
#else
#define FOUND PART
#endif
/* The memory to look through: all, or what a core dump has of it. */
#define ALL    false
#define DUMPED true

static uint8_t masked[LEN];
static struct klamm_error err;
static struct klamm_broker *broker;
static char properties[300], users[300], key[300];
static const char *ca; /* NULL = without TLS */
/* A SOCKS5 proxy that asks for a password and then says no more. */
static struct {
	int listener, fd; /* fd -1: nobody has come */
	uint16_t port;    /* 0 = there is none */
	pthread_t thread;
} silent;
/* Lines of all logs that have a part of it. */
static atomic_uint told, lines;

static void make_masked(void)
{
	struct kl_os *os = kl_os_real();
	os->random(os, masked, LEN);
	for (size_t i = 0; i < LEN; i++)
		masked[i] = (uint8_t)('a' + masked[i] % 26) ^ KIT_MASK;
}

static bool write_passwords(const char *text)
{
	FILE *f = fopen(users, "w"), *g = fopen(properties, "w");
	if (f == NULL || g == NULL)
		return false;
	fprintf(f, "alice = %s\n", text);
	fprintf(g,
		"security.protocol=%s\nssl.ca.location=%s\n"
		"sasl.jaas.config=org.apache.kafka.common.security.scram."
		"ScramLoginModule required username=\"alice\" password=\"%s\";\n"
		"sasl.password=%s\nsasl.username=alice\n"
		"sasl.mine.password=%s\n",
		ca != NULL ? "SASL_SSL" : "SASL_PLAINTEXT", ca ?: "", text, text, text);
	return fclose(f) == 0 && fclose(g) == 0;
}

/* The key of a certificate, which the password opens. */
static bool write_key(const char *text)
{
	FILE *f = fopen(key, "w"), *g = fopen(properties, "w");
	if (f == NULL || g == NULL ||
	    PEM_write_PKCS8PrivateKey(f, certs_client.key, EVP_aes_256_cbc(), text, LEN, NULL,
				      NULL) != 1)
		return false;
	fprintf(g,
		"security.protocol=SSL\nssl.ca.location=%s\nssl.certificate.location=%s\n"
		"ssl.key.location=%s\nssl.key.password=%s\n",
		certs_pem("ca", &certs_ca), certs_pem("client", &certs_client), key, text);
	return fclose(f) == 0 && fclose(g) == 0;
}

static bool write_proxy(const char *text)
{
	FILE *g = fopen(properties, "w");
	if (g == NULL)
		return false;
	if (silent.port != 0)
		fprintf(g, "klamm.proxy.url=socks5h://alice:%s@127.0.0.1:%u\n", text,
			silent.port);
	else /* which is none */
		fprintf(g, "klamm.proxy.url=http://alice:%s@%s/\n", text,
			klamm_broker_address(broker));
	fprintf(g, "max.block.ms=500\n");
	return fclose(g) == 0;
}

/* By a child, which has the text in its memory. */
static void write_files(bool (*write_them)(const char *text))
{
	pid_t child = fork();
	if (child == 0) {
		char text[LEN + 1] = "";
		for (size_t i = 0; i < LEN; i++)
			text[i] = (char)(masked[i] ^ KIT_MASK);
		_exit(write_them(text) ? 0 : 1);
	}
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
}

static bool has_part(const char *text, size_t len)
{
	for (size_t at = 0; at + PART <= len; at++)
		for (size_t part = 0; part < LEN; part += PART) {
			size_t i = 0;
			while (i < PART && (text[at + i] ^ KIT_MASK) == masked[part + i])
				i++;
			if (i == PART)
				return true;
		}
	return false;
}

static void hear(void *arg, int32_t level, const char *where, const char *text)
{
	atomic_fetch_add(&lines, 1);
	if (has_part(text, strlen(text)) || has_part(where, strlen(where)))
		atomic_fetch_add(&told, 1);
}

static bool is_in(bool only_dumped)
{
	return kit_find_secret(&(struct kit_needle){masked, LEN, FOUND, only_dumped}) > 0;
}

/* OpenSSL copies a password while it derives keys of it and wipes the copy: what is looked for
 * stays. */
static bool stays_in_dumps(void)
{
	for (int look = 0; look < 10; look++) {
		if (!is_in(DUMPED))
			return false;
		usleep(30000);
	}
	return true;
}

static void start_broker(struct klamm_broker_options options)
{
	options.size = sizeof(options);
	options.log = hear;
	options.log_level = 4 | KLAMM_LOG_TRAFFIC;
	ck_assert_msg(klamm_broker_new(&options, &broker, &err) == 0, "%s", err.text);
}

static void name_files(void)
{
	char *dir = unit_tmp();
	snprintf(properties, sizeof(properties), "%s/client.properties", dir);
	snprintf(users, sizeof(users), "%s/users", dir);
	snprintf(key, sizeof(key), "%s/key.pem", dir);
	free(dir);
	make_masked();
}

static void up(void)
{
	name_files();
	write_files(write_passwords);
	start_broker((struct klamm_broker_options){
		.tls_certificate =
			ca != NULL ? certs_both("broker", &certs_broker, NULL) : NULL,
		.sasl = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		.users = users,
		.reauth_ms = 400,
	});
}

static struct klamm_conf *conf_for(const char *mechanism)
{
	struct klamm_conf *conf;
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	ck_assert_int_eq(klamm_conf_log(conf, hear, NULL, 4 | KLAMM_LOG_TRAFFIC), 0);
	ck_assert_msg(klamm_conf_load(conf, properties, NULL, NULL, &err) == 0, "%s",
		      err.text);
	if (mechanism != NULL)
		ck_assert_int_eq(klamm_conf_set(conf, "sasl.mechanism", mechanism, &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers",
					klamm_broker_address(broker), &err), 0);
	return conf;
}

/* Over several sessions, each of which has the password read again. */
static void send_for_a_while(struct klamm_producer *producer)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){"hello", 5};
	for (int i = 0; i < 15; i++) {
		ck_assert_msg(klamm_producer_send_to(producer, "t", &record, NULL, &err) == 0,
			      "%s", err.text);
		ck_assert_msg(klamm_producer_flush(producer, 30000, NULL, &err) == 0, "%s",
			      err.text);
		usleep(60000);
	}
}

static void look_at(void *arg, const struct kl_conf_entry *entry)
{
	unsigned *entries = arg;
	++*entries;
	ck_assert(entry->value == NULL || !has_part(entry->value, strlen(entry->value)));
}

static void check_dump(const struct klamm_conf *conf)
{
	static const char *const keys[] = {"sasl.password", "sasl.jaas.config",
					   "sasl.mine.password", "ssl.key.password",
					   "klamm.proxy.url"};
	for (size_t i = 0; i < kl_countof(keys); i++)
		ck_assert_pstr_eq(klamm_conf_get(conf, keys[i]) ?: "[hidden]", "[hidden]");
	unsigned entries = 0;
	ck_assert_int_eq(kl_conf_dump(conf, KLAMM_ROLE_PRODUCER, look_at, &entries, &err), 0);
	ck_assert_uint_gt(entries, 50);
}

/* From the beginning to the end of a client and its broker. */
static void work(const char *mechanism)
{
	struct klamm_conf *conf = conf_for(mechanism);
	struct klamm_producer *producer;
	ck_assert_msg(klamm_producer_new(conf, NULL, &producer, &err) == 0, "%s", err.text);
	send_for_a_while(producer);
	/* It is here, but not for those who look into a dump. */
	ck_assert(is_in(ALL));
	ck_assert(!stays_in_dumps());
	check_dump(conf);
	ck_assert_int_eq(klamm_producer_close(producer, 30000, &err), 0);
	klamm_conf_free(conf);
	klamm_broker_free(broker);
	ck_assert(!is_in(ALL));
	ck_assert_uint_gt(atomic_load(&lines), 50);
	ck_assert_uint_eq(atomic_load(&told), 0);
}

static void *ask_for_password(void *unused)
{
	char greeting[4];
	silent.fd = accept(silent.listener, NULL, NULL);
	if (silent.fd >= 0 && recv(silent.fd, greeting, sizeof(greeting), MSG_WAITALL) == 4)
		send(silent.fd, "\5\2", 2, MSG_NOSIGNAL);
	return unused;
}

static void silent_proxy_up(void)
{
	struct sockaddr_in at = {.sin_family = AF_INET,
				 .sin_addr = {htonl(INADDR_LOOPBACK)}};
	socklen_t size = sizeof(at);
	silent.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	ck_assert_int_ge(silent.listener, 0);
	ck_assert_int_eq(bind(silent.listener, (struct sockaddr *)&at, size), 0);
	ck_assert_int_eq(listen(silent.listener, 8), 0);
	ck_assert_int_eq(getsockname(silent.listener, (struct sockaddr *)&at, &size), 0);
	silent.port = ntohs(at.sin_port);
	ck_assert_int_eq(pthread_create(&silent.thread, NULL, ask_for_password, NULL), 0);
}

static void silent_proxy_down(void)
{
	shutdown(silent.listener, SHUT_RDWR); /* on a busy machine nobody may have come */
	pthread_join(silent.thread, NULL);
	if (silent.fd >= 0)
		close(silent.fd);
	close(silent.listener);
	silent.port = 0;
}

/* No proxy lets anybody through: one is the broker, the other one is silent. */
START_TEST(no_dump_log_or_error_has_the_password_of_a_proxy)
{
	struct klamm_producer *producer;
	struct klamm_record record = KLAMM_RECORD_INIT;
	name_files();
	start_broker((struct klamm_broker_options){.nodes = 1});
	if (_i == 1)
		silent_proxy_up();
	write_files(write_proxy);
	struct klamm_conf *conf = conf_for(NULL);
	ck_assert_msg(klamm_producer_new(conf, NULL, &producer, &err) == 0, "%s", err.text);
	ck_assert_int_ne(klamm_producer_send_to(producer, "t", &record, NULL, &err), 0);
	ck_assert(!has_part(err.text, sizeof(err.text)));
	ck_assert(is_in(ALL));
	ck_assert(!stays_in_dumps());
	check_dump(conf);
	klamm_producer_close(producer, 30000, &err);
	if (_i == 1)
		silent_proxy_down();
	klamm_conf_free(conf);
	klamm_broker_free(broker);
	ck_assert(!is_in(ALL));
	ck_assert_uint_eq(atomic_load(&told), 0);
}
END_TEST

static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};

START_TEST(no_dump_log_or_error_has_the_password)
{
	up();
	work(mechanisms[_i]);
}
END_TEST

/* What is encrypted and decrypted lies in places of its own before and after. */
START_TEST(no_dump_log_or_error_has_the_password_behind_tls)
{
	certs_up();
	ca = certs_pem("ca", &certs_ca);
	up();
	work(mechanisms[0]);
	certs_down();
	ca = NULL;
}
END_TEST

START_TEST(no_dump_log_or_error_has_the_password_of_a_key)
{
	name_files();
	certs_up();
	write_files(write_key);
	start_broker((struct klamm_broker_options){
		.tls_certificate = certs_both("broker", &certs_broker, &certs_ca),
		.tls_ca = certs_pem("ca", &certs_ca),
	});
	work(NULL);
	certs_down();
}
END_TEST

START_TEST(no_refusal_has_the_password)
{
	up();
	struct klamm_conf *conf = conf_for(mechanisms[_i]);
	struct klamm_producer *producer;
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){"hello", 5};
	ck_assert_int_eq(klamm_conf_set(conf, "sasl.username", "nobody", &err), 0);
	ck_assert_int_eq(klamm_conf_set(conf, "max.block.ms", "10000", &err), 0);
	ck_assert_int_eq(klamm_producer_new(conf, NULL, &producer, &err), 0);
	ck_assert_int_ne(klamm_producer_send_to(producer, "t", &record, NULL, &err), 0);
	ck_assert_ptr_nonnull(strstr(err.text, mechanisms[_i]));
	ck_assert(!has_part(err.text, sizeof(err.text)));
	ck_assert(!stays_in_dumps());
	klamm_producer_close(producer, 30000, &err);
	klamm_conf_free(conf);
	klamm_broker_free(broker);
	ck_assert(!is_in(ALL));
	ck_assert_uint_eq(atomic_load(&told), 0);
}
END_TEST

UNIT_SUITE(canary)
{
	Suite *s = suite_create("canary");
	unit_add_loop(s, no_dump_log_or_error_has_the_password, (int)kl_countof(mechanisms));
	unit_add(s, no_dump_log_or_error_has_the_password_behind_tls);
	unit_add(s, no_dump_log_or_error_has_the_password_of_a_key);
	unit_add_loop(s, no_dump_log_or_error_has_the_password_of_a_proxy, 2);
	unit_add_loop(s, no_refusal_has_the_password, (int)kl_countof(mechanisms));
	return s;
}
