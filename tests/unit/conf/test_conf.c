/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/conf/conf.h"

#include <stdio.h>

#include "core/base/base.h"
#include "core/conf/table.h"
#include "core/plugin.h"
#include "tests/unit/conf/fixture.h"

static void set(const char *key, const char *value)
{
	ck_assert_msg(klamm_conf_set(conf, key, value, &err) == 0, "%s", err.text);
}

START_TEST(keeps_values_and_knows_defaults)
{
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "5");
	ck_assert(!kl_conf_is_set(conf, "linger.ms"));
	set("linger.ms", " 10\t");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "10");
	ck_assert(kl_conf_is_set(conf, "linger.ms"));
	set("linger.ms", "20");
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "20");
	ck_assert_ptr_null(klamm_conf_get(conf, "bootstrap.servers"));
	ck_assert_ptr_null(klamm_conf_get(conf, "no.such.key"));
}
END_TEST

static const struct {
	const char *key, *value, *name, *stored;
} spellings[] = {
	/* kafka-python */
	{"bootstrap_servers", "a:1, b:2", "bootstrap.servers", "a:1,b:2"},
	{"max_in_flight_requests_per_connection", "1",
	 "max.in.flight.requests.per.connection", "1"},
	{"partitioner", "RoundRobinPartitioner", "partitioner.class", "roundrobin"},
	{"auto_offset_reset", "smallest", "auto.offset.reset", "smallest"},
	{"receive_message_max_bytes", "2000", "klamm.receive.message.max", "2000"},
	/* librdkafka */
	{"metadata.broker.list", "a", "bootstrap.servers", "a"},
	{"queue.buffering.max.ms", "7", "linger.ms", "7"},
	{"message.timeout.ms", "70000", "delivery.timeout.ms", "70000"},
	{"request.required.acks", "-1", "acks", "-1"},
	{"partitioner", "murmur2_random", "partitioner.class", "murmur2"},
	/* Java's classes */
	{"key.serializer", "org.apache.kafka.common.serialization.StringSerializer",
	 "key.serializer", "string"},
	{"value.deserializer",
	 "org.apache.kafka.common.serialization.ByteArrayDeserializer",
	 "value.deserializer", "bytes"},
	{"key.serializer", "org.apache.kafka.common.serialization.UUIDSerializer",
	 "key.serializer", "uuid"},
	{"key.deserializer", "org.apache.kafka.common.serialization.LongDeserializer",
	 "key.deserializer", "int64"},
	{"value.deserializer", "ShortDeserializer", "value.deserializer", "int16"},
	{"value.serializer.encoding", "latin1", "value.serializer.encoding", "ISO-8859-1"},
	{"deserializer.encoding", "utf16", "deserializer.encoding", "UTF-16"},
	{"partition.assignment.strategy",
	 "org.apache.kafka.clients.consumer.RangeAssignor , "
	 "org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
	 "partition.assignment.strategy", "range,cooperative_sticky"},
	{"metric.reporters", "org.apache.kafka.common.metrics.JmxReporter",
	 "metric.reporters", ""},
	/* words as the table writes them, lists without repetitions */
	{"acks", "ALL", "acks", "all"},
	{"security.protocol", "plaintext", "security.protocol", "PLAINTEXT"},
	{"isolation.level", "READ_UNCOMMITTED", "isolation.level", "read_uncommitted"},
	{"bootstrap.servers", "a,b , a,c,b", "bootstrap.servers", "a,b,c"},
	{"value.serializer", "my-own_1", "value.serializer", "my_own_1"},
	{"auto.offset.reset", "by_duration:P1DT2H", "auto.offset.reset",
	 "by_duration:P1DT2H"},
};

START_TEST(understands_other_spellings)
{
	set(spellings[_i].key, spellings[_i].value);
	const char *stored = spellings[_i].stored;
	if (strcmp(stored, "smallest") == 0)
		stored = "earliest";
	ck_assert_str_eq(klamm_conf_get(conf, spellings[_i].name), stored);
	ck_assert_str_eq(klamm_conf_get(conf, spellings[_i].key), stored);
}
END_TEST

