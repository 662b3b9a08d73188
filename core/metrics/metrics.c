/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/metrics/metrics.h"

#include <stdlib.h>

#include "config.h"
#include "core/base/error.h"

static void name_groups(struct kl_metrics *metrics, int32_t role)
{
	switch (role) {
	case KLAMM_ROLE_PRODUCER:
		metrics->group = "producer-metrics";
		metrics->node_group = "producer-node-metrics";
		break;
	case KLAMM_ROLE_CONSUMER:
		metrics->group = "consumer-metrics";
		metrics->node_group = "consumer-node-metrics";
		break;
	default:
		metrics->group = "admin-client-metrics";
		metrics->node_group = "admin-client-node-metrics";
		break;
	}
}

void kl_metrics_init(struct kl_metrics *metrics, struct kl_os *os,
		     const struct kl_settings *settings)
{
	*metrics = (struct kl_metrics){
		.os = os,
		.client_id = settings->client_id,
		.windows = {.length = kl_min(settings->metrics_sample_window_ms,
					     INT64_MAX / KL_MS) * KL_MS,
			    .count = settings->metrics_num_samples},
		.level = settings->metrics_recording_level,
		.started_ms = os->wall_ms(os),
	};
	name_groups(metrics, settings->role);
	kl_mutex_init(&metrics->mutex);
	kl_metrics_spread(metrics, &metrics->net[KL_NET_LATENCY]);
}

void kl_metrics_free(struct kl_metrics *metrics)
{
	if (metrics->os == NULL)
		return;
	while (metrics->peers != NULL) {
		struct kl_peer *peer = metrics->peers;
		metrics->peers = peer->next;
		kl_meters_free(peer->meters, KL_PEER_METERS);
		free(peer);
	}
	kl_meters_free(metrics->net, KL_NET_METERS);
	kl_mutex_destroy(&metrics->mutex);
}

void kl_metrics_spread(const struct kl_metrics *metrics, struct kl_meter *meter)
{
	meter->spreads = metrics->level >= KL_RECORD_DEBUG;
}

void kl_metrics_note(struct kl_metrics *metrics, struct kl_meter *meter, double value,
		     int64_t now)
{
	kl_metrics_lock(metrics);
	kl_meter_note(&metrics->windows, meter, value, now);
	kl_metrics_unlock(metrics);
}

static void add_info(struct kl_metrics *metrics, struct kl_snapshot *snapshot,
		     struct kl_labels own)
{
	kl_snapshot_text(snapshot, "app-info", "version", "The version of klamm.",
			 PACKAGE_VERSION, own);
	kl_snapshot_gauge(snapshot, "app-info", "start-time-ms", "ms",
			  "When the client was made, since 1970.",
			  (double)metrics->started_ms, own);
}

struct kl_snapshot *kl_metrics_take(struct kl_metrics *metrics, const struct klamm_loop *loop)
{
	struct kl_snapshot *snapshot = kl_snapshot_new(metrics, loop->now);
	if (snapshot == NULL)
		return NULL;
	struct kl_labels own = kl_snapshot_tags(snapshot, NULL, NULL);
	add_info(metrics, snapshot, own);
	kl_metrics_lock(metrics);
	metrics->net[KL_NET_SELECT].count = loop->looks;
	kl_net_snapshot(metrics, snapshot, own);
	kl_metrics_unlock(metrics);
	if (metrics->fill != NULL)
		metrics->fill(metrics->owner, snapshot);
	kl_snapshot_gauge(snapshot, "kafka-metrics-count", "count", "1",
			  "The number of figures here, this one included.",
			  (double)snapshot->view.metric_count + 1, own);
	if (!snapshot->failed)
		return snapshot;
	kl_snapshot_unref(snapshot);
	return NULL;
}

struct ask {
	struct kl_metrics *metrics;
	struct klamm_loop *loop;
	struct kl_snapshot *snapshot;
};

static void take_in_loop(void *arg)
{
	struct ask *ask = arg;
	ask->snapshot = kl_metrics_take(ask->metrics, ask->loop);
}

int kl_metrics_ask(struct kl_metrics *metrics, struct klamm_loop *loop,
		   struct klamm_snapshot **snapshot_out, struct klamm_error *err)
{
	struct ask ask = {metrics, loop, NULL};
	kl_loop_call(loop, take_in_loop, &ask);
	if (ask.snapshot == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a snapshot");
	*snapshot_out = &ask.snapshot->view;
	return 0;
}
