/* SPDX-License-Identifier: BSD-2-Clause */
/* Typed values per role, and the rules between keys. */
#include "core/base/base.h"
#include "core/conf/conf.h"
#include "tests/unit/conf/fixture.h"

static void set(const char *pair)
{
	ck_assert_msg(klamm_conf_set_pair(conf, pair, &err) == 0, "%s", err.text);
}

static const struct kl_settings *get(int32_t role)
{
	const struct kl_settings *s = NULL;
	ck_assert_msg(kl_conf_settings(conf, role, &s, &err) == 0, "%s", err.text);
	ck_assert_int_eq(s->role, role);
	return s;
}

START_TEST(has_javas_defaults_per_role)
{
	set("bootstrap.servers=a");
	const struct kl_settings *p = get(KLAMM_ROLE_PRODUCER);
	const struct kl_settings *c = get(KLAMM_ROLE_CONSUMER);
	const struct kl_settings *a = get(KLAMM_ROLE_ADMIN);
	ck_assert_int_eq(p->receive_buffer_bytes, 32768);
	ck_assert_int_eq(c->receive_buffer_bytes, 65536);
	ck_assert_int_eq(a->receive_buffer_bytes, 65536);
	ck_assert_int_eq(p->connections_max_idle_ms, 540000);
	ck_assert_int_eq(a->connections_max_idle_ms, 300000);
	ck_assert_int_eq(p->acks, KL_ACKS_ALL);
	ck_assert_int_eq(p->linger_ms, 5);
	ck_assert_int_eq(p->batch_size, 16384);
	ck_assert_int_eq(p->retries, INT32_MAX);
	ck_assert_int_eq(p->delivery_timeout_ms, 120000);
	ck_assert_str_eq(p->compression_type, "none");
	ck_assert_str_eq(p->partitioner_class, "murmur2");
	ck_assert_str_eq(p->client_id, "");
	ck_assert_str_eq(p->codec_zstd, "zstd");
	ck_assert(p->partitioner_adaptive_partitioning_enable);
	ck_assert_ptr_null(p->key_serializer);
	ck_assert_ptr_null(p->key_deserializer);
	ck_assert_int_eq(p->metadata_recovery_strategy, KL_RECOVERY_REBOOTSTRAP);
	ck_assert_uint_eq(p->plugin_path.n, 1);
	ck_assert_int_eq(c->auto_offset_reset, KL_RESET_LATEST);
	ck_assert_int_eq(c->fetch_max_bytes, 52428800);
	ck_assert_int_eq(c->isolation_level, KL_READ_UNCOMMITTED);
	ck_assert(c->check_crcs);
	ck_assert_int_eq(c->batch_size, 0); /* not a consumer's key */
	ck_assert_uint_eq(c->partition_assignment_strategy.n, 2);
	ck_assert_str_eq(c->partition_assignment_strategy.v[1], "cooperative_sticky");
	ck_assert_ptr_eq(get(KLAMM_ROLE_PRODUCER), p);
}
END_TEST

START_TEST(takes_set_values_and_sees_changes)
{
	set("bootstrap.servers=a");
	set("acks=1");
	ck_assert_int_eq(get(KLAMM_ROLE_PRODUCER)->acks, KL_ACKS_LEADER);
	set("acks=0");
	set("linger.ms=3000000000");
	set("delivery.timeout.ms=2147483647");
	set("linger.ms=100");
	set("value.serializer=json");
	const struct kl_settings *p = get(KLAMM_ROLE_PRODUCER);
	ck_assert_int_eq(p->acks, KL_ACKS_NONE);
	ck_assert_int_eq(p->linger_ms, 100);
	ck_assert_str_eq(p->value_serializer, "json");
	set("acks=-1");
	ck_assert_int_eq(get(KLAMM_ROLE_PRODUCER)->acks, KL_ACKS_ALL);
}
END_TEST

static const struct {
	const char *text, *host;
	uint16_t port;
} hosts[] = {
	{"127.0.0.1:1234", "127.0.0.1", 1234},
	{"127.0.0.1", "127.0.0.1", 9092},
	{"[localhost]:1234", "localhost", 1234},
	{"[2001:db8::1]:1", "2001:db8::1", 1},
	{"[2001:db8::1]", "2001:db8::1", 9092},
	{"2001::1", "2001::1", 9092},
	{"SASL_SSL://foo.bar:1234", "foo.bar", 1234},
	{"PLAINTEXT://[::1]:65535", "::1", 65535},
	{"fe80::1%eth0", "fe80::1%eth0", 9092},
};

