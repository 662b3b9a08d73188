/* SPDX-License-Identifier: BSD-2-Clause */
/* The record path: from the caller's record to its bytes in an open batch.
 *
 * Per record: no allocation, no system call, no exact clock, one short lock. What happens
 * once per batch is out of line.
 */
#include "core/base/error.h"
#include "core/producer/producer.h"
#include "core/producer/serialize.h"
#include "core/record/batch_write.h"

/* In application-driven mode sending starts from within send() when this much waits, and goes
 * on for each of these that comes after it. */
#define DRIVE_BYTES (128 * 1024)
#define DRIVE_AGAIN (32 * 1024)

/* A record on its way, with everything known but its batch. */
struct item {
	struct klamm_span key, value;
	const struct klamm_header *headers;
	size_t header_count, headers_size;
	uint32_t headers_told; /* as in struct kl_slot */
	int64_t timestamp; /* KLAMM_TIMESTAMP_NOW, or the record's own */
	size_t bound;
	void *told; /* opaque or future */
	bool wanted;
	bool picked; /* the partitioner chose its partition, */
	bool sticky; /* or said that any will do */
};

/* --- choosing a partition --- */

static int32_t ask_partitioner(struct klamm_producer *p, struct klamm_topic *topic,
			       struct klamm_span key, struct klamm_span value, int32_t count,
			       int32_t previous)
{
	uint32_t flags = p->partitioner_flags;
	struct klamm_pick pick = {
		.size = sizeof(pick),
		.partition_count = count,
		.topic = topic->name,
		.key = key,
		.value = value,
		.slot = &topic->slot,
	};
	const struct klamm_partitioner_plugin *plugin = &p->partitioner.plugin->partitioner;
	bool serial = (flags & KLAMM_PARTITIONER_SERIAL) != 0;
	bool available = (flags & KLAMM_PARTITIONER_NEEDS_AVAILABLE) != 0;
	if (serial)
		kl_mutex_lock(&p->partitioner.mutex);
	if (available) {
		kl_mutex_lock(&topic->available_mutex);
		pick.available = topic->available;
		pick.available_count = (uint32_t)topic->available_count;
	}
	if (previous >= 0)
		plugin->on_new_batch(p->partitioner.instance.self, &pick, previous);
	int32_t choice = plugin->pick(p->partitioner.instance.self, &pick);
	if (available)
		kl_mutex_unlock(&topic->available_mutex);
	if (serial)
		kl_mutex_unlock(&p->partitioner.mutex);
	return choice;
}

/* KLAMM_PARTITION_ANY, or a partition below count, or an error. */
static KL_HOT int32_t pick_partition(struct klamm_producer *p, struct klamm_topic *topic,
				     const struct item *item, int32_t count,
				     int32_t previous)
{
	if ((p->partitioner_flags & KLAMM_PARTITIONER_NEEDS_KEY) != 0 &&
	    (item->key.data == NULL || p->settings->partitioner_ignore_keys))
		return KLAMM_PARTITION_ANY;
	return ask_partitioner(p, topic, item->key, item->value, count, previous);
}

static KL_COLD int bad_choice(const struct klamm_producer *p, const struct klamm_topic *topic,
		      int32_t choice, int32_t count, struct klamm_error *err)
{
	if (choice <= -1000)
		return kl_error(err, choice, "partitioner %s failed for topic %s: %s",
				p->partitioner.plugin->head.name, topic->name,
				klamm_err_name(choice));
	return kl_error(err, KLAMM_ERR_PARTITION,
			"partitioner %s chose partition %d of topic %s, which has %d",
			p->partitioner.plugin->head.name, choice, topic->name, count);
}

/* --- appending --- */

/* How far the coarse clock may lag the exact one, which opens batches. */
#define CLOCK_LAG_MS 100

