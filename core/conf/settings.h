/* SPDX-License-Identifier: BSD-2-Clause */
/* The final values of a configuration for one role, typed. The engine reads these and
 * never a text. Members are named after the keys of klamm.conf(5), '.' and '-' as '_'.
 *
 * Filled once by kl_conf_settings(), constant afterwards, any thread. Texts and lists
 * belong to the configuration that filled it. A text that is not set is NULL.
 */
#ifndef KL_SETTINGS_H
#define KL_SETTINGS_H

#include "core/base/base.h"

struct kl_strlist {
	const char **v;
	size_t n;
};

/* A "host:port" taken apart: no brackets around an IPv6 address, no scheme. */
struct kl_endpoint {
	const char *host;
	uint16_t port;
};

struct kl_endpoints {
	const struct kl_endpoint *v;
	size_t n;
};

enum kl_acks {
	KL_ACKS_ALL = -1,
	KL_ACKS_NONE = 0,
	KL_ACKS_LEADER = 1,
};

/* A broker remembers the last five batches of a partition (KIP-98): a repetition of an earlier
 * one it could not tell. */
#define KL_IDEMPOTENT_IN_FLIGHT_MAX 5

enum kl_security_protocol {
	KL_SECURITY_PLAINTEXT,
	KL_SECURITY_SSL,
	KL_SECURITY_SASL_PLAINTEXT,
	KL_SECURITY_SASL_SSL,
};

enum kl_offset_reset {
	KL_RESET_NONE,
	KL_RESET_EARLIEST,
	KL_RESET_LATEST,
	KL_RESET_BY_DURATION, /* KIP-1106: auto_offset_reset_ms before now */
};

enum kl_isolation_level { /* values of the protocol */
			  KL_READ_UNCOMMITTED = 0,
			  KL_READ_COMMITTED = 1,
};

enum kl_dns_lookup {
	KL_DNS_USE_ALL_IPS,
	KL_DNS_CANONICAL_BOOTSTRAP,
};

enum kl_metadata_recovery {
	KL_RECOVERY_NONE,
	KL_RECOVERY_REBOOTSTRAP,
};

enum kl_group_protocol {
	KL_GROUP_CLASSIC,
	KL_GROUP_CONSUMER,
};

struct kl_settings {
	int32_t role; /* enum klamm_role that these values are for */

	/* --- every client --- */
	struct kl_endpoints bootstrap_servers;
	const char *client_id;	   /* "" = none */
	const char *client_rack;   /* "" = none */
	int32_t client_dns_lookup; /* enum kl_dns_lookup */
	int64_t connections_max_idle_ms;
	int32_t request_timeout_ms;
	int32_t default_api_timeout_ms;
	int64_t retry_backoff_ms;
	int64_t retry_backoff_max_ms;
	int64_t reconnect_backoff_ms;
	int64_t reconnect_backoff_max_ms;
	int64_t socket_connection_setup_timeout_ms;
	int64_t socket_connection_setup_timeout_max_ms;
	int32_t send_buffer_bytes;    /* -1 = the system's */
	int32_t receive_buffer_bytes; /* -1 = the system's */
	int64_t metadata_max_age_ms;
	int64_t metadata_max_idle_ms;	    /* producer */
	int32_t metadata_recovery_strategy; /* enum kl_metadata_recovery */
	int64_t metadata_recovery_rebootstrap_trigger_ms;
	bool metadata_cluster_check_enable;
	bool allow_auto_create_topics;
	int32_t security_protocol;	    /* enum kl_security_protocol */
	struct kl_strlist metric_reporters; /* plugin names */
	int32_t metrics_num_samples;
	int64_t metrics_sample_window_ms;
	int32_t metrics_recording_level; /* enum kl_recording_level */

	/* --- producer --- */
	int32_t acks; /* enum kl_acks */
	int32_t batch_size;
	int64_t buffer_memory;
	const char *compression_type; /* name of a codec plugin, or "none" */
	int32_t delivery_timeout_ms;
	bool enable_idempotence;
	bool enable_idempotence_asked; /* by this key, or by transactional.id */
	const char *key_serializer;   /* plugin name; NULL = bytes as they are */
	const char *value_serializer; /* the same */
	int64_t linger_ms;
	int64_t max_block_ms;
	int32_t max_in_flight_requests_per_connection;
	int32_t max_request_size;
	bool partitioner_adaptive_partitioning_enable;
	int64_t partitioner_availability_timeout_ms; /* 0 = off */
	bool partitioner_rack_aware;
	const char *partitioner_class;		     /* plugin name */
	bool partitioner_ignore_keys;
	int32_t retries;
	int32_t transaction_timeout_ms;
	const char *transactional_id;

	/* --- consumer --- */
	int32_t auto_offset_reset;    /* enum kl_offset_reset */
	int64_t auto_offset_reset_ms; /* only for KL_RESET_BY_DURATION */
	bool check_crcs;
	int32_t fetch_max_bytes;
	int32_t fetch_max_wait_ms;
	int32_t max_poll_records;
	int32_t fetch_min_bytes;
	int32_t max_partition_fetch_bytes;
	int32_t isolation_level; /* enum kl_isolation_level, the protocol's number */
	const char *key_deserializer;	/* plugin name; NULL = bytes as they are */
	const char *value_deserializer; /* the same */
	bool enable_auto_commit;
	int32_t auto_commit_interval_ms;
	bool exclude_internal_topics;
	const char *group_id;
	const char *group_instance_id;
	int32_t group_protocol; /* enum kl_group_protocol */
	const char *group_remote_assignor;
	int32_t heartbeat_interval_ms;
	int32_t session_timeout_ms;
	int32_t max_poll_interval_ms;
	struct kl_strlist partition_assignment_strategy; /* plugin names */

	/* --- TLS and SASL --- */
	const char *sasl_mechanism;
	struct kl_strlist ssl_cipher_suites;
	struct kl_strlist ssl_enabled_protocols;
	const char *ssl_endpoint_identification_algorithm; /* "https", or "" = off */
	bool ssl_check_hostname;
	bool enable_ssl_certificate_verification;
	const char *ssl_ca_location;
	const char *ssl_certificate_location;
	const char *ssl_key_location;
	const char *ssl_key_password;
	const char *ssl_crl_location;
	const char *ssl_keystore_certificate_chain;
	const char *ssl_keystore_key;
	const char *ssl_keystore_location;
	const char *ssl_keystore_password;
	int32_t ssl_keystore_type; /* as ssl_truststore_type */
	const char *ssl_truststore_certificates;
	const char *ssl_truststore_location;
	const char *ssl_truststore_password;
	int32_t ssl_truststore_type; /* JKS, PKCS12, PEM: enum kl_store_type */

	/* --- klamm's own --- */
	struct kl_strlist plugin_path;
	const char *codec_gzip, *codec_snappy, *codec_lz4,
		*codec_zstd;	      /* plugin names */
	int64_t klamm_memory_max;     /* bytes of wire, decompressed and held data */
	int64_t klamm_decompress_max; /* bytes that one batch may grow to */
	int32_t klamm_receive_message_max; /* longest frame that is believed */
	int32_t klamm_codec_threads;	   /* cap of the CPU pool */
	int32_t klamm_blocking_threads;	   /* cap of the blocking pool */
	int64_t klamm_metrics_interval_ms; /* between two reports */
	bool klamm_timestamp_exact;
	const char *klamm_proxy_url;	  /* NULL or "" = none; a secret */
	const char *klamm_broker_version; /* "auto", or a release */
};

#endif