static const struct {
	const char *key, *value, *text;
} refusals[] = {
	{"linger.ms", "-3", "linger.ms = -3: must be 0..9223372036854775807"},
	{"batch.size", "64KiB", "batch.size = 64KiB: must be 0..2147483647"},
	{"batch_size", "", "batch_size = : must be 0..2147483647"},
	{"acks", "2", "acks = 2: must be all, -1, 0 or 1"},
	{"check.crcs", "on", "check.crcs = on: must be true or false"},
	{"compression.gzip.level", "0",
	 "compression.gzip.level = 0: must be -1 or 1..9"},
	{"compression.type", "Zstd!",
	 "compression.type = Zstd!: no plugin stands for this class; `klamm plugin "
	 "list` has the "
	 "names of plugins"},
	{"compression.type", "z std",
	 "compression.type = z std: must be the name of a plugin: a-z, 0-9 and _"},
	{"compression.type", "",
	 "compression.type = : must be the name of a plugin: a-z, 0-9 and _"},
	{"value.serializer", "com.example.MySerializer",
	 "value.serializer = com.example.MySerializer: no plugin stands for this "
	 "class; "
	 "`klamm plugin list` has the names of plugins"},
	{"bootstrap.servers", "a:1,b:0",
	 "bootstrap.servers = a:1,b:0: \"b:0\" is not host:port with a port of "
	 "1..65535"},
	{"bootstrap.servers", "[::1",
	 "bootstrap.servers = [::1: \"[::1\" is not host:port with a port of 1..65535"},
	{"bootstrap.servers", "",
	 "bootstrap.servers = : must name at least one host:port"},
	{"bootstrap.servers", "a,,b", "bootstrap.servers = a,,b: has an empty element"},
	{"auto.offset.reset", "by_duration:5m",
	 "auto.offset.reset = by_duration:5m: must be latest, earliest, none or "
	 "by_duration:PnDTnHnMn.nS"},
	{"lingr.ms", "5", "lingr.ms: no such key; did you mean linger.ms?"},
	{"bootstrap_server", "a",
	 "bootstrap_server: no such key; did you mean bootstrap.servers?"},
	{"ilnger.ms", "5", "ilnger.ms: no such key; did you mean linger.ms?"},
	{"ssl_cafil", "5", "ssl_cafil: no such key; did you mean ssl_cafile?"},
	{"zzzzzzzzzzzzzzzzzzzzz", "5", "zzzzzzzzzzzzzzzzzzzzz: no such key"},
	{"", "5", ": no such key"},
	{"sasl.kerberos.sevice.nam", "x",
	 "sasl.kerberos.sevice.nam: no such key; did you mean "
	 "sasl.kerberos.service.name?"},
	{"interceptor_classes", "a.B",
	 "interceptor_classes = a.B: no Java class can run here; the calls that send and "
	 "read records are the place to see them all"},
	{"security.protocol", "tls",
	 "security.protocol = tls: must be PLAINTEXT, SSL, SASL_PLAINTEXT or "
	 "SASL_SSL"},
	{"sasl.jaas.config", "hunter2",
	 "sasl.jaas.config = [hidden]: must have required, requisite, sufficient or "
	 "optional behind the login module, before character 8"},
	{"ssl.endpoint.identification.algorithm", "ldap",
	 "ssl.endpoint.identification.algorithm = ldap: must be https, or empty for no "
	 "check"},
};

START_TEST(refuses_in_one_sentence)
{
	int rc = klamm_conf_set(conf, refusals[_i].key, refusals[_i].value, &err);
	ck_assert_int_eq(rc, KLAMM_ERR_CONFIG);
	ck_assert_int_eq(err.stage, KLAMM_STAGE_CONFIG);
	ck_assert_str_eq(err.text, refusals[_i].text);
	ck_assert(!kl_conf_is_set(conf, refusals[_i].key));
}
END_TEST

