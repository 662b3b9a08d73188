/* SPDX-License-Identifier: BSD-2-Clause */
/* What went over a client's connections, in all and by broker. */
#include <stdio.h>
#include <stdlib.h>

#include "core/metrics/metrics.h"

/* Brokers that have figures of their own: what a peer names without end costs no more. */
#define PEERS_MAX 1000

#define METER(m) .meter = KL_NET_##m

/* Alike for a broker and for all of them. */
static const struct kl_figure traffic[] = {
	{"request-total", "1", "Requests sent.", KL_FACE_COUNT, METER(REQUEST)},
	{"request-rate", "1/s", "Requests sent per second.", KL_FACE_COUNT_RATE,
	 METER(REQUEST)},
	{"request-size-avg", "By", "The average size of a request.", KL_FACE_AVG,
	 METER(REQUEST)},
	{"request-size-max", "By", "The size of the largest request.", KL_FACE_MAX,
	 METER(REQUEST)},
	{"outgoing-byte-total", "By", "Bytes of requests sent.", KL_FACE_TOTAL,
	 METER(REQUEST)},
	{"outgoing-byte-rate", "By/s", "Bytes of requests sent per second.",
	 KL_FACE_TOTAL_RATE, METER(REQUEST)},
	{"response-total", "1", "Answers received.", KL_FACE_COUNT, METER(RESPONSE)},
	{"response-rate", "1/s", "Answers received per second.", KL_FACE_COUNT_RATE,
	 METER(RESPONSE)},
	{"incoming-byte-total", "By", "Bytes of answers received.", KL_FACE_TOTAL,
	 METER(RESPONSE)},
	{"incoming-byte-rate", "By/s", "Bytes of answers received per second.",
	 KL_FACE_TOTAL_RATE, METER(RESPONSE)},
};

static const struct kl_figure latency[] = {
	{"request-latency-avg", "ms", "The average time from a request to its answer.",
	 KL_FACE_AVG, METER(LATENCY)},
	{"request-latency-max", "ms", "The longest time from a request to its answer.",
	 KL_FACE_MAX, METER(LATENCY)},
	{"request-latency", "ms", "How the times from a request to its answer are spread.",
	 KL_FACE_SPREAD, METER(LATENCY)},
};

static const struct kl_figure connections[] = {
	{"connection-count", "1", "Connections that are open.", KL_FACE_NOW, METER(COUNT)},
	{"connection-creation-total", "1", "Connections made.", KL_FACE_COUNT, METER(OPENED)},
	{"connection-creation-rate", "1/s", "Connections made per second.",
	 KL_FACE_COUNT_RATE, METER(OPENED)},
	{"connection-close-total", "1", "Connections closed, by either side.", KL_FACE_COUNT,
	 METER(CLOSED)},
	{"connection-close-rate", "1/s", "Connections closed per second.",
	 KL_FACE_COUNT_RATE, METER(CLOSED)},
	{"select-total", "1",
	 "How often the loop looked at its sockets: at most so often it was awake.",
	 KL_FACE_COUNT, METER(SELECT)},
	{"network-io-total", "1", "Requests sent and answers received.", KL_FACE_COUNT,
	 METER(IO)},
	{"network-io-rate", "1/s", "Requests sent and answers received per second.",
	 KL_FACE_COUNT_RATE, METER(IO)},
	{"successful-authentication-total", "1", "Connections that have authenticated.",
	 KL_FACE_COUNT, METER(AUTHENTICATED)},
	{"successful-authentication-rate", "1/s",
	 "Connections that have authenticated, per second.", KL_FACE_COUNT_RATE,
	 METER(AUTHENTICATED)},
	{"failed-authentication-total", "1",
	 "Connections whose authentication was refused.", KL_FACE_COUNT, METER(REFUSED)},
	{"failed-authentication-rate", "1/s",
	 "Connections whose authentication was refused, per second.", KL_FACE_COUNT_RATE,
	 METER(REFUSED)},
	{"successful-reauthentication-total", "1",
	 "Connections that have authenticated again while in use (KIP-368).", KL_FACE_COUNT,
	 METER(REAUTHENTICATED)},
	{"successful-reauthentication-rate", "1/s",
	 "Connections that have authenticated again, per second.", KL_FACE_COUNT_RATE,
	 METER(REAUTHENTICATED)},
};

