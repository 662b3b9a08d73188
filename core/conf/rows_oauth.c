/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of the SASL mechanism OAUTHBEARER (KIP-768, KIP-1139, KIP-1258), read by its plugin;
 * some are librdkafka's. */
#include "core/conf/table.h"

/* Kafka's own classes; another one would do what klamm cannot know. */
static bool check_retriever(const char *text, struct kl_buf *why)
{
	static const char *const classes[] = {
		"DefaultJwtRetriever", "ClientCredentialsJwtRetriever",
		"JwtBearerJwtRetriever", "FileJwtRetriever"};
	const char *dot = strrchr(text, '.');
	for (size_t i = 0; i < kl_countof(classes); i++)
		if (strcmp(dot != NULL ? dot + 1 : text, classes[i]) == 0)
			return true;
	kl_buf_printf(why,
		      "must be Kafka's DefaultJwtRetriever, "
		      "ClientCredentialsJwtRetriever, JwtBearerJwtRetriever or "
		      "FileJwtRetriever (klamm_conf_token() gives tokens of one's own)");
	return false;
}

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "sasl.oauthbearer.token.endpoint.url",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "Where tokens come from: an https:// or file:// URL."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.scope", .type = KLAMM_OPTION_STRING,
			   .doc = "The scope that a token is asked for."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.client.credentials.client.id",
			   .type = KLAMM_OPTION_STRING,
			   .aliases = "sasl.oauthbearer.client.id",
			   .doc = "The client's name at the token server."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.client.credentials.client.secret",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .aliases = "sasl.oauthbearer.client.secret",
			   .doc = "The client's password at the token server."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.header.urlencode",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether name and password are URL-encoded before "
				  "they go into the header (RFC 6749)."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.algorithm",
			   .type = KLAMM_OPTION_ENUM, .def = "RS256",
			   .range = "RS256|ES256",
			   .doc = "How an assertion is signed that is shown instead of "
				  "a password (RFC 7523)."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.claim.aud",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The audience that the assertion names."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.claim.iss",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The issuer that the assertion names."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.claim.sub",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The subject that the assertion names."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.claim.exp.seconds",
			   .type = KLAMM_OPTION_INT, .def = "300", .range = "0..86400",
			   .doc = "How long an assertion is good for."},
		.roles = KLAMM_ROLE_ANY, .unit = "seconds",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.claim.nbf.seconds",
			   .type = KLAMM_OPTION_INT, .def = "60", .range = "0..3600",
			   .doc = "How far before now an assertion begins to be good."},
		.roles = KLAMM_ROLE_ANY, .unit = "seconds",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.claim.jti.include",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether each assertion gets a number of its own."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.file",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_PATH,
			   .doc = "A file that holds a finished assertion."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.template.file",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_PATH,
			   .aliases = "sasl.oauthbearer.assertion.jwt.template.file",
			   .doc = "A JSON file of further header fields and claims."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.private.key.file",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_PATH,
			   .doc = "The PEM file of the key that signs assertions."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.private.key.passphrase",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .doc = "The password of that key."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.jwt.retriever.class",
			   .type = KLAMM_OPTION_STRING,
			   .def = "org.apache.kafka.common.security.oauthbearer."
				  "DefaultJwtRetriever",
			   .doc = "How tokens are fetched: Kafka's DefaultJwtRetriever (by "
				  "the keys that are set), ClientCredentialsJwtRetriever, "
				  "JwtBearerJwtRetriever or FileJwtRetriever."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer", .check = check_retriever,
	},
	{
		.option = {.name = "sasl.oauthbearer.jwt.validator.class",
			   .type = KLAMM_OPTION_STRING,
			   .def = "org.apache.kafka.common.security.oauthbearer."
				  "DefaultJwtValidator",
			   .doc = "A Java class that checks tokens."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "sasl.oauthbearer.scope.claim.name",
			   .type = KLAMM_OPTION_STRING, .def = "scope",
			   .doc = "The claim of a token that holds its scope."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.sub.claim.name",
			   .type = KLAMM_OPTION_STRING, .def = "sub",
			   .doc = "The claim of a token that holds its subject."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.clock.skew.seconds",
			   .type = KLAMM_OPTION_INT, .def = "30", .range = "0..",
			   .doc = "How far apart two clocks may be when times in a "
				  "token are compared."},
		.roles = KLAMM_ROLE_ANY, .unit = "seconds",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.expected.audience",
			   .type = KLAMM_OPTION_LIST, .def = "",
			   .doc = "Audiences of which a token must name one."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.expected.issuer",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The issuer that a token must come from."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.allow.unverified.audience",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether a token's audience goes unchecked."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.allow.unverified.issuer",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether a token's issuer goes unchecked."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.jwks.endpoint.url",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "Where the keys come from that tokens are signed with."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.jwks.endpoint.refresh.ms",
			   .type = KLAMM_OPTION_LONG, .def = "3600000", .range = "1..",
			   .doc = "How often those keys are fetched again."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.jwks.endpoint.retry.backoff.ms",
			   .type = KLAMM_OPTION_LONG, .def = "100", .range = "0..",
			   .doc = "The pause before they are asked for again after a "
				  "failure; it doubles each time."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms",
			   .type = KLAMM_OPTION_LONG, .def = "10000", .range = "0..",
			   .doc = "The longest such pause."},
		.roles = KLAMM_ROLE_ANY, .unit = "ms",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.assertion.private.key.pem",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .doc = "The key that signs assertions as PEM text, right here."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.extensions",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "SASL extensions that go with a token: "
				  "NAME=VALUE,NAME=VALUE; a backslash before a comma that "
				  "belongs to a value."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer", .example = "logicalCluster=lkc-1",
	},
	{
		.option = {.name = "sasl.oauthbearer.config",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .doc = "What unsecured tokens say: principal=NAME, scope=A,B, "
				  "lifeSeconds=N, principalClaimName, scopeClaimName, "
				  "extension_NAME=VALUE, or the unsecuredLogin... options of "
				  "Java's OAuthBearerLoginModule, separated by blanks."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "enable.sasl.oauthbearer.unsecure.jwt",
			   .type = KLAMM_OPTION_BOOL, .def = "false",
			   .doc = "Whether tokens that nobody has signed are made, for "
				  "tests; of klamm broker, whether they are taken."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.method",
			   .type = KLAMM_OPTION_ENUM, .def = "default",
			   .range = "default|oidc",
			   .doc = "With oidc tokens come from "
				  "sasl.oauthbearer.token.endpoint.url and nowhere else."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.metadata.authentication.type",
			   .type = KLAMM_OPTION_ENUM, .def = "none",
			   .range = "none|aws_iam|azure_imds",
			   .doc = "The cloud whose service gives tokens: aws_iam signs them "
				  "with Amazon's keys, for MSK; azure_imds asks the machine's "
				  "metadata service for those of its managed identity, with "
				  "query=api-version=...&resource=... in "
				  "sasl.oauthbearer.config."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauthbearer.grant.type",
			   .type = KLAMM_OPTION_ENUM, .def = "client_credentials",
			   .range = "client_credentials|"
				    "urn:ietf:params:oauth:grant-type:jwt-bearer",
			   .doc = "What a token server is asked for: a token for a client "
				  "that shows its password, or for an assertion."},
		.roles = KLAMM_ROLE_ANY,
		.words = "jwt_bearer=urn:ietf:params:oauth:grant-type:jwt-bearer",
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.ca.location", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_PATH,
			   .doc = "A file of certificates that a token server's may be "
				  "traced to, instead of the system's: PEM, PKCS#12 or JKS; "
				  "or a folder of them as OpenSSL hashes it. In Java's files "
				  "it is ssl.truststore.location of the login module."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.ca.password", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .doc = "The password of https.ca.location."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.ca.pem", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .doc = "The same certificates as PEM text, right here."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.keystore.location",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_PATH,
			   .doc = "A file with a certificate and its private key, for token "
				  "servers that ask for one: PEM or PKCS#12. In Java's files "
				  "it is ssl.keystore.location of the login module, as are "
				  "the next ones."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.keystore.password",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .doc = "The password of that file."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.keystore.certificate.chain",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .doc = "That certificate and those that signed it as PEM text, "
				  "right here."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.keystore.key", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .doc = "Its private key as PEM text, right here."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.key.password", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .doc = "The password of a private key in PEM."},
		.roles = KLAMM_ROLE_ANY,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "https.proxy.url", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .doc = "A proxy that leads to token servers: "
				  "http://USER:PASSWORD@HOST:PORT, socks5://HOST:PORT (names "
				  "are looked up here) or socks5h://HOST:PORT (the proxy "
				  "does). Without it https_proxy, http_proxy, all_proxy and "
				  "no_proxy of the environment count."},
		.roles = KLAMM_ROLE_ANY, .check = kl_check_proxy,
		.reader = "sasl_oauthbearer",
	},
	{
		.option = {.name = "sasl.oauth.token.provider",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "A Python object that hands out tokens."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
		.instead = "klamm_conf_token() takes a function that does",
	},
};

const struct kl_conf_rows kl_conf_oauth_rows = {rows, kl_countof(rows), "OAUTHBEARER"};
