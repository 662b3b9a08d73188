/* SPDX-License-Identifier: BSD-2-Clause */
/* A canary: a password that this process never holds but where klamm does. Clients and a
 * broker work with it; then what a core dump would have, the logs with all traffic, a dump of
 * the configuration and every error are looked through for parts of it. */
#include <klamm/broker.h>
#include <klamm/klamm.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/conf/conf.h"
#include "kit/inside.h"
#include "tests/unit/unit.h"

#define LEN  48
#define PART 16

static uint8_t masked[LEN];
static struct klamm_error err;
static struct klamm_broker *broker;
static char properties[300], users[300];
/* Lines of all logs that have a part of it. */
static atomic_uint told, lines;

static void make_masked(void)
{
	struct kl_os *os = kl_os_real();
	os->random(os, masked, LEN);
	for (size_t i = 0; i < LEN; i++)
		masked[i] = (uint8_t)('a' + masked[i] % 26) ^ KIT_MASK;
}

/* By a child, which has the text in its memory. */
static void write_files(void)
{
	pid_t child = fork();
	if (child == 0) {
		char text[LEN + 1] = "";
		for (size_t i = 0; i < LEN; i++)
			text[i] = (char)(masked[i] ^ KIT_MASK);
		FILE *f = fopen(users, "w"), *g = fopen(properties, "w");
		if (f == NULL || g == NULL)
			_exit(1);
		fprintf(f, "alice = %s\n", text);
		fprintf(g,
			"security.protocol=SASL_PLAINTEXT\n"
			"sasl.jaas.config=org.apache.kafka.common.security.scram."
			"ScramLoginModule required username=\"alice\" password=\"%s\";\n"
			"sasl.password=%s\nsasl.username=alice\n"
			"sasl.mine.password=%s\n",
			text, text, text);
		_exit(fclose(f) == 0 && fclose(g) == 0 ? 0 : 1);
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

static unsigned find(bool only_dumped)
{
	return kit_find_secret(&(struct kit_needle){masked, LEN, PART, only_dumped});
}

static void up(void)
{
	char *dir = unit_tmp();
	snprintf(properties, sizeof(properties), "%s/client.properties", dir);
	snprintf(users, sizeof(users), "%s/users", dir);
	free(dir);
	make_masked();
	write_files();
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.sasl = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
		.users = users,
		.reauth_ms = 400,
		.log = hear,
		.log_level = 4 | KLAMM_LOG_TRAFFIC,
	};
	ck_assert_msg(klamm_broker_new(&options, &broker, &err) == 0, "%s", err.text);
}

static struct klamm_conf *conf_for(const char *mechanism)
{
	struct klamm_conf *conf;
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	ck_assert_int_eq(klamm_conf_log(conf, hear, NULL, 4 | KLAMM_LOG_TRAFFIC), 0);
	ck_assert_msg(klamm_conf_load(conf, properties, NULL, NULL, &err) == 0, "%s",
		      err.text);
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
					   "sasl.mine.password"};
	for (size_t i = 0; i < kl_countof(keys); i++)
		ck_assert_str_eq(klamm_conf_get(conf, keys[i]), "[hidden]");
	unsigned entries = 0;
	ck_assert_int_eq(kl_conf_dump(conf, KLAMM_ROLE_PRODUCER, look_at, &entries, &err), 0);
	ck_assert_uint_gt(entries, 50);
}

static const char *const mechanisms[] = {"PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"};

START_TEST(no_dump_log_or_error_has_the_password)
{
	up();
	struct klamm_conf *conf = conf_for(mechanisms[_i]);
	struct klamm_producer *producer;
	ck_assert_msg(klamm_producer_new(conf, NULL, &producer, &err) == 0, "%s", err.text);
	send_for_a_while(producer);
	/* It is here, but not for those who look into a dump. */
	ck_assert_uint_gt(find(false), 0);
	ck_assert_uint_eq(find(true), 0);
	check_dump(conf);
	ck_assert_int_eq(klamm_producer_close(producer, 30000, &err), 0);
	klamm_conf_free(conf);
	klamm_broker_free(broker);
	ck_assert_uint_eq(find(false), 0);
	ck_assert_uint_gt(atomic_load(&lines), 50);
	ck_assert_uint_eq(atomic_load(&told), 0);
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
	ck_assert_uint_eq(find(true), 0);
	klamm_producer_close(producer, 30000, &err);
	klamm_conf_free(conf);
	klamm_broker_free(broker);
	ck_assert_uint_eq(find(false), 0);
	ck_assert_uint_eq(atomic_load(&told), 0);
}
END_TEST

UNIT_SUITE(canary)
{
	Suite *s = suite_create("canary");
	unit_add_loop(s, no_dump_log_or_error_has_the_password, (int)kl_countof(mechanisms));
	unit_add_loop(s, no_refusal_has_the_password, (int)kl_countof(mechanisms));
	return s;
}