START_TEST(takes_hosts_apart)
{
	ck_assert_int_eq(
		klamm_conf_set(conf, "bootstrap.servers", hosts[_i].text, &err), 0);
	const struct kl_settings *s = get(KLAMM_ROLE_CONSUMER);
	ck_assert_uint_eq(s->bootstrap_servers.n, 1);
	ck_assert_str_eq(s->bootstrap_servers.v[0].host, hosts[_i].host);
	ck_assert_int_eq(s->bootstrap_servers.v[0].port, hosts[_i].port);
}
END_TEST

static const char *const bad_hosts[] = {
	":9092",  "a:",	  "a:0", "a:65536", "a:x",   "a:-1",
	"[::1]x", "[]:1", "[a",	 "a b",	    "a/b:1", "a@b",
};

START_TEST(refuses_bad_hosts)
{
	ck_assert_int_eq(klamm_conf_set(conf, "bootstrap.servers", bad_hosts[_i], &err),
			 KLAMM_ERR_CONFIG);
}
END_TEST

static const struct {
	const char *text;
	int64_t ms; /* -1: refused */
} durations[] = {
	{"PT0S", 0},
	{"PT1.5S", 1500},
	{"P1D", 86400000},
	{"PT2H3M", 7380000},
	{"P1DT1S", 86401000},
	{"PT0.001S", 1},
	{"P", -1},
	{"PT", -1},
	{"P1DT", -1},
	{"1D", -1},
	{"PT1D", -1},
	{"P1H", -1},
	{"PT1M2H", -1},
	{"PT1.5H", -1},
	{"PT-1S", -1},
	{"PT1Sx", -1},
	{"", -1},
	{"P999999999D", -1},
};

START_TEST(reads_durations)
{
	KL_AUTO(kl_buf_free) struct kl_buf text = {0};
	kl_buf_printf(&text, "by_duration:%s", durations[_i].text);
	set("bootstrap.servers=a");
	int rc = klamm_conf_set(conf, "auto.offset.reset", kl_buf_text(&text), &err);
	if (durations[_i].ms < 0) {
		ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
		return;
	}
	ck_assert_msg(rc == 0, "%s", err.text);
	const struct kl_settings *s = get(KLAMM_ROLE_CONSUMER);
	ck_assert_int_eq(s->auto_offset_reset, KL_RESET_BY_DURATION);
	ck_assert_int_eq(s->auto_offset_reset_ms, durations[_i].ms);
}
END_TEST

START_TEST(some_values_follow_others)
{
	set("bootstrap.servers=a");
	set("linger.ms=100000");
	set("request.timeout.ms=50000");
	ck_assert_int_eq(get(KLAMM_ROLE_PRODUCER)->delivery_timeout_ms, 150000);
	set("request.timeout.ms=70000");
	ck_assert_int_eq(get(KLAMM_ROLE_ADMIN)->default_api_timeout_ms, 70000);
	ck_assert_int_eq(get(KLAMM_ROLE_CONSUMER)->klamm_receive_message_max,
			 100000000);
	set("fetch.max.bytes=200000000");
	ck_assert_int_eq(get(KLAMM_ROLE_CONSUMER)->klamm_receive_message_max,
			 200000000 + 1048576 + 512 * 1024);
	ck_assert_int_eq(get(KLAMM_ROLE_PRODUCER)->klamm_receive_message_max,
			 100000000);
}
END_TEST