static KL_HOT int64_t record_time(struct klamm_producer *p, const struct item *item,
				  int64_t base)
{
	if (item->timestamp != KLAMM_TIMESTAMP_NOW)
		return item->timestamp;
	int64_t now = p->record_clock(p->os);
	if (kl_likely(now >= base))
		return now;
	/* Time does not go backwards; but a first record may have one of its own. */
	return base - now <= CLOCK_LAG_MS ? base : now;
}

enum put {
	PUT_DONE,
	PUT_NO_ROOM,    /* or no batch is open */
	PUT_FAR_TIME,   /* its time is too far from the batch's: it needs another batch */
	PUT_NO_MEMORY,
	PUT_NO_OUTCOME, /* too many outcomes wait to be told */
};

/* With the lock held, a few times per batch or never: make room for the outcome of record
 * count. From the first that is wanted on every record has one. */
static KL_COLD enum put add_slots(struct klamm_producer *p, struct kl_partition *part)
{
	struct kl_outcome *o = part->batch->outcome;
	if (o == NULL) {
		bool full;
		o = kl_outcome_get(p, part->last_count, &full);
		if (o == NULL)
			return full ? PUT_NO_OUTCOME : PUT_NO_MEMORY;
		o->topic = part->topic;
		o->partition = part->index;
	}
	while (o->cap <= part->count) {
		if (kl_outcome_grow(p, o))
			continue;
		if (part->batch->outcome == NULL) /* the batch goes on without one */
			kl_outcome_put(p, o);
		return PUT_NO_MEMORY;
	}
	part->batch->outcome = o;
	if (part->slots == NULL)
		memset(o->slots, 0, part->count * sizeof(*o->slots));
	part->slots = o->slots;
	part->slot_count = o->cap;
	return PUT_DONE;
}

static inline int32_t size_of(struct klamm_span span)
{
	return span.data != NULL ? (int32_t)span.len : -1;
}

/* With the lock held. */
static KL_HOT enum put put_record(struct klamm_producer *p, struct kl_partition *part,
				  const struct item *item)
{
	if (kl_unlikely(item->bound > (size_t)(part->end - part->p)))
		return PUT_NO_ROOM;
	int64_t time = record_time(p, item, part->base_timestamp);
	int64_t delta = time - part->base_timestamp;
	if (kl_unlikely(delta != (int32_t)delta))
		return PUT_FAR_TIME;
	uint32_t i = part->count;
	if (item->wanted || part->slots != NULL) {
		if (kl_unlikely(i >= part->slot_count)) {
			enum put put = add_slots(p, part);
			if (put != PUT_DONE)
				return put;
		}
		part->slots[i] = (struct kl_slot){
			.opaque = item->told,
			.time_delta = (int32_t)delta,
			.key_size = size_of(item->key),
			.value_size = size_of(item->value),
			.headers = item->headers_told,
		};
		if (kl_unlikely(item->headers_told >= KL_SLOT_FUTURE))
			part->batch->outcome->futures = true;
	}
	part->p = kl_record_put(part->p, i, delta, item->key, item->value, item->headers,
				item->header_count, item->headers_size);
	part->count = i + 1;
	/* The next record of this partition lands there. */
	__builtin_prefetch(part->p, 1);
	__builtin_prefetch(part->p + KL_CACHE_LINE, 1);
	if (time > part->max_timestamp)
		part->max_timestamp = time;
	return PUT_DONE;
}

/* The same where it is not in a hurry. */
static KL_COLD enum put put_again(struct klamm_producer *p, struct kl_partition *part,
				  const struct item *item)
{
	return put_record(p, part, item);
}

/* With the lock held: move the open batch to the larger spare slab. */
static void move_batch(struct kl_partition *part, struct kl_spare *spare, size_t room)
{
	struct kl_pbatch *batch = part->batch;
	size_t used = (size_t)(part->p - batch->slab->data);
	memcpy(spare->slab->data, batch->slab->data, used);
	struct kl_slab *old = batch->slab;
	batch->slab = spare->slab;
	spare->slab = old; /* to be given back without the lock */
	part->p = batch->slab->data + used;
	part->end = batch->slab->data + kl_min(batch->slab->cap, room);
}

