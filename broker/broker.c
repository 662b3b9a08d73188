/* SPDX-License-Identifier: BSD-2-Clause */
/* The broker as a whole: options, nodes and their listeners, beginning and end. */
#include "broker/broker.h"

#include <stdio.h>
#include <stdlib.h>

#include "broker/call.h"
#include "broker/codecs.h"
#include "broker/compact.h"
#include "broker/coordinators.h"
#include "broker/data.h"
#include "broker/expiry.h"
#include "broker/fetch_sessions.h"
#include "broker/index.h"
#include "broker/null.h"
#include "broker/groups.h"
#include "broker/retention.h"
#include "broker/sasl.h"
#include "broker/sasl_settings.h"
#include "broker/tls.h"
#include "broker/txns.h"

#define NODES_MAX 1000
#define REPLICAS_DEFAULT 3
/* Kafka's message.max.bytes: 1 MiB and the overhead of a batch. */
#define MESSAGE_MAX 1048588
#define MEMORY_MAX ((int64_t)1 << 30)
/* Kafka's log.retention.check.interval.ms. */
#define RETENTION_CHECK_MS 300000
#define NULL_RECORD_SIZE 100
#define NULL_BATCH_RECORDS 150
/* Requests that are being received by all connections together, and how much of that memory
 * is kept for the next ones. */
#define FRAMES_MAX ((size_t)512 << 20)
#define FRAMES_KEEP ((size_t)16 << 20)
#define CHUNKS_KEEP ((size_t)16 << 20)
#define SWEEP_EVERY (10 * (int64_t)KL_SECOND)
/* When descriptors or memory ran out, clients in the backlog wait this long. */
#define ACCEPT_AGAIN (100 * KL_MS)
#define ACCEPT_ROUND 64

/* --- forks --- */

int kl_dev_check_fork(const struct klamm_broker *broker, struct klamm_error *err)
{
	if (kl_loop_is_forked(broker->loop))
		return kl_error(err, KLAMM_ERR_FORKED,
				"this broker belongs to the parent process: make a new one "
				"after fork()");
	return 0;
}

/* --- nodes --- */

struct kl_dev_node *kl_dev_node(struct klamm_broker *broker, int32_t id)
{
	return id >= 1 && id <= broker->options.nodes ? &broker->nodes[id - 1] : NULL;
}

struct kl_dev_node *kl_dev_controller(struct klamm_broker *broker)
{
	for (int32_t i = 0; i < broker->options.nodes; i++)
		if (kl_dev_node_runs(&broker->nodes[i]))
			return &broker->nodes[i];
	return NULL;
}

struct kl_str kl_dev_node_host(const struct kl_dev_node *node)
{
	return kl_str(node->broker->host);
}

static void on_listener(struct kl_watch *watch, uint32_t events)
{
	struct kl_dev_node *node = kl_container(watch, struct kl_dev_node, listener);
	struct klamm_loop *loop = node->broker->loop;
	for (int i = 0; i < ACCEPT_ROUND; i++) {
		if (node->conn_count >= node->broker->limits.connections) {
			node->is_full = true;
			kl_watch_set(loop, watch, 0);
			return;
		}
		struct kl_sock *sock;
		struct kl_addr peer;
		int rc = loop->os->sock_accept(watch->sock, &sock, &peer);
		if (rc == 0) {
			kl_dev_conn_accept(node, sock, &peer);
			continue;
		}
		if (rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS || rc == -ENOMEM) {
			kl_watch_set(loop, watch, 0);
			kl_timer_set(loop, &node->again, loop->now + ACCEPT_AGAIN);
		}
		if (rc != -ECONNABORTED && rc != -EINTR)
			return;
	}
}

void kl_dev_node_left(struct kl_dev_node *node)
{
	node->conn_count--;
	if (node->is_full && kl_dev_node_runs(node))
		kl_watch_set(node->broker->loop, &node->listener, KL_IN);
	node->is_full = false;
}

static void accept_again(struct kl_timer *timer)
{
	struct kl_dev_node *node = kl_container(timer, struct kl_dev_node, again);
	if (kl_dev_node_runs(node))
		kl_watch_set(node->broker->loop, &node->listener, KL_IN);
}