START_TEST(takes_key_value_words)
{
	ck_assert_int_eq(klamm_conf_set_pair(conf, "linger.ms=7", &err), 0);
	ck_assert_int_eq(klamm_conf_set_pair(conf, " client.id = a=b ", &err), 0);
	ck_assert_str_eq(klamm_conf_get(conf, "linger.ms"), "7");
	ck_assert_str_eq(klamm_conf_get(conf, "client.id"), "a=b");
	ck_assert_int_eq(klamm_conf_set_pair(conf, "linger.ms", &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(err.text, "linger.ms: must be key=value");
	ck_assert_int_eq(klamm_conf_set_pair(conf, "=5", &err), KLAMM_ERR_CONFIG);
	ck_assert_int_eq(klamm_conf_set_pair(conf, NULL, &err), KLAMM_ERR_CONFIG);
	ck_assert_int_eq(klamm_conf_set(conf, NULL, "x", NULL),
			 KLAMM_ERR_INVALID_ARGUMENT);
}
END_TEST

static char logged[256];

static void log_line(void *arg, int32_t level, const char *where, const char *text)
{
	snprintf(logged, sizeof(logged), "%d %s %s", level, where, text);
}

START_TEST(notes_keys_without_effect)
{
	ck_assert_int_eq(klamm_conf_log(conf, log_line, NULL, 4), 0);
	set("ssl.provider", "BC");
	ck_assert_str_eq(logged,
			 "1 conf ssl.provider: only means something to a JVM; ignored");
	set("selector", "epoll");
	ck_assert_str_eq(logged, "1 conf selector: belongs to kafka-python; ignored");
	set("config.providers.env.class", "org.example.Env");
	ck_assert_str_eq(logged,
			 "1 conf config.providers.env.class: only means something to a "
			 "JVM; ignored");
	logged[0] = '\0';
	set("linger.ms", "1");
	ck_assert_str_eq(logged, "");
	ck_assert_int_eq(klamm_conf_log(conf, log_line, NULL, 5),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(kl_conf_log(conf)->level, 4);
}
END_TEST

static void count_key(void *arg, const char *key, const char *value)
{
	++*(int *)arg;
}

START_TEST(keeps_plugins_own_keys)
{
	set("serializer.avro.registry", "http://x");
	set("value.serializer.avro.registry", "http://y");
	set("serializer.avro.registry_password", "hunter2");
	ck_assert_str_eq(kl_conf_lookup(conf, "serializer.avro.registry"), "http://x");
	ck_assert_str_eq(klamm_conf_get(conf, "value.serializer.avro.registry"),
			 "http://y");
	ck_assert_str_eq(klamm_conf_get(conf, "serializer.avro.registry_password"),
			 "[hidden]");
	ck_assert_str_eq(kl_conf_lookup(conf, "serializer.avro.registry_password"),
			 "hunter2");
	int n = 0;
	kl_conf_plugin_keys(conf, "serializer.avro.", count_key, &n);
	ck_assert_int_eq(n, 2);
	/* Not so near to a key that it must be a slip, and not without all three parts.
	 */
	ck_assert_int_eq(klamm_conf_set(conf, "serializer.avro", "x", &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_int_eq(klamm_conf_set(conf, "codec..x", "x", &err), KLAMM_ERR_CONFIG);
	ck_assert_int_eq(klamm_conf_set(conf, "metrics.num.sample", "2", &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_str_eq(
		err.text,
		"metrics.num.sample: no such key; did you mean metrics.num.samples?");
}
END_TEST

static int32_t pick(void *self, const struct klamm_pick *in)
{
	return KLAMM_PARTITION_ANY;
}

static const struct klamm_partitioner_plugin bare_partitioner = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "bare", "one")}, .pick = pick};
static const struct klamm_partitioner_plugin other_partitioner = {
	.head = {KLAMM_PLUGIN_HEAD(partitioner, "other", "two")}, .pick = pick};

/* As they stand in Java's files: to say that they are ignored would be wrong. */
START_TEST(does_what_some_of_javas_classes_do)
{
	static const char *const pairs[][2] = {
		{"sasl.login.callback.handler.class",
		 "org.apache.kafka.common.security.oauthbearer."
		 "OAuthBearerLoginCallbackHandler"},
		{"sasl.login.callback.handler.class",
		 "org.apache.kafka.common.security.oauthbearer.secured."
		 "OAuthBearerLoginCallbackHandler"},
		{"sasl.login.callback.handler.class",
		 "software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler"},
		{"sasl.client.callback.handler.class",
		 "software.amazon.msk.auth.iam.IAMClientCallbackHandler"},
		{"sasl.client.callback.handler.class",
		 "software.amazon.msk.auth.iam.IAMOAuthBearerLoginCallbackHandler"},
	};
	ck_assert_int_eq(klamm_conf_log(conf, log_line, NULL, 4), 0);
	logged[0] = '\0';
	for (size_t i = 0; i < kl_countof(pairs); i++) {
		set(pairs[i][0], pairs[i][1]);
		ck_assert_str_eq(logged, "");
	}
	set("sasl.login.callback.handler.class", "org.example.Handler");
	ck_assert_str_eq(logged, "1 conf sasl.login.callback.handler.class: only means "
				 "something to a JVM; ignored");
}
END_TEST

START_TEST(copies_are_independent)
{
	static const char user[] = "user";
	const struct klamm_plugin_head *first = &bare_partitioner.head;
	const struct klamm_plugin_head *second = &other_partitioner.head;
	set("linger.ms", "1");
	set("codec.mine.level", "9");
	ck_assert_int_eq(klamm_conf_plugin(conf, KLAMM_KIND_PARTITIONER, first,
					   NULL, &err),
			 0);
	ck_assert_int_eq(
		klamm_conf_plugin(conf, KLAMM_KIND_PARTITIONER, second, (void *)user,
				  &err),
		0);
	klamm_conf_log(conf, log_line, NULL, 2);

	struct klamm_conf *copy;
	ck_assert_int_eq(klamm_conf_copy(conf, &copy, &err), 0);
	set("linger.ms", "2");
	set("codec.mine.level", "1");
	ck_assert_str_eq(klamm_conf_get(copy, "linger.ms"), "1");
	ck_assert_str_eq(klamm_conf_get(copy, "codec.mine.level"), "9");
	ck_assert_int_eq(kl_conf_log(copy)->level, 2);
	const struct kl_conf_plugin *p = kl_conf_plugins(copy);
	ck_assert_ptr_eq(p->descriptor, second);
	ck_assert_ptr_eq(p->user, user);
	ck_assert_int_eq(p->kind, KLAMM_KIND_PARTITIONER);
	ck_assert_ptr_eq(p->next->descriptor, first);
	ck_assert_ptr_null(p->next->next);
	klamm_conf_free(copy);
	klamm_conf_free(NULL);
}
END_TEST

/* Java's classes, kafka-python's, and the names in JoinGroup. */
START_TEST(assignors_have_other_names)
{
	static const char *const names[][2] = {
		{"org.apache.kafka.clients.consumer.RangeAssignor", "range"},
		{"org.apache.kafka.clients.consumer.RoundRobinAssignor", "roundrobin"},
		{"org.apache.kafka.clients.consumer.StickyAssignor", "sticky"},
		{"org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
		 "cooperative_sticky"},
		{"RangePartitionAssignor", "range"},
		{"RoundRobinPartitionAssignor", "roundrobin"},
		{"StickyPartitionAssignor", "sticky"},
		{"cooperative-sticky", "cooperative_sticky"},
	};
	for (size_t i = 0; i < kl_countof(names); i++) {
		struct kl_buf name = {0}, why = {0};
		ck_assert(kl_plugin_name(KLAMM_KIND_ASSIGNOR, names[i][0],
					 strlen(names[i][0]), &name, &why));
		ck_assert_str_eq(kl_buf_text(&name), names[i][1]);
		kl_buf_free(&name);
		kl_buf_free(&why);
	}
}
END_TEST

START_TEST(refuses_odd_plugins)
{
	const struct klamm_plugin_head *head = (const void *)"x";
	ck_assert_int_eq(klamm_conf_plugin(conf, 0, head, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_conf_plugin(conf, 7, head, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_conf_plugin(conf, KLAMM_KIND_CODEC, NULL, NULL, &err),
			 KLAMM_ERR_INVALID_ARGUMENT);
	ck_assert_int_eq(klamm_conf_plugin(conf, KLAMM_KIND_CODEC,
					   &bare_partitioner.head, NULL, &err),
			 KLAMM_ERR_PLUGIN);
	ck_assert_str_eq(err.text, "plugin given by the application is of the kind "
				   "partitioner, not codec");
	ck_assert_ptr_null(kl_conf_plugins(conf));
}
END_TEST

UNIT_SUITE(conf)
{
	Suite *s = suite_create("conf");
	unit_add_fixture(s, keeps_values_and_knows_defaults, conf_up, conf_down);
	unit_add_case(s, "understands_other_spellings", understands_other_spellings,
		      conf_up, conf_down, (int)kl_countof(spellings));
	unit_add_case(s, "refuses_in_one_sentence", refuses_in_one_sentence, conf_up,
		      conf_down, (int)kl_countof(refusals));
	unit_add_fixture(s, takes_key_value_words, conf_up, conf_down);
	unit_add_fixture(s, notes_keys_without_effect, conf_up, conf_down);
	unit_add_fixture(s, keeps_plugins_own_keys, conf_up, conf_down);
	unit_add_fixture(s, does_what_some_of_javas_classes_do, conf_up, conf_down);
	unit_add_fixture(s, copies_are_independent, conf_up, conf_down);
	unit_add(s, assignors_have_other_names);
	unit_add_fixture(s, refuses_odd_plugins, conf_up, conf_down);
	return s;
}