/* What the slow path does next, decided under the lock. */
struct plan {
	struct kl_pbatch *sealed;
	bool opened, done;
	uint64_t opened_id;
	int64_t opened_at;
	size_t need;    /* slab to get before trying again; 0 = none */
	bool outcomes_full;
	bool pick_again; /* a sticky record would open a batch */
};

static size_t first_size(const struct kl_partition *part, size_t room)
{
	return kl_min(kl_max(part->last_size, (size_t)KL_SLAB_MIN), room);
}

/* A batch reads the exact clocks, unless it follows a full one and nothing was waited for:
 * there are many of those, and their records are as good as those before. */
static void look_at_clocks(struct klamm_producer *p, const struct kl_spare *spare,
			   int64_t *now_out, int64_t *wall_ms_out)
{
	struct kl_os *os = p->os;
	bool lately = spare->follows && spare->deadline == 0;
	*now_out = lately ? kl_loop_lately(p->loop) : os->now(os);
	if (wall_ms_out != NULL)
		*wall_ms_out = lately ? p->record_clock(os) : os->wall_ms(os);
}

static void plan_open(struct klamm_producer *p, struct kl_partition *part,
		      const struct item *item, struct kl_spare *spare, size_t room,
		      struct plan *plan)
{
	size_t least = KL_BATCH_HEAD + item->bound;
	size_t need = kl_max(first_size(part, room), least);
	if (spare->slab == NULL || spare->batch == NULL || spare->slab->cap < least) {
		plan->need = need;
		return;
	}
	plan->opened = true;
	plan->opened_id = spare->batch->id;
	int64_t time = item->timestamp;
	look_at_clocks(p, spare, &plan->opened_at, time == KLAMM_TIMESTAMP_NOW ? &time : NULL);
	kl_pbatch_open(part, spare, kl_max(room, least), plan->opened_at, time);
}

/* With the lock held, when the record did not just fit. */
static int make_plan(struct klamm_producer *p, struct kl_partition *part, struct item *item,
		     struct kl_spare *spare, bool may_pick_again, struct plan *plan)
{
	size_t room = kl_pbatch_limit(p, part->topic);
	enum put put = put_again(p, part, item);
	if (put == PUT_NO_ROOM && part->batch != NULL) {
		size_t used = (size_t)(part->p - part->batch->slab->data);
		if (used + item->bound <= room) { /* the slab is too small, not the batch */
			if (spare->slab == NULL || spare->slab->cap < used + item->bound) {
				plan->need = kl_min(kl_max(2 * part->batch->slab->cap,
							   used + item->bound),
						    kl_slab_size(room));
				return 0;
			}
			move_batch(part, spare, room);
			put = put_again(p, part, item);
		}
	}
	if (put == PUT_NO_ROOM || put == PUT_FAR_TIME) {
		if (part->batch != NULL) {
			plan->sealed = kl_pbatch_seal(p, part);
			spare->follows = true;
		}
		if (may_pick_again) {
			plan->pick_again = true;
			return 0;
		}
		plan_open(p, part, item, spare, room, plan);
		if (!plan->opened)
			return 0;
		put = put_again(p, part, item);
	}
	plan->done = put == PUT_DONE;
	plan->outcomes_full = put == PUT_NO_OUTCOME;
	return put == PUT_NO_MEMORY ? KLAMM_ERR_NO_MEMORY : 0;
}

/* What was decided under the lock is done. */
static void carry_out(struct klamm_producer *p, struct kl_partition *part,
		      const struct plan *plan)
{
	if (plan->sealed != NULL)
		kl_pbatch_finish(p, plan->sealed);
	if (!plan->opened)
		return;
	kl_partition_mark(p, part, plan->opened_at + p->linger_us);
	/* A flush that looked before this was marked does not wait for it to be due. */
	if (plan->opened_id <= atomic_load(&p->flush_id) || atomic_load(&p->pressure))
		kl_loop_post(p->loop, &p->task);
}