static const struct {
	const char *pairs[4];
	int32_t role;
	const char *text;
} broken[] = {
	{{NULL},
	 KLAMM_ROLE_PRODUCER,
	 "bootstrap.servers: must be set; it names the brokers to ask first"},
	{{NULL},
	 KLAMM_ROLE_ANY,
	 "bootstrap.servers: must be set; it names the brokers to ask first"},
	{{"bootstrap.servers=a", "delivery.timeout.ms=1000"},
	 KLAMM_ROLE_PRODUCER,
	 "delivery.timeout.ms = 1000: must be at least linger.ms + request.timeout.ms "
	 "(5 + 30000)"},
	{{"bootstrap.servers=a", "delivery.timeout.ms=1000"},
	 KLAMM_ROLE_CONSUMER,
	 NULL},
	{{"bootstrap.servers=a", "linger.ms=9223372036854775807"},
	 KLAMM_ROLE_PRODUCER,
	 "delivery.timeout.ms = 2147483647: must be at least linger.ms + "
	 "request.timeout.ms "
	 "(9223372036854775807 + 30000)"},
	{{"bootstrap.servers=a", "buffer.memory=1000"},
	 KLAMM_ROLE_PRODUCER,
	 "batch.size = 16384: must not be above buffer.memory (1000)"},
	{{"bootstrap.servers=a", "enable.idempotence=true", "acks=1"},
	 KLAMM_ROLE_PRODUCER,
	 "acks = 1: must be all when enable.idempotence is set"},
	{{"bootstrap.servers=a", "enable.idempotence=true", "retries=0"},
	 KLAMM_ROLE_PRODUCER,
	 "retries = 0: must be above 0 when enable.idempotence is set"},
	{{"bootstrap.servers=a", "enable.idempotence=true", "max.in.flight=6"},
	 KLAMM_ROLE_PRODUCER,
	 "max.in.flight.requests.per.connection = 6: must be at most 5 when "
	 "enable.idempotence is set"},
	{{"bootstrap.servers=a", "acks=1", "retries=0"}, KLAMM_ROLE_PRODUCER, NULL},
	{{"bootstrap.servers=a", "enable.idempotence=true", "acks=1"},
	 KLAMM_ROLE_CONSUMER,
	 NULL},
	{{"bootstrap.servers=a", "fetch.max.wait.ms=30001"},
	 KLAMM_ROLE_CONSUMER,
	 "fetch.max.wait.ms = 30001: must not be above request.timeout.ms (30000)"},
	{{"bootstrap.servers=a", "default.api.timeout.ms=1"},
	 KLAMM_ROLE_ADMIN,
	 "request.timeout.ms = 30000: must not be above default.api.timeout.ms (1)"},
	{{"bootstrap.servers=a", "klamm.memory.max=1048576"},
	 KLAMM_ROLE_CONSUMER,
	 "klamm.decompress.max = 134217728: must not be above klamm.memory.max "
	 "(1048576) "
	 "(and 1 more)"},
};

START_TEST(checks_rules_between_keys)
{
	for (size_t i = 0; broken[_i].pairs[i] != NULL; i++)
		set(broken[_i].pairs[i]);
	int rc = klamm_conf_check(conf, broken[_i].role, NULL, NULL, &err);
	if (broken[_i].text == NULL) {
		ck_assert_int_eq(rc, 0);
		return;
	}
	ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, broken[_i].text);
	const struct kl_settings *s = NULL;
	if (broken[_i].role != KLAMM_ROLE_ANY)
		ck_assert_int_eq(kl_conf_settings(conf, broken[_i].role, &s, &err),
				 KLAMM_ERR_CONFIG);
	ck_assert_ptr_null(s);
}
END_TEST

/* KIP-679: what was set on purpose wins over idempotence by default. */
START_TEST(idempotence_gives_way)
{
	static const struct {
		const char *pair;
		bool on;
	} cases[] = {
		{"acks=all", true}, {"acks=1", false}, {"acks=0", false}, {"retries=1", true},
		{"retries=0", false}, {"max.in.flight=5", true}, {"max.in.flight=6", false},
		{"enable.idempotence=false", false}, {"enable.idempotence=true", true},
	};
	set("bootstrap.servers=a");
	set(cases[_i].pair);
	const struct kl_settings *s = get(KLAMM_ROLE_PRODUCER);
	ck_assert_int_eq(s->enable_idempotence, cases[_i].on);
	ck_assert_int_eq(s->enable_idempotence_asked, _i == 8);
}
END_TEST

START_TEST(wants_one_role)
{
	const struct kl_settings *s;
	ck_assert_int_eq(kl_conf_settings(conf, KLAMM_ROLE_ANY, &s, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(kl_conf_settings(conf, 0, &s, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_conf_check(conf, 8, NULL, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

UNIT_SUITE(settings)
{
	Suite *s = suite_create("settings");
	unit_add_fixture(s, has_javas_defaults_per_role, conf_up, conf_down);
	unit_add_fixture(s, takes_set_values_and_sees_changes, conf_up, conf_down);
	unit_add_case(s, "takes_hosts_apart", takes_hosts_apart, conf_up, conf_down,
		      (int)kl_countof(hosts));
	unit_add_case(s, "refuses_bad_hosts", refuses_bad_hosts, conf_up, conf_down,
		      (int)kl_countof(bad_hosts));
	unit_add_case(s, "reads_durations", reads_durations, conf_up, conf_down,
		      (int)kl_countof(durations));
	unit_add_fixture(s, some_values_follow_others, conf_up, conf_down);
	unit_add_case(s, "checks_rules_between_keys", checks_rules_between_keys,
		      conf_up, conf_down, (int)kl_countof(broken));
	unit_add_case(s, "idempotence_gives_way", idempotence_gives_way, conf_up,
		      conf_down, 9);
	unit_add_fixture(s, wants_one_role, conf_up, conf_down);
	return s;
}