int kl_dev_node_listen(struct kl_dev_node *node)
{
	struct klamm_broker *broker = node->broker;
	struct kl_os *os = broker->loop->os;
	struct kl_addr addr;
	struct kl_sock *sock;
	int rc = os->sock_listen(os, broker->listen_host, node->port, &sock, &addr);
	if (rc < 0)
		return rc;
	node->port = os->addr_port(os, &addr);
	node->listener = (struct kl_watch){.sock = sock, .fn = on_listener};
	rc = kl_watch_set(broker->loop, &node->listener, KL_IN);
	if (rc < 0)
		kl_dev_node_close(node, false);
	return rc;
}

void kl_dev_node_close(struct kl_dev_node *node, bool reset)
{
	struct klamm_loop *loop = node->broker->loop;
	kl_timer_stop(loop, &node->again);
	if (kl_dev_node_runs(node)) {
		struct kl_sock *sock = node->listener.sock;
		kl_watch_forget(loop, &node->listener);
		node->listener.sock = NULL;
		loop->os->sock_close(sock);
	}
	kl_dev_conns_close(node, reset);
	kl_dev_fetch_sessions_free(node);
}

static void sweep(struct kl_timer *timer)
{
	struct klamm_broker *broker = kl_container(timer, struct klamm_broker, sweep);
	for (int32_t i = 0; i < broker->options.nodes; i++)
		kl_dev_conns_sweep(&broker->nodes[i]);
	kl_timer_set(broker->loop, timer, broker->loop->now + SWEEP_EVERY);
}

/* --- options --- */

/* "HOST:PORT" or "[IPV6]:PORT". */
static int parse_listen(struct klamm_broker *broker, const char *text, int32_t *port_out,
			struct klamm_error *err)
{
	const char *colon = strrchr(text, ':');
	char *end = NULL;
	long port = colon != NULL ? strtol(colon + 1, &end, 10) : -1;
	if (colon == NULL || colon == text || end == colon + 1 || *end != '\0' ||
	    port < 0 || port > 65535)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"%s: the address to listen on must be HOST:PORT", text);
	size_t n = (size_t)(colon - text);
	bool brackets = text[0] == '[' && n >= 2 && text[n - 1] == ']';
	broker->listen_host = strndup(text + brackets, n - 2 * brackets);
	if (broker->listen_host == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	*port_out = (int32_t)port;
	return 0;
}

static int take_racks(struct klamm_broker *broker, const char *racks, struct klamm_error *err)
{
	if (racks == NULL)
		return 0;
	size_t n = strlen(racks);
	if (n == 0 || racks[0] == ',' || racks[n - 1] == ',' || strstr(racks, ",,") != NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"racks \"%s\": must be names, comma separated", racks);
	broker->racks = strdup(racks);
	return broker->racks != NULL
		       ? 0
		       : kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
}

/* The i-th of the names, which begin again behind the last one. */
static struct kl_str rack_of(const char *racks, int32_t i)
{
	const char *p = racks;
	for (; i > 0; i--) {
		const char *comma = strchr(p, ',');
		p = comma != NULL ? comma + 1 : racks;
	}
	return (struct kl_str){p, (int32_t)strcspn(p, ",")};
}

static bool is_everywhere(const char *host)
{
	return strcmp(host, "0.0.0.0") == 0 || strcmp(host, "::") == 0;
}

static bool in_range(int64_t v, int64_t min, int64_t max)
{
	return v >= min && v <= max;
}

static void fill_in(struct klamm_broker_options *o)
{
	o->nodes = o->nodes ?: 1;
	o->partitions = o->partitions ?: 1;
	o->replicas = o->replicas ?: kl_min(o->nodes, REPLICAS_DEFAULT);
	o->message_max_bytes = o->message_max_bytes ?: MESSAGE_MAX;
	o->memory_max = o->memory_max ?: MEMORY_MAX;
	o->retention_check_ms = o->retention_check_ms ?: RETENTION_CHECK_MS;
	o->null_record_size = o->null_record_size ?: NULL_RECORD_SIZE;
	o->null_batch_records = o->null_batch_records ?: NULL_BATCH_RECORDS;
}

static int take_config(struct klamm_broker *broker, const char *const *config,
		       struct klamm_error *err)
{
	int rc = 0;
	for (; rc == 0 && config != NULL && *config != NULL; config++)
		if (!kl_dev_sasl_owns_setting(*config))
			rc = kl_dev_limits_set(&broker->limits, *config, err);
	return rc;
}