static bool outcomes_have_room(void *arg)
{
	struct klamm_producer *p = arg;
	return !kl_outcome_full(p) || atomic_load(p->state) != KL_PRODUCER_OPEN;
}

static int wait_for_outcomes(struct klamm_producer *p, int64_t deadline,
			     struct klamm_error *err)
{
	if (!kl_loop_in_callback(p->os) &&
	    kl_loop_wait(p->loop, &p->gate, outcomes_have_room, p, deadline))
		return atomic_load(p->state) == KL_PRODUCER_OPEN
			       ? 0
			       : kl_producer_state_error(p, err);
	return kl_error(err, KLAMM_ERR_QUEUE_FULL,
			"deliveries are not being polled: what became of earlier records "
			"takes as much memory as buffer.memory allows (%lld bytes)",
			(long long)p->settings->buffer_memory);
}

/* A record that was not given a partition would open a batch: another one may do. */
static int pick_again(struct klamm_producer *p, struct klamm_topic *topic, struct item *item,
		      int32_t *index, struct klamm_error *err)
{
	int32_t count = atomic_load(&topic->partition_count);
	if (count == 0) /* metadata was let go of, or the topic is gone */
		return 0;
	if (item->sticky && kl_topic_stays(topic, *index, item->bound))
		return 0;
	int32_t choice = item->sticky ? KLAMM_PARTITION_ANY
				      : pick_partition(p, topic, item, count, *index);
	if (choice == KLAMM_PARTITION_ANY)
		choice = kl_topic_pick_sticky(topic, count);
	if (choice < 0 || choice >= count)
		return bad_choice(p, topic, choice, count, err);
	*index = choice;
	return 0;
}

/* Between kl_producer_enter() and _leave(). */
static int append_waiting(struct klamm_producer *p, struct klamm_topic *topic, int32_t index,
			  struct item *item, struct kl_spare *spare, struct klamm_error *err)
{
	bool may_pick_again = item->sticky ||
			      (item->picked &&
			       p->partitioner.plugin->partitioner.on_new_batch);
	for (;;) {
		struct kl_partition *part = atomic_load(&topic->partitions)[index];
		struct plan plan = {0};
		kl_partition_lock(part);
		int rc = make_plan(p, part, item, spare, may_pick_again, &plan);
		kl_partition_unlock(part);
		carry_out(p, part, &plan);
		if (rc != 0)
			return kl_error(err, rc, "out of memory for the outcomes of a batch");
		if (plan.done)
			return 0;
		if (plan.pick_again) {
			may_pick_again = false;
			rc = pick_again(p, topic, item, &index, err);
		} else if (plan.outcomes_full) {
			rc = wait_for_outcomes(p, kl_spare_deadline(p, spare), err);
		} else {
			rc = kl_spare_get(p, spare, plan.need, err);
		}
		if (rc != 0)
			return rc;
	}
}

/* Nobody else may be stepping the loop: do it, now that there is something to send. */
static void drive(struct klamm_producer *p)
{
	uint64_t sealed = atomic_load_explicit(&p->sealed_ever, memory_order_relaxed);
	uint64_t driven = atomic_load_explicit(&p->driven_at, memory_order_relaxed);
	if (atomic_load_explicit(&p->sealed_bytes, memory_order_relaxed) < DRIVE_BYTES ||
	    sealed - driven < DRIVE_AGAIN)
		return;
	atomic_store_explicit(&p->driven_at, sealed, memory_order_relaxed);
	kl_loop_step(p->loop, 0);
}

/* A batch has to be opened, grown or closed. The item comes by value, so that the usual way
 * can keep it in registers. */
static KL_COLD int append_slowly(struct klamm_producer *p, struct klamm_topic *topic,
				 int32_t index, struct item item, struct klamm_error *err)
{
	struct kl_spare spare = {.slab = NULL};
	if (!kl_producer_enter(p))
		return kl_producer_state_error(p, err);
	int rc = append_waiting(p, topic, index, &item, &spare, err);
	if (spare.slab != NULL || spare.batch != NULL)
		kl_spare_put(p, &spare);
	if (kl_loop_is_driven(p->loop))
		drive(p);
	kl_producer_leave(p);
	return rc;
}

