/* SPDX-License-Identifier: BSD-2-Clause */
/* What a program does to its broker, from any thread: each call runs in the loop and waits for
 * it. Faults are in faults.c. */
#include "broker/call.h"
#include "broker/data.h"

struct control {
	struct klamm_broker *broker;
	struct klamm_error *err;
	const char *topic;
	int32_t partition, node;
	int32_t api, min, max;
	bool reset;
	int64_t start, end;
	int64_t count;
	int rc;
};

static int run(struct klamm_broker *broker, void (*fn)(void *arg), struct control *c)
{
	int rc = kl_dev_check_fork(broker, c->err);
	if (rc != 0)
		return rc;
	c->broker = broker;
	kl_loop_call(broker->loop, fn, c);
	return c->rc;
}

/* --- topics --- */

static void run_create(void *arg)
{
	struct control *c = arg;
	struct kl_dev_topic *topic;
	struct kl_dev_topic_spec spec = {
		.name = kl_str(c->topic),
		.partitions = c->partition == 0 ? -1 : c->partition,
		.replicas = -1,
	};
	c->rc = kl_dev_topic_create(c->broker, &spec, &topic, c->err);
}

int klamm_broker_create_topic(struct klamm_broker *broker, const char *topic,
			      int32_t partitions, struct klamm_error *err)
{
	struct control c = {.err = err, .topic = topic, .partition = partitions};
	return run(broker, run_create, &c);
}

static struct kl_dev_partition *find(struct control *c)
{
	struct kl_dev_topic *topic = kl_dev_topic_named(c->broker, kl_str(c->topic));
	struct kl_dev_partition *partition = kl_dev_partition(topic, c->partition);
	if (partition == NULL)
		c->rc = kl_error(c->err, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION,
				 "the broker has no partition %d of a topic %s",
				 (int)c->partition, c->topic);
	return partition;
}

static void run_offsets(void *arg)
{
	struct control *c = arg;
	struct kl_dev_partition *partition = find(c);
	if (partition == NULL)
		return;
	c->start = partition->log.start;
	c->end = partition->log.end;
}

int klamm_broker_offsets(struct klamm_broker *broker, const char *topic,
			 int32_t partition, int64_t *start_out, int64_t *end_out,
			 struct klamm_error *err)
{
	struct control c = {.err = err, .topic = topic, .partition = partition};
	int rc = run(broker, run_offsets, &c);
	if (rc == 0 && start_out != NULL)
		*start_out = c.start;
	if (rc == 0 && end_out != NULL)
		*end_out = c.end;
	return rc;
}

static void run_move(void *arg)
{
	struct control *c = arg;
	struct kl_dev_partition *partition = find(c);
	if (partition == NULL)
		return;
	struct kl_dev_node *node = kl_dev_node(c->broker, c->node);
	bool replica = false;
	for (int32_t i = 0; i < partition->replica_count; i++)
		replica |= partition->replicas[i] == c->node;
	if (node == NULL || !kl_dev_node_runs(node) || !replica)
		c->rc = kl_error(c->err, KLAMM_ERR_INVALID_ARGUMENT,
				 "node %d cannot lead partition %d of %s", (int)c->node,
				 (int)c->partition, c->topic);
	else if (partition->leader != c->node &&
		 kl_dev_partition_lead(c->broker, partition, c->node) != 0)
		c->rc = kl_error(c->err, KLAMM_ERR_NO_MEMORY, "out of memory");
	else
		kl_dev_save(c->broker, NULL); /* or else before the next append */
}

int klamm_broker_move_leader(struct klamm_broker *broker, const char *topic,
			     int32_t partition, int32_t node, struct klamm_error *err)
{
	struct control c = {
		.err = err, .topic = topic, .partition = partition, .node = node};
	return run(broker, run_move, &c);
}

/* --- nodes --- */

static struct kl_dev_node *find_node(struct control *c)
{
	struct kl_dev_node *node = kl_dev_node(c->broker, c->node);
	if (node == NULL)
		c->rc = kl_error(c->err, KLAMM_ERR_INVALID_ARGUMENT,
				 "there is no node %d", (int)c->node);
	return node;
}

static void run_node_stop(void *arg)
{
	struct control *c = arg;
	struct kl_dev_node *node = find_node(c);
	if (node == NULL)
		return;
	kl_dev_node_close(node, c->reset);
	kl_dev_topics_elect(c->broker);
}

int klamm_broker_node_stop(struct klamm_broker *broker, int32_t node, bool reset,
			   struct klamm_error *err)
{
	struct control c = {.err = err, .node = node, .reset = reset};
	return run(broker, run_node_stop, &c);
}

static void run_node_start(void *arg)
{
	struct control *c = arg;
	struct kl_dev_node *node = find_node(c);
	if (node == NULL || kl_dev_node_runs(node))
		return;
	int rc = kl_dev_node_listen(node);
	if (rc < 0)
		c->rc = kl_error(c->err, KLAMM_ERR_SYSTEM, "cannot listen on port %d: %s",
				 (int)node->port, strerror(-rc));
	else
		kl_dev_topics_elect(c->broker);
}

int klamm_broker_node_start(struct klamm_broker *broker, int32_t node,
			    struct klamm_error *err)
{
	struct control c = {.err = err, .node = node};
	return run(broker, run_node_start, &c);
}

/* --- APIs --- */

static void run_limit(void *arg)
{
	struct control *c = arg;
	c->broker->served[c->api].min = (int16_t)c->min;
	c->broker->served[c->api].max = (int16_t)c->max;
}

int klamm_broker_limit_api(struct klamm_broker *broker, int32_t api, int32_t min,
			   int32_t max, struct klamm_error *err)
{
	const struct kl_dev_api *served = kl_dev_api_find(api);
	if (served == NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "API %d is not served",
				(int)api);
	if (min <= max && (min < served->min || max > served->max))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"%s is served in versions %d to %d", kl_api_name(api),
				served->min, served->max);
	struct control c = {.api = api, .min = min, .max = max};
	if (min > max) {
		c.min = 1;
		c.max = 0;
	}
	return run(broker, run_limit, &c);
}

static void run_count(void *arg)
{
	struct control *c = arg;
	c->count = c->broker->requests[c->api];
}

int64_t klamm_broker_request_count(struct klamm_broker *broker, int32_t api)
{
	struct control c = {.api = api};
	if (kl_dev_api_find(api) == NULL)
		return 0;
	run(broker, run_count, &c);
	return c.count;
}
