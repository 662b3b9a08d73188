/* SPDX-License-Identifier: BSD-2-Clause */
/* The figures of one client: what it measures, and how a snapshot of that is taken.
 *
 * Meters are guarded by one mutex, a leaf: taken for a handful of additions per batch, request
 * or answer, never per record. Snapshots are taken in the loop.
 */
#ifndef KL_METRICS_H
#define KL_METRICS_H

#include "core/conf/settings.h"
#include "core/metrics/snapshot.h"
#include "core/net/loop.h"

enum kl_recording_level {
	KL_RECORD_INFO,
	KL_RECORD_DEBUG,
	KL_RECORD_TRACE,
};

enum {
	KL_NET_REQUEST,  /* bytes of each */
	KL_NET_RESPONSE, /* likewise */
	KL_NET_IO,       /* bytes of both */
	KL_NET_LATENCY,  /* ms from a request to its answer */
	KL_PEER_METERS,
	KL_NET_OPENED = KL_PEER_METERS,
	KL_NET_CLOSED,
	KL_NET_COUNT, /* connections now */
	KL_NET_AUTHENTICATED,
	KL_NET_REFUSED,
	KL_NET_REAUTHENTICATED,
	KL_NET_SELECT, /* how often the loop was awake */
	KL_NET_METERS,
};

/* What went to and fro with one broker. Stays when the broker goes: totals do not fall. */
struct kl_peer {
	struct kl_peer *next;
	int32_t id;
	struct kl_meter meters[KL_PEER_METERS];
};

struct kl_metrics {
	struct kl_os *os;
	const char *client_id;
	const char *group, *node_group; /* "producer-metrics", "producer-node-metrics" */
	struct kl_windows windows;
	int32_t level; /* enum kl_recording_level */
	int64_t started_ms;
	struct kl_mutex mutex; /* guards every meter of the client, and peers */
	struct kl_meter net[KL_NET_METERS];
	struct kl_peer *peers;
	unsigned peer_count;
	/* The client's own figures. In the loop, without the mutex. */
	void (*fill)(void *owner, struct kl_snapshot *snapshot);
	void *owner;
};

/* settings outlive it. _free() also after _init() was never called on zeros. */
void kl_metrics_init(struct kl_metrics *metrics, struct kl_os *os,
		     const struct kl_settings *settings);
void kl_metrics_free(struct kl_metrics *metrics);
/* Meters whose values are in milliseconds keep their spread, where the level asks for it. */
void kl_metrics_spread(const struct kl_metrics *metrics, struct kl_meter *meter);

static inline void kl_metrics_lock(struct kl_metrics *metrics)
{
	kl_mutex_lock(&metrics->mutex);
}
static inline void kl_metrics_unlock(struct kl_metrics *metrics)
{
	kl_mutex_unlock(&metrics->mutex);
}
/* One event of one meter. */
void kl_metrics_note(struct kl_metrics *metrics, struct kl_meter *meter, double value,
		     int64_t now);

/* The loop. NULL: out of memory. */
struct kl_snapshot *kl_metrics_take(struct kl_metrics *metrics, const struct klamm_loop *loop);
/* [application threads] The same for one of them. */
int kl_metrics_ask(struct kl_metrics *metrics, struct klamm_loop *loop,
		   struct klamm_snapshot **snapshot_out, struct klamm_error *err);

/* --- net.c: what a broker's connection tells; metrics NULL is fine --- */
/* The figures of a broker: NULL when there are too many. id -1 and below: an address of
 * bootstrap.servers. */
struct kl_peer *kl_net_peer(struct kl_metrics *metrics, int32_t id);
void kl_net_sent(struct kl_metrics *metrics, struct kl_peer *peer, size_t bytes, int64_t now);
void kl_net_answered(struct kl_metrics *metrics, struct kl_peer *peer, size_t bytes,
		     int64_t latency_us, int64_t now);
/* One of KL_NET_OPENED to KL_NET_REAUTHENTICATED. */
void kl_net_event(struct kl_metrics *metrics, unsigned what, int64_t now);
/* With the mutex: */
void kl_net_snapshot(struct kl_metrics *metrics, struct kl_snapshot *snapshot,
		     struct kl_labels own);

#endif