static KL_HOT int append(struct klamm_producer *p, struct klamm_topic *topic,
			 int32_t index, const struct item *item, struct klamm_error *err)
{
	struct kl_partition *part =
		atomic_load_explicit(&topic->partitions, memory_order_acquire)[index];
	kl_partition_lock(part);
	enum put put = put_record(p, part, item);
	kl_partition_unlock(part);
	if (kl_likely(put == PUT_DONE))
		return 0;
	return append_slowly(p, topic, index, *item, err);
}

/* --- the whole way --- */

static inline bool is_wanted(const struct klamm_producer *p, const void *told)
{
	return told != NULL || p->deliver_all;
}

static KL_COLD int too_large(const struct klamm_producer *p, size_t bound, bool headers_fit,
		     struct klamm_error *err)
{
	if (!headers_fit)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"a header of the record has no name, or is too long");
	return kl_error(err, KLAMM_ERR_RECORD_TOO_LARGE,
			"the record takes up to %zu bytes, more than max.request.size (%d) "
			"allows",
			bound + KL_BATCH_HEAD, p->settings->max_request_size);
}

static int check_record(const struct klamm_record *record, struct klamm_error *err)
{
	if (record->size != sizeof(*record))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the record's size is %zu, not %zu: begin with "
				"KLAMM_RECORD_INIT",
				record->size, sizeof(*record));
	if (record->partition < KLAMM_PARTITION_NONE)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"partition %d: must be a partition's number or "
				"KLAMM_PARTITION_NONE",
				record->partition);
	return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
			"timestamp %lld: must be milliseconds since 1970 or "
			"KLAMM_TIMESTAMP_NOW",
			(long long)record->timestamp_ms);
}

static inline bool is_odd(const struct klamm_record *record)
{
	return record->size != sizeof(*record) || record->partition < KLAMM_PARTITION_NONE ||
	       record->timestamp_ms < KLAMM_TIMESTAMP_NOW;
}

static inline bool needs_serializer(const struct klamm_producer *p,
				    const struct klamm_record *record)
{
	return p->serializes || record->key_value != NULL || record->value_value != NULL;
}

static void measure_headers(struct item *item)
{
	item->headers_size = kl_headers_size(item->headers, item->header_count);
	if (item->header_count == 0 || item->headers_size == SIZE_MAX)
		return; /* none, or too long for the format */
	size_t told = 1;
	for (size_t i = 0; i < item->header_count; i++) {
		const struct klamm_header *header = &item->headers[i];
		told += header->name.len;
		told += header->value.data != NULL ? header->value.len : 0;
	}
	item->headers_told |= (uint32_t)told & ~KL_SLOT_FUTURE;
}

static KL_HOT void fill_item(const struct klamm_producer *p, const struct klamm_record *record,
			     void *told, bool is_future, struct item *item)
{
	*item = (struct item){
		.key = record->key,
		.value = record->value,
		.headers = record->headers,
		.header_count = record->header_count,
		.headers_size = 1,
		.timestamp = record->timestamp_ms,
		.told = told,
		.headers_told = is_future ? KL_SLOT_FUTURE : 0,
		.wanted = is_future || is_wanted(p, told),
	};
	if (kl_unlikely(record->header_count > 0))
		measure_headers(item);
}

static int serialize_item(struct klamm_producer *p, const struct klamm_topic *topic,
			  const struct klamm_record *record, struct kl_serialized *serialized,
			  struct item *item, struct klamm_error *err)
{
	int rc = kl_serialize(p, topic, record, serialized, err);
	if (rc != 0)
		return rc;
	item->key = serialized->key;
	item->value = serialized->value;
	item->headers = serialized->headers;
	item->header_count = serialized->header_count;
	measure_headers(item);
	return 0;
}

