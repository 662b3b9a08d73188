/* SPDX-License-Identifier: BSD-2-Clause */
/* Keys of TLS: certificates, keys, trust. Java's, and the plain PEM files of others. */
#include "core/conf/table.h"

#define AT(member) offsetof(struct kl_settings, member)

static const struct kl_conf_row rows[] = {
	{
		.option = {.name = "ssl.truststore.type", .type = KLAMM_OPTION_ENUM,
			   .offset = AT(ssl_truststore_type), .def = "JKS",
			   .range = "JKS|PKCS12|PEM",
			   .doc = "The form of ssl.truststore.location. JKS and PKCS12 are "
				  "told apart by what is in the file, as in Java."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.truststore.location", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_PATH,
			   .offset = AT(ssl_truststore_location),
			   .doc = "A file of certificates that brokers' certificates "
				  "may be traced to."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.truststore.password", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .offset = AT(ssl_truststore_password),
			   .doc = "The password of that file."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.truststore.certificates",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .offset = AT(ssl_truststore_certificates),
			   .aliases = "ssl.ca.pem",
			   .doc = "The same certificates as PEM text, right here."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.keystore.type", .type = KLAMM_OPTION_ENUM,
			   .offset = AT(ssl_keystore_type), .def = "JKS",
			   .range = "JKS|PKCS12|PEM",
			   .doc = "The form of ssl.keystore.location. JKS and PKCS12 are "
				  "told apart by what is in the file; a key in a real JKS "
				  "is not read."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.keystore.location", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_PATH,
			   .offset = AT(ssl_keystore_location),
			   .doc = "A file with this client's certificate and its "
				  "private key."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.keystore.password", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET,
			   .offset = AT(ssl_keystore_password),
			   .doc = "The password of that file."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.keystore.key", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET, .offset = AT(ssl_keystore_key),
			   .aliases = "ssl.key.pem",
			   .doc = "The private key as PEM text (PKCS#8), right here."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.keystore.certificate.chain",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
			   .offset = AT(ssl_keystore_certificate_chain),
			   .aliases = "ssl.certificate.pem",
			   .doc = "This client's certificate and those that signed it, "
				  "as PEM text."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.key.password", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_SECRET, .offset = AT(ssl_key_password),
			   .aliases = "ssl_password",
			   .doc = "The password of the private key."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.ca.location", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_PATH, .offset = AT(ssl_ca_location),
			   .aliases = "ssl_cafile",
			   .doc = "A PEM file of certificates that brokers' "
				  "certificates may be traced to, or a folder of them as "
				  "OpenSSL hashes it. Without this and the like, what the "
				  "machine trusts."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.certificate.location",
			   .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_PATH,
			   .offset = AT(ssl_certificate_location),
			   .aliases = "ssl_certfile",
			   .doc = "A PEM file with this client's certificate and those "
				  "that signed it."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.key.location", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_PATH, .offset = AT(ssl_key_location),
			   .aliases = "ssl_keyfile",
			   .doc = "A PEM file with this client's private key, which may also "
				  "stand in that of the certificate."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.crl.location", .type = KLAMM_OPTION_STRING,
			   .flags = KLAMM_OPTION_PATH, .offset = AT(ssl_crl_location),
			   .aliases = "ssl_crlfile",
			   .doc = "A PEM file of lists of revoked certificates; the issuer of "
				  "the broker's certificate must have one there."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.check.hostname", .type = KLAMM_OPTION_BOOL,
			   .offset = AT(ssl_check_hostname), .def = "true",
			   .doc = "Whether a broker's certificate must carry its name, as "
				  "kafka-python says it."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.endpoint.identification.algorithm",
			   .type = KLAMM_OPTION_STRING,
			   .offset = AT(ssl_endpoint_identification_algorithm),
			   .def = "https",
			   .doc = "Whether a broker's certificate must carry the name "
				  "or address it was reached by: \"https\", or empty for no "
				  "check."},
		.roles = KLAMM_ROLE_ANY, .words = "none= HTTPS=https",
		.check = kl_check_identification,
	},
	{
		.option = {.name = "enable.ssl.certificate.verification",
			   .type = KLAMM_OPTION_BOOL,
			   .offset = AT(enable_ssl_certificate_verification),
			   .def = "true",
			   .doc = "Whether a broker's certificate is checked at all, as "
				  "librdkafka says it. Without that anybody may pose as the "
				  "broker."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.cipher.suites", .type = KLAMM_OPTION_LIST,
			   .offset = AT(ssl_cipher_suites), .def = "",
			   .aliases = "ssl_ciphers",
			   .doc = "Ciphers that may be used, by the names that Java has for "
				  "them or in OpenSSL's notation (for TLS 1.2); empty means "
				  "OpenSSL's choice."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.enabled.protocols", .type = KLAMM_OPTION_LIST,
			   .offset = AT(ssl_enabled_protocols), .def = "TLSv1.2,TLSv1.3",
			   .doc = "Versions of TLS that may be used. Older ones than TLSv1.2 "
				  "are left out."},
		.roles = KLAMM_ROLE_ANY,
	},
	{
		.option = {.name = "ssl.protocol", .type = KLAMM_OPTION_STRING,
			   .def = "TLSv1.3",
			   .doc = "The name that a JVM makes its TLS context by."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "ssl.provider", .type = KLAMM_OPTION_STRING,
			   .doc = "The JVM's security provider for TLS."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "ssl.engine.factory.class",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "A Java class that makes TLS engines."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "ssl.keymanager.algorithm",
			   .type = KLAMM_OPTION_STRING, .def = "SunX509",
			   .doc = "The JVM's way to read private keys."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "ssl.trustmanager.algorithm",
			   .type = KLAMM_OPTION_STRING, .def = "PKIX",
			   .doc = "The JVM's way to check certificates."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "ssl.secure.random.implementation",
			   .type = KLAMM_OPTION_STRING,
			   .doc = "The JVM's source of randomness for TLS."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "security.providers", .type = KLAMM_OPTION_STRING,
			   .doc = "Java classes that add security algorithms."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_JVM,
	},
	{
		.option = {.name = "ssl.context", .type = KLAMM_OPTION_STRING,
			   .doc = "A Python object that holds everything about TLS."},
		.roles = KLAMM_ROLE_ANY, .status = KL_STATUS_OTHER,
		.owner = "kafka-python",
	},
};

const struct kl_conf_rows kl_conf_tls_rows = {rows, kl_countof(rows), "TLS"};
