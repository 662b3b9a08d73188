/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of topics, a file that is replaced as a whole: written beside, synced,
 *renamed.
 *
 * Numbers are big-endian, texts and lists begin with their length:
 *	"klammdb1", cluster id (16 bytes), next producer id 8, next leader 4, topics 4,
 *and each: name 2+n, id 16, settings 4, and each: name 2+n, value 4+n partitions 4, and
 *each: leader epoch 4, log start 8, replicas 4 (each 4), epochs 4 (each 4 and 8)
 *	CRC-32C of all that, 4
 */
#include <stdlib.h>

#include "broker/call.h"
#include "broker/data.h"
#include "core/base/crc32c.h"

#define MAGIC	  "klammdb1"
#define MAGIC_LEN 8
#define TABLE	  "topics"
/* 100,000 partitions take about 10 MiB. */
#define TABLE_MAX ((size_t)256 << 20)
/* No list of one thing is longer. */
#define COUNT_MAX 10000000
/* No epoch of a leader, offset or producer id is higher, so that there is room to count on. */
#define EPOCH_MAX (INT32_MAX / 2)
#define NEXT_MAX  (INT64_MAX / 2)

/* --- encode --- */

static void put_text(struct kl_buf *b, const char *text, size_t n)
{
	kl_buf_i16(b, (int16_t)n);
	kl_buf_put(b, text, n);
}

static void put_settings(struct kl_buf *b, const struct kl_dev_settings *settings)
{
	int32_t count = 0;
	for (int i = 0; i < KL_DEV_CONFIGS; i++)
		count += settings->values[i] != NULL;
	kl_buf_i32(b, count);
	for (int i = 0; i < KL_DEV_CONFIGS; i++) {
		if (settings->values[i] == NULL)
			continue;
		size_t n = strlen(settings->values[i]);
		put_text(b, kl_dev_config_rows[i].name,
			 strlen(kl_dev_config_rows[i].name));
		kl_buf_i32(b, (int32_t)n);
		kl_buf_put(b, settings->values[i], n);
	}
}

static void put_partition(struct kl_buf *b, const struct kl_dev_partition *partition)
{
	const struct kl_dev_log *log = &partition->log;
	kl_buf_i32(b, partition->leader_epoch);
	kl_buf_i64(b, log->start);
	kl_buf_i32(b, partition->replica_count);
	for (int32_t i = 0; i < partition->replica_count; i++)
		kl_buf_i32(b, partition->replicas[i]);
	kl_buf_i32(b, (int32_t)log->epoch_count);
	for (size_t i = 0; i < log->epoch_count; i++) {
		kl_buf_i32(b, log->epochs[i].epoch);
		kl_buf_i64(b, log->epochs[i].start);
	}
}

static void encode(const struct klamm_broker *broker, struct kl_buf *b)
{
	kl_buf_put(b, MAGIC, MAGIC_LEN);
	kl_buf_put(b, broker->cluster_uuid.bytes, sizeof(broker->cluster_uuid.bytes));
	kl_buf_i64(b, broker->producer_id_limit);
	kl_buf_i32(b, broker->topics.next_leader);
	kl_buf_i32(b, (int32_t)HASH_CNT(hh, broker->topics.by_name));
	struct kl_dev_topic *topic, *next;
	HASH_ITER(hh, broker->topics.by_name, topic, next)
	{
		put_text(b, topic->name, (size_t)topic->name_len);
		kl_buf_put(b, topic->id.bytes, sizeof(topic->id.bytes));
		put_settings(b, &topic->settings);
		kl_buf_i32(b, topic->partition_count);
		for (int32_t i = 0; i < topic->partition_count; i++)
			put_partition(b, topic->partitions[i]);
	}
	kl_buf_i32(b, (int32_t)kl_crc32c(0, b->data, b->failed ? 0 : b->len));
}

/* --- save --- */

int kl_dev_save(struct klamm_broker *broker, struct klamm_error *err)
{
	struct kl_dev_store *store = broker->store;
	if (store == NULL || !broker->is_open)
		return 0;
	struct kl_buf b = {.max = TABLE_MAX};
	encode(broker, &b);
	int rc = b.failed ? -ENOMEM : kl_dev_store_put(store, TABLE, b.data, b.len);
	kl_buf_free(&b);
	store->is_stale = store->is_unsaved = rc < 0;
	if (rc == 0)
		return 0;
	kl_dev_store_failed(store, "write", TABLE, rc);
	return kl_error(err, KLAMM_ERR_KAFKA_STORAGE_ERROR,
			"cannot write %s/" TABLE ": %s", store->dir, strerror(-rc));
}

void kl_dev_save_soon(struct klamm_broker *broker)
{
	if (broker->store == NULL || !broker->is_open)
		return;
	broker->store->is_stale = true;
	kl_dev_store_soon(broker->store);
}

/* --- load --- */

static struct kl_str get_text(struct kl_reader *r, int32_t n)
{
	const uint8_t *p = n >= 0 ? kl_read(r, (size_t)n) : NULL;
	if (p == NULL)
		r->failed = true;
	return (struct kl_str){(const char *)p, r->failed ? 0 : n};
}

/* A count of things that take so many bytes at least. */
static int32_t get_count(struct kl_reader *r, size_t smallest)
{
	int32_t n = kl_read_i32(r);
	if (n < 0 || n > COUNT_MAX || (size_t)n > kl_reader_left(r) / smallest)
		r->failed = true;
	return r->failed ? 0 : n;
}

/* Numbers that are counted on from: a negative one, or one without room behind it, was not
 * written by a broker. */
static int32_t get_epoch(struct kl_reader *r)
{
	int32_t epoch = kl_read_i32(r);
	r->failed |= epoch < 0 || epoch > EPOCH_MAX;
	return epoch;
}