/* Everything that comes before the lock: how much room it takes, and its partition. */
static KL_HOT int place_item(struct klamm_producer *p, struct klamm_topic *topic,
			     int32_t partition, struct item *item, int32_t *index_out,
			     struct klamm_error *err)
{
	int32_t count = atomic_load_explicit(&topic->partition_count, memory_order_acquire);
	item->bound = kl_record_bound(item->key.len, item->value.len, item->headers_size);
	if (kl_unlikely(item->bound > p->record_max))
		return too_large(p, item->bound, item->headers_size != SIZE_MAX, err);
	if (kl_unlikely(count == 0 || partition >= count ||
			atomic_load_explicit(&topic->error, memory_order_relaxed) != 0)) {
		int64_t deadline = kl_os_deadline_ms(p->os, p->settings->max_block_ms);
		int rc = kl_topic_wait(p, topic, kl_max(partition, 0), deadline, err);
		if (rc != 0)
			return rc;
		count = kl_max(atomic_load(&topic->partition_count), 1);
	}
	*index_out = partition;
	if (partition >= 0)
		return 0;
	int32_t index = pick_partition(p, topic, item, count, -1);
	item->picked = true;
	if (index == KLAMM_PARTITION_ANY) {
		item->sticky = true;
		index = atomic_load_explicit(&topic->sticky, memory_order_relaxed);
		if (kl_unlikely(index < 0 || index >= count))
			index = kl_topic_pick_sticky(topic, count);
	} else if (kl_unlikely((uint32_t)index >= (uint32_t)count)) {
		return bad_choice(p, topic, index, count, err);
	}
	*index_out = index;
	return 0;
}

static KL_COLD int send_serialized(struct klamm_producer *p, struct klamm_topic *topic,
			   const struct klamm_record *record, struct item *item,
			   struct klamm_error *err)
{
	struct kl_serialized serialized;
	int32_t index = KLAMM_PARTITION_NONE;
	int rc = serialize_item(p, topic, record, &serialized, item, err);
	if (rc == 0)
		rc = place_item(p, topic, record->partition, item, &index, err);
	if (rc == 0)
		rc = append(p, topic, index, item, err);
	kl_serialized_free(&serialized);
	return rc;
}

static KL_HOT int send_record(struct klamm_producer *p, struct klamm_topic *topic,
			      const struct klamm_record *record, void *told, bool is_future,
			      struct klamm_error *err)
{
	if (kl_unlikely(atomic_load_explicit(p->state, memory_order_acquire) !=
			KL_PRODUCER_OPEN))
		return kl_producer_state_error(p, err);
	if (kl_unlikely(is_odd(record)))
		return check_record(record, err);
	struct item item;
	fill_item(p, record, told, is_future, &item);
	if (kl_unlikely(needs_serializer(p, record)))
		return send_serialized(p, topic, record, &item, err);
	int32_t index = KLAMM_PARTITION_NONE;
	int rc = place_item(p, topic, record->partition, &item, &index, err);
	return rc == 0 ? append(p, topic, index, &item, err) : rc;
}

int klamm_producer_send(struct klamm_producer *p, struct klamm_topic *topic,
			const struct klamm_record *record, void *opaque,
			struct klamm_error *err)
{
	return send_record(p, topic, record, opaque, false, err);
}

int klamm_producer_send_to(struct klamm_producer *p, const char *name,
			   const struct klamm_record *record, void *opaque,
			   struct klamm_error *err)
{
	/* The table's own reference holds it as long as the producer is open. */
	struct klamm_topic *topic = atomic_load_explicit(&p->last_topic, memory_order_acquire);
	if (topic == NULL || strcmp(topic->name, name) != 0) {
		int rc = klamm_producer_topic(p, name, &topic, err);
		if (rc != 0)
			return rc;
		klamm_topic_unref(topic);
		atomic_store_explicit(&p->last_topic, topic, memory_order_release);
	}
	return send_record(p, topic, record, opaque, false, err);
}

/* --- many at once --- */

/* Records that are prepared together, so that those of one partition go in under one lock. */
#define RUN 32

