/* SPDX-License-Identifier: BSD-2-Clause */
/* A Kafka for tests, inside your own process. For production use Apache Kafka.
 *
 *	struct klamm_broker_options options = {.size = sizeof(options), .nodes = 3};
 *	struct klamm_broker *broker;
 *	if (klamm_broker_new(&options, &broker, &err) != 0)
 *		...
 *	... bootstrap.servers = klamm_broker_address(broker) ...
 *	klamm_broker_free(broker);
 *
 * It keeps everything in memory, or in a directory (data_dir), from which it goes on the next
 * time. What it does and does not do is listed in docs/DEVBROKER.md.
 * Link with libklamm-broker (pkg-config klamm-broker). Every function may be called by any
 * thread, but not from inside a callback that the broker's own loop runs. In a forked child
 * each answers FORKED, or does nothing: the broker is the parent's.
 */
#ifndef KLAMM_BROKER_H
#define KLAMM_BROKER_H

#include <klamm/conf.h>
#include <klamm/loop.h>

#ifdef __cplusplus
extern "C" {
#endif

struct klamm_broker;

/* Zero everywhere is a good broker: one node on a free port of 127.0.0.1. */
struct klamm_broker_options {
	size_t size; /* sizeof(struct klamm_broker_options) */
	/* Borrowed until _free(). NULL = the broker has a loop and a thread of its own. */
	struct klamm_loop *loop;
	/* "HOST:PORT" or "[IPV6]:PORT"; copied. NULL = "127.0.0.1:0". Port 0 = any free ones;
	 * else node 1 has PORT, node 2 PORT + 1, ... */
	const char *listen;
	/* What clients are told to connect to; copied. NULL = the host to listen on, or
	 * 127.0.0.1 where that is all addresses of the machine. */
	const char *advertise;
	int32_t nodes;             /* virtual brokers, with ids from 1; 0 = 1, at most 1000 */
	int32_t partitions;        /* of topics that do not say how many; 0 = 1 */
	int32_t replicas;          /* likewise; 0 = nodes, at most 3 */
	int32_t message_max_bytes; /* largest batch; 0 = Kafka's 1048588 */
	int64_t memory_max;        /* bytes of records, with data_dir of those on their way;
				    * 0 = 1 GiB */
	bool no_auto_create;       /* do not make topics because a client asked for them */
	/* Take records, count them and throw them away; serve endless made-up ones to whoever
	 * fetches: the fastest peer that a benchmark can have. */
	bool null;
	int32_t null_record_size;   /* of the values served; 0 = 100 */
	int32_t null_batch_records; /* served in one batch; 0 = 150 */
	/* Log lines; NULL = silent. Level and rules as of klamm_conf_log(). With a loop of
	 * yours the lines go where that loop's go. */
	klamm_log_fn log;
	void *log_arg;
	int32_t log_level;
	/* Keep topics and records in files here, one broker at a time, and go on with what is
	 * there; copied. The directory is made, but not those above it. What was acknowledged
	 * with acks=all survives a kill and a power cut. NULL = in memory. */
	const char *data_dir;
	/* How often retention.ms and retention.bytes are looked at; 0 = every five minutes, as
	 * Kafka does. */
	int64_t retention_check_ms;
	/* The mechanisms of SASL by which clients prove who they are, comma separated:
	 * "PLAIN,SCRAM-SHA-512". Each is a plugin, looked for where clients look; copied.
	 * NULL = nobody is asked. */
	const char *sasl;
	/* A file of them, a line NAME = PASSWORD each, or NAME = WHAT=[VALUE],WHAT=[VALUE] of
	 * what klamm_broker_credential() takes, which adds more; read once; copied.
	 * NULL = none. */
	const char *users;
	/* They have to prove it again after so many milliseconds at the latest (KIP-368); 0 =
	 * never. Kafka's connections.max.reauth.ms. */
	int64_t reauth_ms;
	/* Settings of Kafka's brokers, "transaction.version=1", behind the last one a NULL;
	 * copied. docs/DEVBROKER.md lists those that this one has. NULL = none. */
	const char *const *config;
	/* broker.rack of the nodes, comma separated: "a,b" puts node 1 into a, node 2 into b,
	 * node 3 into a again, and so on; copied. NULL = no node has one. */
	const char *racks;
	/* TLS on every listener: a file with the broker's certificate and those that signed
	 * it, in PEM, or with the key as PKCS#12; read again when it changes; copied. NULL =
	 * bytes go as they are. */
	const char *tls_certificate;
	const char *tls_key;          /* a PEM file; NULL = it is in tls_certificate; copied */
	const char *tls_key_password; /* of the key or store; NULL = none; copied */
	/* A file of certificates that those of clients may be traced to: PEM, PKCS#12 or JKS;
	 * copied. NULL = clients are not asked for any. */
	const char *tls_ca;
	/* Kafka's ssl.client.auth: "none", "requested" or "required"; NULL = required with
	 * tls_ca, none without. */
	const char *tls_client_auth;
};

/* Returns when every node listens. INVALID_ARGUMENT: an option makes no sense, or what is in
 * data_dir needs more nodes. SYSTEM: the address cannot be had, or no thread; data_dir is in
 * use, or cannot be read. */
int klamm_broker_new(const struct klamm_broker_options *options,
		     struct klamm_broker **broker_out, struct klamm_error *err);

/* "127.0.0.1:41241,127.0.0.1:41243", all nodes in the order of their ids; for
 * bootstrap.servers. Owned by the broker, the same all its life. */
const char *klamm_broker_address(const struct klamm_broker *broker);

/* Close every listener and connection. Topics and records stay; klamm_broker_node_start()
 * brings nodes back on their old ports. */
void klamm_broker_stop(struct klamm_broker *broker);
/* Stop, and free everything. NULL is fine. */
void klamm_broker_free(struct klamm_broker *broker);

/* --- users --- */

/* What is known of a user (both copied). what and value are
 *   "password": the password, good for every mechanism that takes one;
 *   "SCRAM-SHA-256" or "SCRAM-SHA-512": what Kafka stores, which counts before the password:
 *       salt=BASE64,stored_key=BASE64,server_key=BASE64,iterations=N;
 *   "delegation-token", user being its id: owner=NAME,hmac=BASE64 and perhaps
 *       expires=MS since 1970.
 * A later value replaces an earlier one, NULL takes it away; connections that have used it go
 * on. INVALID_ARGUMENT: no name, or a broker without `sasl`. */
int klamm_broker_credential(struct klamm_broker *broker, const char *user, const char *what,
			    const char *value, struct klamm_error *err);

/* --- topics, without a client --- */

/* partitions 0 = the broker's default. Errors are those of Kafka's CreateTopics. */
int klamm_broker_create_topic(struct klamm_broker *broker, const char *topic,
			      int32_t partitions, struct klamm_error *err);
/* The first offset that is there, and the one that the next record gets. Either may be
 * NULL. UNKNOWN_TOPIC_OR_PARTITION. */
int klamm_broker_offsets(struct klamm_broker *broker, const char *topic, int32_t partition,
			 int64_t *start_out, int64_t *end_out, struct klamm_error *err);

/* --- trouble on purpose --- */

/* Another node leads the partition from now on, with the next leader epoch.
 * INVALID_ARGUMENT: no such node, or it is stopped or has no replica. */
int klamm_broker_move_leader(struct klamm_broker *broker, const char *topic,
			     int32_t partition, int32_t node, struct klamm_error *err);

/* Stop a node: it closes its listener and connections, and what it led is led by other
 * replicas, or by nobody. reset: its peers see a reset and not an orderly end. */
int klamm_broker_node_stop(struct klamm_broker *broker, int32_t node, bool reset,
			   struct klamm_error *err);
/* Start it again, on the same port. */
int klamm_broker_node_start(struct klamm_broker *broker, int32_t node,
			    struct klamm_error *err);

/* Pretend that an API has other versions: min..max, inside what this broker can serve, which
 * for Produce, Fetch and ListOffsets begins with those of Kafka 0.8. min > max: it does not
 * exist. api is a number of Kafka's. Clients hear of it when they connect. */
int klamm_broker_limit_api(struct klamm_broker *broker, int32_t api, int32_t min, int32_t max,
			   struct klamm_error *err);

/* How many requests of an API came, also those that met a fault. */
int64_t klamm_broker_request_count(struct klamm_broker *broker, int32_t api);

enum klamm_broker_action {
	KLAMM_BROKER_PASS = 0,       /* handle it; for a delay, or to count */
	KLAMM_BROKER_ERROR = 1,      /* do nothing and answer with `error` */
	KLAMM_BROKER_DROP = 2,       /* do nothing and close the connection */
	KLAMM_BROKER_DROP_AFTER = 3, /* do it, then close instead of answering */
	KLAMM_BROKER_SILENCE = 4,    /* do nothing; never answer on this connection again */
	KLAMM_BROKER_CUT = 5,        /* do it, send `cut` bytes of the answer, then close */
	KLAMM_BROKER_GARBAGE = 6,    /* do it, and answer with as many random bytes */
};

struct klamm_broker_fault {
	size_t size; /* sizeof(struct klamm_broker_fault) */
	/* Which requests. */
	int32_t api;       /* Kafka's number; -1 = any but IncrementalAlterConfigs and
			    * DescribeConfigs, which set and show faults */
	int32_t node;      /* asked of this node; 0 = any */
	const char *topic; /* that name this topic; NULL = any; copied */
	int32_t partition; /* and this partition of it; -1 = any; needs a topic */
	int32_t skip;      /* let that many pass first */
	int32_t count;     /* then act on so many; 0 = 1; -1 = on all to come */
	/* What happens to them. */
	int32_t action;   /* enum klamm_broker_action */
	int32_t error;    /* KLAMM_BROKER_ERROR: enum klamm_err of the protocol. With a topic,
			   * only what the fault names gets it, the rest is handled. */
	int64_t delay_ms; /* wait that long first; nothing else of that connection is read */
	bool reset;       /* DROP, DROP_AFTER, CUT: with a reset */
	int32_t every;    /* of those that count, only every so-manieth; 0 = 1 */
	/* Of those, each with this probability; 0 = 1. The same seed, the same choices. */
	double probability;
	int64_t seed;
	int64_t cut; /* CUT: bytes, the four of the frame's size included */
	/* Beside any action, and before it: */
	int32_t leader;      /* this node leads what is named; -1 = the next replica */
	/* This node coordinates the groups and transactional ids that the request names, all
	 * of them if it names none; -1 = the next. */
	int32_t coordinator;
	/* The answer says that the client is throttled, and nothing more is read from it for
	 * so long (KIP-219). */
	int32_t throttle_ms;
	/* KLAMM_BROKER_ERROR of a Produce: the record of each batch that the answer names as
	 * wrong (KIP-467), counted from 1; 0 = none. */
	int32_t record;
	/* Fetch, asked of a follower (KIP-392): it is so many records behind the leader. */
	int64_t lag;
	/* With leader: it was not in sync, and the last so many records of each partition are
	 * lost, with what else is in their batches. The leader may also stay. */
	int64_t lose;
};

/* The same in words, as klamm broker --fault and the setting klamm.fault take it:
 *
 *	produce topic=t partition=0 nth=3 error=NOT_LEADER_OR_FOLLOWER
 *	fetch node=2 count=all delay=250
 *	any probability=0.01 seed=7 drop=after reset
 *
 * docs/DEVBROKER.md has all of them. INVALID_ARGUMENT: the text says which word is wrong.
 * The number in id_out (may be NULL) is for the calls below. */
int klamm_broker_fault(struct klamm_broker *broker, const char *text, int32_t *id_out,
		       struct klamm_error *err);


/* Faults are asked in the order they were added; a request meets the first that fits. The
 * number in id_out (may be NULL) is for the calls below. */
int klamm_broker_fault_add(struct klamm_broker *broker,
			   const struct klamm_broker_fault *fault, int32_t *id_out,
			   struct klamm_error *err);
/* How many requests it has met; -1 = no such fault. A used up one is still known. */
int64_t klamm_broker_fault_hits(struct klamm_broker *broker, int32_t id);
/* id 0 = all. */
void klamm_broker_fault_remove(struct klamm_broker *broker, int32_t id);

#ifdef __cplusplus
}
#endif
#endif
