/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of SASL. The mechanisms are plugins; the reader column names them. */
#include "core/conf/table.h"

#define AT(member) offsetof(struct kl_settings, member)

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "sasl.mechanism", .type = KLAMM_OPTION_STRING,
			   .offset = AT(sasl_mechanism), .def = "GSSAPI",
			   .aliases = "sasl.mechanisms",
			   .doc = "How this client proves who it is: PLAIN, "
				  "SCRAM-SHA-256, SCRAM-SHA-512, GSSAPI, OAUTHBEARER, "
				  "AWS_MSK_IAM."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "sasl.jaas.config", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .doc = "Java's line of login module and options; user name "
				  "and password are taken from it where their own keys "
				  "are not set."},
		.roles = KLAMM_ROLE_ANY, .check = kl_check_jaas,
	},
	{
		.option = {.name = "sasl.username", .type = KLAMM_OPTION_STRING,
			   .aliases = "sasl_plain_username",
			   .doc = "The user name for PLAIN and SCRAM; with "
				  "sasl.scram.tokenauth the id of a delegation token."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_plain sasl_scram_sha_256 sasl_scram_sha_512",
	},
	{
		.option = {.name = "sasl.password", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET, .aliases = "sasl_plain_password",
			   .doc = "The password for PLAIN and SCRAM; with "
				  "sasl.scram.tokenauth the HMAC of a delegation "
				  "token, as Kafka gives it out."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_plain sasl_scram_sha_256 sasl_scram_sha_512",
	},
	{
		.option = {.name = "sasl.scram.tokenauth", .type = KLAMM_OPTION_BOOL,
			   .def = "false",
			   .doc = "User name and password are those of a delegation "
				  "token (KIP-48)."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_scram_sha_256 sasl_scram_sha_512",
	},
	{
		.option = {.name = "sasl.scram.saslprep", .type = KLAMM_OPTION_BOOL,
			   .def = "false",
			   .doc = "Prepare user name and password as RFC 4013 says. "
				  "Kafka's own brokers do not, so with them this is "
				  "wrong for all but ASCII."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_scram_sha_256 sasl_scram_sha_512",
	},
	{
		.option = {.name = "sasl.client.callback.handler.class",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "A Java class that answers a SASL mechanism's "
				  "questions; of Amazon's klamm does what they do."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
		.also = "software.amazon.msk.auth.iam.IAMClientCallbackHandler "
			"software.amazon.msk.auth.iam."
			"IAMOAuthBearerLoginCallbackHandler",
	},
	{
		.option = {.name = "sasl.login.callback.handler.class",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "A Java class that fetches credentials; of Kafka's and "
				  "Amazon's klamm does what they do."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
		.also = "org.apache.kafka.common.security.oauthbearer."
			"OAuthBearerLoginCallbackHandler "
			"org.apache.kafka.common.security.oauthbearer.secured."
			"OAuthBearerLoginCallbackHandler "
			"software.amazon.msk.auth.iam."
			"IAMOAuthBearerLoginCallbackHandler",
	},
	{
		.option = {.name = "sasl.login.class", .type = KLAMM_OPTION_STRING,
			   .doc = "A Java class that keeps a login fresh."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "sasl.login.connect.timeout.ms",
			   .type = KLAMM_OPTION_INT, .range = "0..",
			   .doc = "How long connecting to the token server may take."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms", .example = "10000",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.login.read.timeout.ms", .type = KLAMM_OPTION_INT,
			   .range = "0..",
			   .doc = "How long the token server's answer may take."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms", .example = "10000",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.login.retry.backoff.ms",
			   .type = KLAMM_OPTION_LONG, .def = "100", .range = "0..",
			   .doc = "The pause before the token server is asked again; it "
				  "doubles each time."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.login.retry.backoff.max.ms",
			   .type = KLAMM_OPTION_LONG, .def = "10000", .range = "0..",
			   .doc = "How long one attempt to get a token goes on so."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.login.refresh.window.factor",
			   .type = KLAMM_OPTION_DOUBLE, .def = "0.8", .range = "0.5..1.0",
			   .doc = "The part of a token's life after which a new one is "
				  "fetched."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.login.refresh.window.jitter",
			   .type = KLAMM_OPTION_DOUBLE, .def = "0.05",
			   .range = "0.0..0.25",
			   .doc = "How much chance is added to that moment."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.login.refresh.min.period.seconds",
			   .type = KLAMM_OPTION_INT, .def = "60", .range = "0..900",
			   .doc = "The shortest time between two fetches of a token."},
		.roles = KLAMM_ROLE_ANY, .unit = "seconds",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.login.refresh.buffer.seconds",
			   .type = KLAMM_OPTION_INT, .def = "300", .range = "0..3600",
			   .doc = "How long before its end a token is replaced at the "
				  "latest."},
		.roles = KLAMM_ROLE_ANY, .unit = "seconds",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.kerberos.service.name",
			   .type = KLAMM_OPTION_STRING,
			   .aliases = "sasl_kerberos_service_name",
			   .doc = "The first part of the brokers' Kerberos principal; "
				  "kafka when it is not set."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.name", .type = KLAMM_OPTION_STRING,
			   .aliases = "sasl_kerberos_name",
			   .doc = "The brokers' whole principal, kafka/HOST@REALM, or "
				  "kafka@HOST as kafka-python has it; for a cluster "
				  "whose brokers share one."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.domain.name",
			   .type = KLAMM_OPTION_STRING,
			   .aliases = "sasl_kerberos_domain_name",
			   .doc = "The host part of the brokers' principal, when it is "
				  "not the name they were reached by."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.principal", .type = KLAMM_OPTION_STRING,
			   .doc = "This client's own principal; the first one in the "
				  "keytab, or that of the cache, when it is not set."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.keytab", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_PATH,
			   .doc = "The file with the keys of that principal; its tickets "
				  "are kept in memory. Not set: the user's own tickets "
				  "are used."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.ccache", .type = KLAMM_OPTION_STRING,
			   .doc = "The cache with the user's tickets (FILE:/path, "
				  "KEYRING:..., KCM:); not set: the default one."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.kinit.cmd", .type = KLAMM_OPTION_STRING,
			   .def = "/usr/bin/kinit",
			   .doc = "The command that Java runs for a ticket; klamm asks "
				  "Kerberos itself."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "sasl.kerberos.ticket.renew.window.factor",
			   .type = KLAMM_OPTION_DOUBLE, .def = "0.8",
			   .doc = "The part of a ticket's life after which it is "
				  "renewed."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.ticket.renew.jitter",
			   .type = KLAMM_OPTION_DOUBLE, .def = "0.05",
			   .doc = "How much chance is added to that moment."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_gssapi",
	},
	{
		.option = {.name = "sasl.kerberos.min.time.before.relogin",
			   .type = KLAMM_OPTION_LONG, .def = "60000", .range = "0..",
			   .doc = "The shortest time between two logins while there is "
				  "a ticket."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
		.reader = "sasl_gssapi",
	},
};

const struct kl_conf_rows kl_conf_sasl_rows = {rows, kl_countof(rows), "SASL"};