static int64_t get_next(struct kl_reader *r)
{
	int64_t next = kl_read_i64(r);
	r->failed |= next < 0 || next > NEXT_MAX;
	return next;
}

static struct klamm_uuid get_uuid(struct kl_reader *r)
{
	struct klamm_uuid uuid = {{0}};
	const uint8_t *p = kl_read(r, sizeof(uuid.bytes));
	if (p != NULL)
		memcpy(uuid.bytes, p, sizeof(uuid.bytes));
	return uuid;
}

static int load_settings(struct klamm_broker *broker, struct kl_reader *r,
			 struct kl_dev_settings *settings, struct klamm_error *err)
{
	kl_dev_settings_init(settings, broker->options.message_max_bytes);
	for (int32_t n = get_count(r, 6); n > 0; n--) {
		struct kl_str name = get_text(r, kl_read_i16(r));
		struct kl_str value = get_text(r, kl_read_i32(r));
		int rc =
			r->failed ? 0 : kl_dev_settings_set(settings, name, value, err);
		if (rc != 0)
			return rc;
	}
	return 0;
}

static int load_partition(struct klamm_broker *broker, struct kl_reader *r,
			  struct kl_dev_topic *topic, struct klamm_error *err)
{
	int32_t leader_epoch = get_epoch(r);
	int64_t start = get_next(r);
	int32_t count = get_count(r, 4);
	if (count == 0 || count > broker->options.nodes)
		return r->failed ? 0
				 : kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
					    "topic %s has %d replicas: the data "
					    "directory was made "
					    "with more nodes",
					    topic->name, (int)count);
	struct kl_dev_partition *partition =
		kl_dev_partition_restore(broker, topic, count);
	if (partition == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	for (int32_t i = 0; i < count; i++) {
		partition->replicas[i] = kl_read_i32(r);
		if (!r->failed && kl_dev_node(broker, partition->replicas[i]) == NULL)
			return kl_error(
				err, KLAMM_ERR_INVALID_ARGUMENT,
				"topic %s has a replica on node %d: the data directory "
				"was made with more nodes",
				topic->name, (int)partition->replicas[i]);
	}
	struct kl_dev_log *log = &partition->log;
	partition->leader_epoch = leader_epoch;
	log->start = log->end = log->high = log->synced = start;
	for (int32_t n = get_count(r, 12); n > 0 && !r->failed; n--) {
		struct kl_dev_epoch epoch = {kl_read_i32(r), kl_read_i64(r)};
		if (!kl_dev_log_add_epoch(log, epoch))
			return kl_error(err, KLAMM_ERR_NO_MEMORY,
					"out of memory for a broker");
	}
	return 0;
}

static int load_topic(struct klamm_broker *broker, struct kl_reader *r,
		      struct klamm_error *err)
{
	struct kl_str name = get_text(r, kl_read_i16(r));
	struct klamm_uuid id = get_uuid(r);
	KL_AUTO(kl_dev_settings_free) struct kl_dev_settings settings = {0};
	int rc = load_settings(broker, r, &settings, err);
	int32_t count = get_count(r, 20);
	if (rc != 0 || r->failed)
		return rc;
	rc = kl_dev_topic_check_name(name, err);
	if (rc != 0)
		return rc;
	struct kl_dev_topic *topic =
		kl_dev_topic_restore(broker, name, &id, count, &settings);
	if (topic == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a broker");
	for (int32_t i = 0; i < count && rc == 0 && !r->failed; i++)
		rc = load_partition(broker, r, topic, err);
	return rc;
}

static int decode(struct klamm_broker *broker, struct kl_reader *r,
		  struct klamm_error *err)
{
	int rc = 0;
	kl_read(r, MAGIC_LEN);
	broker->cluster_uuid = get_uuid(r);
	broker->next_producer_id = broker->producer_id_limit = get_next(r);
	broker->topics.next_leader =
		(int32_t)((uint32_t)kl_read_i32(r) % (uint32_t)broker->options.nodes);
	for (int32_t n = get_count(r, 26); n > 0 && rc == 0 && !r->failed; n--)
		rc = load_topic(broker, r, err);
	if (rc == 0 && (r->failed || kl_reader_left(r) != 0))
		rc = kl_error(err, KLAMM_ERR_SYSTEM,
			      "the table %s/" TABLE " is damaged", broker->store->dir);
	return rc;
}

int kl_dev_table_load(struct klamm_broker *broker, bool *found_out,
		      struct klamm_error *err)
{
	struct kl_dev_store *store = broker->store;
	KL_AUTO(kl_dev_free_text) char *path = kl_dev_store_path(store, TABLE);
	KL_AUTO(kl_dev_free_text) char *data = NULL;
	size_t n;
	int rc = path != NULL
			 ? kl_os_read_file(store->loop->os, path, TABLE_MAX, &data, &n)
			 : -ENOMEM;
	*found_out = rc == 0;
	if (rc == -ENOENT)
		return 0;
	if (rc < 0)
		return kl_error(err, KLAMM_ERR_SYSTEM, "cannot read %s/" TABLE ": %s",
				store->dir, strerror(-rc));
	if (n < MAGIC_LEN + 4 || memcmp(data, MAGIC, MAGIC_LEN) != 0)
		return kl_error(err, KLAMM_ERR_SYSTEM,
				"%s is no table of topics, or that of another version",
				path);
	if (kl_crc32c(0, data, n - 4) != kl_load_u32(data + n - 4))
		return kl_error(err, KLAMM_ERR_SYSTEM, "the table %s is damaged (CRC)",
				path);
	struct kl_reader r = kl_reader(data, n - 4);
	return decode(broker, &r, err);
}