struct run {
	size_t count;
	struct item items[RUN];
	int32_t indexes[RUN];
	bool serialized[RUN];
	struct kl_serialized outs[RUN];
};

/* As many as can be; the error belongs to the one behind them. */
static int prepare_run(struct klamm_producer *p, struct klamm_topic *topic,
		       const struct klamm_record *records, size_t count,
		       void *const *opaques, struct run *run, struct klamm_error *err)
{
	int rc = 0;
	for (run->count = 0; rc == 0 && run->count < kl_min(count, (size_t)RUN);) {
		size_t i = run->count;
		struct item *item = &run->items[i];
		if (is_odd(&records[i]))
			return check_record(&records[i], err);
		fill_item(p, &records[i], opaques != NULL ? opaques[i] : NULL, false, item);
		run->serialized[i] = needs_serializer(p, &records[i]);
		if (run->serialized[i])
			rc = serialize_item(p, topic, &records[i], &run->outs[i], item, err);
		if (rc == 0)
			rc = place_item(p, topic, records[i].partition, item, &run->indexes[i],
					err);
		if (rc == 0)
			run->count++;
		else if (run->serialized[i])
			kl_serialized_free(&run->outs[i]);
	}
	return rc;
}

/* The sticky choice moves on while the run is appended. */
static inline int32_t index_of(const struct klamm_topic *topic, const struct run *run,
			       size_t i)
{
	return run->items[i].sticky
		       ? atomic_load_explicit(&topic->sticky, memory_order_relaxed)
		       : run->indexes[i];
}

static int append_run(struct klamm_producer *p, struct klamm_topic *topic, struct run *run,
		      size_t *done_out, struct klamm_error *err)
{
	size_t i = 0;
	int rc = 0;
	while (rc == 0 && i < run->count) {
		int32_t index = index_of(topic, run, i);
		struct kl_partition *part =
			atomic_load_explicit(&topic->partitions, memory_order_acquire)[index];
		enum put put = PUT_DONE;
		kl_partition_lock(part);
		while (i < run->count && index_of(topic, run, i) == index &&
		       (put = put_record(p, part, &run->items[i])) == PUT_DONE)
			i++;
		kl_partition_unlock(part);
		if (put == PUT_DONE)
			continue;
		rc = append_slowly(p, topic, index, run->items[i], err);
		if (rc == 0)
			i++;
	}
	*done_out += i;
	return rc;
}

int klamm_producer_send_many(struct klamm_producer *p, struct klamm_topic *topic,
			     const struct klamm_record *records, size_t count,
			     void *const *opaques, size_t *queued_out,
			     struct klamm_error *err)
{
	int rc = 0;
	size_t done = 0;
	while (rc == 0 && done < count) {
		if (atomic_load_explicit(p->state, memory_order_acquire) != KL_PRODUCER_OPEN) {
			rc = kl_producer_state_error(p, err);
			break;
		}
		struct run run;
		int prepared = prepare_run(p, topic, records + done, count - done,
					   opaques != NULL ? opaques + done : NULL, &run, err);
		rc = append_run(p, topic, &run, &done, err);
		if (rc == 0)
			rc = prepared;
		for (size_t i = 0; i < run.count; i++)
			if (run.serialized[i])
				kl_serialized_free(&run.outs[i]);
	}
	if (queued_out != NULL)
		*queued_out = done;
	return rc;
}

int klamm_producer_send_future(struct klamm_producer *p, struct klamm_topic *topic,
			       const struct klamm_record *record,
			       struct klamm_future **future_out, struct klamm_error *err)
{
	struct klamm_future *future = kl_future_new(p);
	if (future == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a future");
	int rc = send_record(p, topic, record, future, true, err);
	if (rc != 0) {
		kl_future_drop(future);
		return rc;
	}
	*future_out = future;
	return 0;
}

void klamm_record_init(struct klamm_record *record)
{
	*record = (struct klamm_record)KLAMM_RECORD_INIT;
}