static int check_options(const struct klamm_broker_options *o, int32_t port,
			 struct klamm_error *err)
{
	if (o->data_dir != NULL && o->null)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"a broker that forgets all records has no use for a data "
				"directory");
	if (!in_range(o->nodes, 1, NODES_MAX) || !in_range(o->partitions, 1, 10000) ||
	    !in_range(o->replicas, 1, o->nodes) || o->message_max_bytes < 0 ||
	    o->memory_max < 0 || !in_range(o->retention_check_ms, 1, INT32_MAX) ||
	    !in_range(o->null_record_size, 0, 1 << 20) ||
	    !in_range(o->null_batch_records, 1, 100000) ||
	    (port != 0 && port + o->nodes - 1 > 65535))
		return kl_error(
			err, KLAMM_ERR_INVALID_ARGUMENT,
			"a broker's option is out of its range (nodes 1..%d, partitions "
			"1..10000, replicas 1..nodes)",
			NODES_MAX);
	return 0;
}

static int make_nodes(struct klamm_broker *broker, const char *advertise, int32_t port,
		      struct klamm_error *err)
{
	int32_t n = broker->options.nodes;
	if (advertise == NULL)
		advertise = is_everywhere(broker->listen_host) ? "127.0.0.1"
							       : broker->listen_host;
	broker->host = strdup(advertise);
	broker->nodes = calloc((size_t)n, sizeof(*broker->nodes));
	if (broker->host == NULL || broker->nodes == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	for (int32_t i = 0; i < n; i++) {
		struct kl_dev_node *node = &broker->nodes[i];
		node->broker = broker;
		node->id = i + 1;
		node->port = port != 0 ? (uint16_t)(port + i) : 0;
		node->rack = broker->racks != NULL ? rack_of(broker->racks, i) : KL_STR_NULL;
		kl_list_init(&node->conns);
		kl_list_init(&node->fetch.used);
	}
	return 0;
}

static int take_options(struct klamm_broker *broker,
			const struct klamm_broker_options *given, struct klamm_error *err)
{
	struct klamm_broker_options *o = &broker->options;
	memcpy(o, given, kl_min(given->size, sizeof(*o)));
	const char *advertise = o->advertise;
	int32_t port = 0;
	int rc = parse_listen(broker, o->listen ?: "127.0.0.1:0", &port, err);
	if (rc != 0)
		return rc;
	fill_in(o);
	rc = take_config(broker, o->config, err);
	if (rc == 0)
		rc = take_racks(broker, o->racks, err);
	if (rc != 0)
		return rc;
	/* The caller's: what is needed of them was copied, or is now. */
	o->listen = o->advertise = o->sasl = o->users = o->racks = NULL;
	o->tls_certificate = o->tls_key = o->tls_key_password = NULL;
	o->tls_ca = o->tls_client_auth = NULL;
	o->config = NULL;
	rc = check_options(o, port, err);
	if (rc != 0)
		return rc;
	if (o->data_dir != NULL) {
		o->data_dir = broker->data_dir = strdup(o->data_dir);
		if (o->data_dir == NULL)
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for a broker");
	}
	return make_nodes(broker, advertise, port, err);
}

static int make_address(struct klamm_broker *broker, struct klamm_error *err)
{
	struct kl_buf b = {0};
	bool ipv6 = strchr(broker->host, ':') != NULL;
	for (int32_t i = 0; i < broker->options.nodes; i++)
		kl_buf_printf(&b, "%s%s%s%s:%d", i > 0 ? "," : "", ipv6 ? "[" : "",
			      broker->host, ipv6 ? "]" : "", (int)broker->nodes[i].port);
	kl_buf_text(&b);
	if (b.failed) {
		kl_buf_free(&b);
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	}
	broker->address = (char *)b.data;
	return 0;
}

/* --- beginning and end; in the loop --- */

struct start {
	struct klamm_broker *broker;
	struct klamm_error *err;
	int rc;
};

static int start_nodes(struct klamm_broker *broker, struct klamm_error *err)
{
	for (int32_t i = 0; i < broker->options.nodes; i++) {
		struct kl_dev_node *node = &broker->nodes[i];
		int rc = kl_timer_init(broker->loop, &node->again, accept_again, err);
		if (rc != 0)
			return rc;
		int port = node->port;
		rc = kl_dev_node_listen(node);
		if (rc < 0)
			return kl_error(err, KLAMM_ERR_SYSTEM,
					"cannot listen on %s:%d: %s", broker->listen_host,
					port,
					rc == -ENOENT ? "the name has no address"
						      : strerror(-rc));
	}
	return 0;
}

/* What the directory holds is led by the nodes that run now, in new epochs, which are on the
 * disk before anything is written in them. A disk that is full can still be read. */
static void begin_reign(struct klamm_broker *broker)
{
	struct klamm_error err;
	kl_dev_topics_elect(broker); /* saves nothing before it is open */
	broker->is_open = true;
	if (broker->store != NULL)
		kl_dev_index_drop(broker);
	if (broker->store != NULL && kl_dev_save(broker, &err) != 0)
		kl_log(&broker->loop->log, KL_LOG_WARN, "store",
		       "nothing will be appended before this works: %s", err.text);
}

static void run_start(void *arg)
{
	struct start *start = arg;
	struct klamm_broker *broker = start->broker;
	broker->loop->os->random(broker->loop->os, broker->cluster_uuid.bytes,
				 sizeof(broker->cluster_uuid.bytes));
	start->rc = kl_timer_init(broker->loop, &broker->sweep, sweep, start->err);
	if (start->rc == 0)
		start->rc = kl_dev_retention_begin(broker, start->err);
	if (start->rc == 0)
		start->rc = kl_dev_expiry_begin(broker, start->err);
	if (start->rc == 0)
		start->rc = kl_dev_compaction_begin(broker, start->err);
	if (start->rc == 0)
		start->rc = kl_dev_txns_begin(broker, start->err);
	if (start->rc == 0)
		start->rc = kl_dev_data_open(broker, start->err);
	kl_uuid_text(&broker->cluster_uuid, broker->cluster_id);
	if (start->rc == 0)
		start->rc = start_nodes(broker, start->err);
	if (start->rc == 0)
		begin_reign(broker);
	if (start->rc == 0)
		start->rc = kl_dev_coordinators_load(broker, start->err);
	if (start->rc == 0)
		kl_timer_set(broker->loop, &broker->sweep,
			     broker->loop->now + SWEEP_EVERY);
}

static void run_stop(void *arg)
{
	struct klamm_broker *broker = arg;
	for (int32_t i = 0; i < broker->options.nodes; i++)
		kl_dev_node_close(&broker->nodes[i], false);
	kl_dev_topics_elect(broker);
}

static void run_free(void *arg)
{
	struct klamm_broker *broker = arg;
	kl_dev_compaction_end(broker);
	kl_dev_data_close(broker);
	kl_timer_drop(broker->loop, &broker->sweep);
	kl_dev_retention_end(broker);
	kl_dev_expiry_end(broker);
	kl_dev_txns_end(broker);
	kl_dev_groups_drop_home(broker, -1);
	kl_list_remove(&broker->groups.step.link);
	for (int32_t i = 0; i < broker->options.nodes; i++)
		kl_timer_drop(broker->loop, &broker->nodes[i].again);
	kl_dev_topics_free(broker);
	kl_dev_store_free(broker->store);
	kl_dev_faults_free(broker);
	kl_dev_calls_free(broker);
	kl_dev_conns_bury(&broker->bury);
	kl_tls_free(broker->tls);
	broker->tls = NULL;
}

static struct klamm_broker *make(struct klamm_error *err)
{
	struct klamm_broker *broker = calloc(1, sizeof(*broker));
	if (broker == NULL) {
		kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
		return NULL;
	}
	broker->topics.version = 1; /* 0: a group has seen none */
	kl_list_init(&broker->idle_calls);
	kl_list_init(&broker->dead_conns);
	kl_list_init(&broker->faults);
	kl_list_init(&broker->txns.ending);
	kl_list_init(&broker->groups.storing);
	kl_list_init(&broker->groups.step.link);
	broker->groups.step.fn = kl_dev_groups_step;
	kl_list_init(&broker->txns.step.link);
	broker->bury.fn = kl_dev_conns_bury;
	kl_dev_limits_init(&broker->limits);
	broker->next_producer_id = broker->producer_id_limit = 1;
	for (int i = 0; i < KL_API_COUNT; i++)
		broker->served[i].min = 1; /* above max: not served */
	for (size_t i = 0; i < kl_dev_api_count; i++) {
		const struct kl_dev_api *api = &kl_dev_apis[i];
		broker->served[api->api].min = (int16_t)kl_dev_api_usual(api);
		broker->served[api->api].max = api->max;
	}
	return broker;
}

static int make_pools(struct klamm_broker *broker, struct klamm_error *err)
{
	size_t budget = (size_t)broker->options.memory_max;
	broker->frames = kl_slab_pool_new(FRAMES_MAX, FRAMES_KEEP, NULL, NULL);
	broker->chunks =
		kl_slab_pool_new(budget, kl_min(budget, CHUNKS_KEEP), NULL, NULL);
	if (broker->frames == NULL || broker->chunks == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	return broker->options.null ? kl_dev_null_new(broker, err) : 0;
}

static int make_loop(struct klamm_broker *broker, struct klamm_error *err)
{
	const struct klamm_broker_options *o = &broker->options;
	if (o->loop != NULL) {
		broker->loop = o->loop;
		return 0;
	}
	struct kl_log log;
	if (!kl_log_init(&log, o->log, o->log_arg, o->log_level))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "there is no log level %d",
				(int)o->log_level);
	int rc = kl_loop_new(kl_os_real(), &log, &broker->loop, err);
	if (rc != 0)
		return rc;
	broker->own_loop = true;
	return klamm_loop_start(broker->loop, err);
}

static int make_security(struct klamm_broker *broker,
			 const struct klamm_broker_options *given, struct klamm_error *err)
{
	struct klamm_broker_options o = {0};
	memcpy(&o, given, kl_min(given->size, sizeof(o)));
	int rc = kl_dev_tls_new(broker, &o, err);
	return rc == 0 ? kl_dev_sasl_new(broker, o.sasl, o.users, o.reauth_ms, o.config, err)
		       : rc;
}

int klamm_broker_new(const struct klamm_broker_options *options,
		     struct klamm_broker **broker_out, struct klamm_error *err)
{
	struct klamm_broker *broker = make(err);
	if (broker == NULL)
		return KLAMM_ERR_NO_MEMORY;
	int rc = take_options(broker, options, err);
	if (rc == 0 && broker->options.loop != NULL)
		rc = kl_loop_check_fork(broker->options.loop, err);
	if (rc == 0)
		rc = make_loop(broker, err);
	if (rc == 0)
		rc = make_security(broker, options, err);
	if (rc == 0)
		rc = make_pools(broker, err);
	if (rc == 0) {
		struct start start = {.broker = broker, .err = err};
		kl_loop_call(broker->loop, run_start, &start);
		rc = start.rc;
	}
	if (rc == 0)
		rc = make_address(broker, err);
	if (rc != 0) {
		klamm_broker_free(broker);
		return rc;
	}
	*broker_out = broker;
	return 0;
}

const char *klamm_broker_address(const struct klamm_broker *broker)
{
	return broker->address;
}

void klamm_broker_stop(struct klamm_broker *broker)
{
	if (kl_dev_check_fork(broker, NULL) == 0)
		kl_loop_call(broker->loop, run_stop, broker);
}

static bool store_is_idle(void *arg)
{
	const struct kl_dev_store *store = arg;
	return atomic_load(&store->running) == 0;
}

static void run_close(void *arg)
{
	struct kl_dev_store *store = arg;
	store->is_closing = true;
}

/* What the pool has in hand ends, and nothing new begins. */
static void close_store(struct klamm_broker *broker)
{
	struct kl_dev_store *store = broker->store;
	if (store == NULL)
		return;
	kl_loop_call(broker->loop, run_close, store);
	kl_loop_wait(broker->loop, &store->idle, store_is_idle, store, KL_NEVER);
}

void klamm_broker_free(struct klamm_broker *broker)
{
	if (broker == NULL || (broker->loop != NULL && kl_loop_is_forked(broker->loop)))
		return;
	if (broker->loop != NULL && broker->nodes != NULL) {
		klamm_broker_stop(broker);
		close_store(broker);
		/* What the first call posted has run before the second one does. */
		kl_loop_call(broker->loop, run_free, broker);
	}
	kl_dev_codecs_free(broker);
	kl_dev_sasl_free(broker->sasl);
	kl_tls_free(broker->tls); /* of one that never began */
	if (broker->own_loop)
		klamm_loop_free(broker->loop);
	kl_dev_null_free(broker);
	kl_slab_pool_free(broker->frames);
	kl_slab_pool_free(broker->chunks);
	free(broker->nodes);
	free(broker->data_dir);
	free(broker->listen_host);
	free(broker->racks);
	free(broker->host);
	free(broker->address);
	free(broker);
}