/* With the mutex held. */
static struct kl_peer *find_peer(struct kl_metrics *metrics, int32_t id)
{
	for (struct kl_peer *peer = metrics->peers; peer != NULL; peer = peer->next)
		if (peer->id == id)
			return peer;
	struct kl_peer *peer =
		metrics->peer_count < PEERS_MAX ? calloc(1, sizeof(*peer)) : NULL;
	if (peer == NULL)
		return NULL;
	peer->id = id;
	peer->next = metrics->peers;
	metrics->peers = peer;
	metrics->peer_count++;
	kl_metrics_spread(metrics, &peer->meters[KL_NET_LATENCY]);
	return peer;
}

struct kl_peer *kl_net_peer(struct kl_metrics *metrics, int32_t id)
{
	if (metrics == NULL)
		return NULL;
	kl_metrics_lock(metrics);
	struct kl_peer *peer = find_peer(metrics, id);
	kl_metrics_unlock(metrics);
	return peer;
}

/* With the mutex held: for all, and for this one. */
static void note(struct kl_metrics *metrics, struct kl_peer *peer, unsigned meter,
		 double value, int64_t now)
{
	kl_meter_note(&metrics->windows, &metrics->net[meter], value, now);
	if (peer != NULL)
		kl_meter_note(&metrics->windows, &peer->meters[meter], value, now);
}

void kl_net_sent(struct kl_metrics *metrics, struct kl_peer *peer, size_t bytes, int64_t now)
{
	if (metrics == NULL)
		return;
	kl_metrics_lock(metrics);
	note(metrics, peer, KL_NET_REQUEST, (double)bytes, now);
	kl_meter_note(&metrics->windows, &metrics->net[KL_NET_IO], (double)bytes, now);
	kl_metrics_unlock(metrics);
}

void kl_net_answered(struct kl_metrics *metrics, struct kl_peer *peer, size_t bytes,
		     int64_t latency_us, int64_t now)
{
	if (metrics == NULL)
		return;
	kl_metrics_lock(metrics);
	note(metrics, peer, KL_NET_RESPONSE, (double)bytes, now);
	note(metrics, peer, KL_NET_LATENCY, (double)latency_us / KL_MS, now);
	kl_meter_note(&metrics->windows, &metrics->net[KL_NET_IO], (double)bytes, now);
	kl_metrics_unlock(metrics);
}

void kl_net_event(struct kl_metrics *metrics, unsigned what, int64_t now)
{
	if (metrics == NULL)
		return;
	kl_metrics_lock(metrics);
	kl_meter_note(&metrics->windows, &metrics->net[what], 1, now);
	uint64_t open = metrics->net[KL_NET_OPENED].count - metrics->net[KL_NET_CLOSED].count;
	kl_meter_set(&metrics->net[KL_NET_COUNT], (double)open);
	kl_metrics_unlock(metrics);
}

void kl_net_snapshot(struct kl_metrics *metrics, struct kl_snapshot *snapshot,
		     struct kl_labels own)
{
	kl_snapshot_add(snapshot, metrics->group, connections, kl_countof(connections),
			metrics->net, own);
	kl_snapshot_add(snapshot, metrics->group, traffic, kl_countof(traffic), metrics->net,
			own);
	for (struct kl_peer *peer = metrics->peers; peer != NULL; peer = peer->next) {
		char id[24]; /* as in Java, where bootstrap servers count down from -1 */
		snprintf(id, sizeof(id), "node-%d", peer->id);
		struct kl_labels tags = kl_snapshot_tags(snapshot, "node-id", id, NULL);
		kl_snapshot_add(snapshot, metrics->node_group, traffic, kl_countof(traffic),
				peer->meters, tags);
		kl_snapshot_add(snapshot, metrics->node_group, latency, kl_countof(latency),
				peer->meters, tags);
	}
}
