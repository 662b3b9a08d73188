/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/producer/outcome.h"

#include <stdlib.h>

#include "core/base/error.h"
#include "core/producer/producer.h"

/* A block doubles as its batch grows, and keeps what it has when it is used again: up to a
 * share of buffer.memory, so that few small batches do not take all of it. */
#define FIRST_SLOTS 16
#define KEEP_SLOTS 16384
#define KEEP_SHARE 64

/* Longer than this a callback holds up whoever polls, and with that its own deliveries. */
#define SLOW_CALLBACKS (100 * KL_MS)

/* --- blocks --- */

static size_t bytes_of(const struct kl_outcome *o)
{
	return sizeof(*o) + o->cap * sizeof(*o->slots);
}

static bool is_full(const struct klamm_producer *p)
{
	return p->outcome_bytes >= (size_t)p->settings->buffer_memory;
}

bool kl_outcome_full(struct klamm_producer *p)
{
	kl_mutex_lock(&p->mutex);
	bool full = is_full(p);
	kl_mutex_unlock(&p->mutex);
	return full;
}

static struct kl_outcome *outcome_new(uint32_t slots)
{
	struct kl_outcome *o = calloc(1, sizeof(*o));
	if (o == NULL)
		return NULL;
	kl_list_init(&o->link);
	o->cap = FIRST_SLOTS;
	while (o->cap < slots && o->cap < KEEP_SLOTS)
		o->cap *= 2;
	o->slots = malloc(o->cap * sizeof(*o->slots));
	if (o->slots == NULL) {
		free(o);
		return NULL;
	}
	return o;
}

/* With the mutex held. */
static struct kl_outcome *get(struct klamm_producer *p, uint32_t slots)
{
	struct kl_list *link = kl_list_pop(&p->spare_outcomes);
	struct kl_outcome *o = link != NULL ? kl_list_entry(link, struct kl_outcome, link)
					    : outcome_new(slots);
	if (o != NULL)
		p->outcome_bytes += bytes_of(o);
	return o;
}

struct kl_outcome *kl_outcome_get(struct klamm_producer *p, uint32_t slots, bool *full_out)
{
	kl_mutex_lock(&p->mutex);
	*full_out = is_full(p);
	struct kl_outcome *o = *full_out ? NULL : get(p, slots);
	kl_mutex_unlock(&p->mutex);
	return o;
}

struct kl_outcome *kl_outcome_get_beyond(struct klamm_producer *p, uint32_t slots)
{
	kl_mutex_lock(&p->mutex);
	struct kl_outcome *o = get(p, slots);
	kl_mutex_unlock(&p->mutex);
	return o;
}

bool kl_outcome_grow(struct klamm_producer *p, struct kl_outcome *o)
{
	struct kl_slot *slots = reallocarray(o->slots, 2 * (size_t)o->cap, sizeof(*slots));
	if (slots == NULL)
		return false;
	kl_mutex_lock(&p->mutex);
	p->outcome_bytes += o->cap * sizeof(*slots);
	kl_mutex_unlock(&p->mutex);
	o->slots = slots;
	o->cap *= 2;
	return true;
}

static void free_texts(struct kl_outcome *o)
{
	for (uint32_t i = 0; i < o->fault_count; i++)
		free(o->faults[i].text);
	free(o->faults);
	free(o->text);
}

static void outcome_free(struct kl_outcome *o)
{
	free_texts(o);
	free(o->slots);
	free(o);
}

void kl_outcome_put(struct klamm_producer *p, struct kl_outcome *o)
{
	size_t bytes = o->lent ? 0 : bytes_of(o);
	bool keep = o->cap <= KEEP_SLOTS &&
		    bytes_of(o) <= (size_t)p->settings->buffer_memory / KEEP_SHARE;
	if (keep) {
		free_texts(o);
		*o = (struct kl_outcome){.slots = o->slots, .cap = o->cap};
	} else {
		outcome_free(o);
	}
	kl_mutex_lock(&p->mutex);
	p->outcome_bytes -= bytes;
	if (keep)
		kl_list_push_front(&p->spare_outcomes, &o->link);
	kl_mutex_unlock(&p->mutex);
	kl_gate_wake(p->os, &p->gate);
}

void kl_outcome_fault(struct kl_outcome *o, uint32_t record, const char *text, size_t len)
{
	struct kl_record_fault *faults = reallocarray(o->faults, o->fault_count + (size_t)1,
						      sizeof(*faults));
	char *copy = strndup(text, len);
	if (faults != NULL)
		o->faults = faults;
	if (faults == NULL || copy == NULL) {
		free(copy);
		return;
	}
	faults[o->fault_count++] = (struct kl_record_fault){record, copy};
}

static const struct kl_record_fault *fault_of(const struct kl_outcome *o, uint32_t record)
{
	uint32_t low = 0, high = o->fault_count;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (o->faults[middle].record == record)
			return &o->faults[middle];
		if (o->faults[middle].record < record)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

/* Others of the batch are at fault, or this one is (KIP-467). */
static void describe_fault(const struct kl_outcome *o, uint32_t record,
			   struct klamm_delivery *d)
{
	const struct kl_record_fault *fault = fault_of(o, record);
	d->retriable = fault == NULL;
	d->text = fault != NULL ? fault->text
				: "the broker refused other records of its batch; it may be "
				  "sent again";
}

/* What the records of a batch have in common, */
static void describe_batch(const struct kl_outcome *o, struct klamm_delivery *d)
{
	*d = (struct klamm_delivery){
		.size = sizeof(*d),
		.topic = o->topic->name,
		.partition = o->partition,
		.error = o->error,
		.outcome = o->outcome,
		.retriable = o->error != 0 && klamm_err_retriable(o->error),
		.text = o->text != NULL   ? o->text
			: o->error != 0 ? klamm_err_text(o->error)
					: "",
	};
}

/* and what each has of its own. */
static inline void describe_slot(const struct kl_outcome *o, uint32_t i,
				 struct klamm_delivery *d)
{
	const struct kl_slot *slot = &o->slots[i];
	d->opaque = kl_slot_is_future(slot) ? NULL : slot->opaque;
	d->offset = -1;
	if (kl_likely(o->error == 0))
		d->offset = o->base_offset >= 0 ? o->base_offset + i : -1;
	else if (o->fault_count > 0)
		describe_fault(o, i, d);
	d->timestamp_ms = o->append_time >= 0 ? o->append_time
					      : o->base_timestamp + slot->time_delta;
	d->key_size = slot->key_size;
	d->value_size = slot->value_size;
	d->headers_size = (int32_t)(slot->headers & ~KL_SLOT_FUTURE) - 1;
}

static void describe(const struct kl_outcome *o, uint32_t i, struct klamm_delivery *d)
{
	describe_batch(o, d);
	describe_slot(o, i, d);
}

/* --- futures --- */

struct reaction {
	struct reaction *next;
	klamm_delivery_fn on_success, on_error;
	void *arg;
};

struct klamm_future {
	struct klamm_producer *producer; /* with a reference */
	atomic_uint refs;                /* the application's, and its slot's until told */
	atomic_bool done;
	struct kl_mutex mutex; /* guards reactions */
	struct reaction *reactions;
	bool told; /* they ran: later ones run at once */
	struct klamm_delivery delivery;
	char topic[256];
	char text[KLAMM_ERROR_TEXT];
};

struct klamm_future *kl_future_new(struct klamm_producer *p)
{
	struct klamm_future *future = calloc(1, sizeof(*future));
	if (future == NULL)
		return NULL;
	future->producer = p;
	atomic_fetch_add(&p->refs, 1);
	atomic_init(&future->refs, 2);
	kl_mutex_init(&future->mutex);
	return future;
}

static void future_unref(struct klamm_future *future)
{
	if (atomic_fetch_sub(&future->refs, 1) != 1)
		return;
	while (future->reactions != NULL) {
		struct reaction *r = future->reactions;
		future->reactions = r->next;
		free(r);
	}
	kl_mutex_destroy(&future->mutex);
	struct klamm_producer *p = future->producer;
	free(future);
	kl_producer_unref(p);
}

void kl_future_drop(struct klamm_future *future)
{
	future_unref(future);
	future_unref(future);
}

void klamm_future_free(struct klamm_future *future)
{
	if (future != NULL)
		future_unref(future);
}

static void future_complete(struct klamm_future *future, const struct kl_outcome *o,
			    uint32_t i)
{
	describe(o, i, &future->delivery);
	snprintf(future->topic, sizeof(future->topic), "%s", o->topic->name);
	snprintf(future->text, sizeof(future->text), "%s", future->delivery.text);
	future->delivery.topic = future->topic;
	future->delivery.text = future->text;
	atomic_store(&future->done, true);
}

static void react(const struct klamm_future *future, const struct reaction *r)
{
	struct kl_os *os = future->producer->os;
	klamm_delivery_fn fn = future->delivery.error == 0 ? r->on_success : r->on_error;
	if (fn == NULL)
		return;
	kl_loop_enter_callback(os);
	fn(r->arg, &future->delivery);
	kl_loop_leave_callback(os);
}

/* true: nobody asked to be called, so there is nothing to tell. Who asks from now on is called
 * at once. */
static bool future_settle(struct klamm_future *future)
{
	kl_mutex_lock(&future->mutex);
	bool settled = future->reactions == NULL;
	future->told |= settled;
	kl_mutex_unlock(&future->mutex);
	if (settled)
		future_unref(future);
	return settled;
}

/* Where delivery callbacks run. */
static void future_tell(struct klamm_future *future)
{
	kl_mutex_lock(&future->mutex);
	struct reaction *newest = future->reactions, *oldest = NULL;
	future->reactions = NULL;
	future->told = true;
	kl_mutex_unlock(&future->mutex);
	while (newest != NULL) { /* in the order they were added */
		struct reaction *next = newest->next;
		newest->next = oldest;
		oldest = newest;
		newest = next;
	}
	while (oldest != NULL) {
		struct reaction *r = oldest;
		oldest = r->next;
		react(future, r);
		free(r);
	}
	future_unref(future);
}

bool klamm_future_is_done(const struct klamm_future *future)
{
	return atomic_load(&future->done);
}

static bool future_ready(void *arg)
{
	return klamm_future_is_done(arg);
}

int klamm_future_get(struct klamm_future *future, int64_t timeout_ms,
		     struct klamm_delivery *delivery_out, struct klamm_error *err)
{
	struct klamm_producer *p = future->producer;
	if (!atomic_load(&future->done)) {
		if (atomic_load(p->state) == KL_PRODUCER_FORKED)
			return kl_error(err, KLAMM_ERR_FORKED,
					"this future belongs to the parent process");
		int rc = kl_loop_may_wait(p->os, err);
		if (rc != 0)
			return rc;
		if (!kl_loop_wait(p->loop, &p->gate, future_ready, future,
				  kl_os_deadline_ms(p->os, timeout_ms)))
			return kl_error(err, KLAMM_ERR_TIMED_OUT,
					"the record's outcome is not known yet");
	}
	if (delivery_out != NULL)
		*delivery_out = future->delivery;
	const struct klamm_delivery *d = &future->delivery;
	if (d->error == 0)
		return 0;
	kl_error(err, d->error, "%s", d->text);
	if (err != NULL)
		err->outcome = d->outcome;
	return d->error;
}

int klamm_future_then(struct klamm_future *future, klamm_delivery_fn on_success,
		      klamm_delivery_fn on_error, void *arg, struct klamm_error *err)
{
	if (atomic_load(future->producer->state) == KL_PRODUCER_FORKED)
		return kl_error(err, KLAMM_ERR_FORKED,
				"this future belongs to the parent process");
	struct reaction *r = malloc(sizeof(*r));
	if (r == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a callback");
	*r = (struct reaction){NULL, on_success, on_error, arg};
	kl_mutex_lock(&future->mutex);
	bool now = future->told || atomic_load(&future->done);
	if (!now) {
		r->next = future->reactions;
		future->reactions = r;
	}
	kl_mutex_unlock(&future->mutex);
	if (now) {
		react(future, r);
		free(r);
	}
	return 0;
}

/* --- completion: the loop --- */

static bool is_plain(const struct klamm_producer *p, const struct kl_slot *slot)
{
	return !kl_slot_is_future(slot) && (slot->opaque != NULL || p->deliver_all);
}

static struct klamm_future *untold_future(const struct kl_slot *slot)
{
	return kl_slot_is_future(slot) ? slot->opaque : NULL;
}

/* Futures hear of it now; those that wait for nothing else are done with. */
static void complete_futures(struct klamm_producer *p, struct kl_outcome *o)
{
	o->futures = o->plain = false;
	for (uint32_t i = 0; i < o->count; i++) {
		struct kl_slot *slot = &o->slots[i];
		o->plain |= is_plain(p, slot);
		struct klamm_future *future = untold_future(slot);
		if (future == NULL)
			continue;
		future_complete(future, o, i);
		if (future_settle(future))
			slot->opaque = NULL;
		else
			o->futures = true;
	}
}

void kl_outcome_complete(struct klamm_producer *p, struct kl_outcome *o)
{
	o->plain = true;
	if (o->futures)
		complete_futures(p, o);
	if (!o->futures && !o->plain) {
		kl_outcome_put(p, o);
		return;
	}
	bool callback = p->on_delivery != NULL;
	kl_mutex_lock(&p->mutex);
	kl_list_push(o->futures || callback ? &p->results : &p->untold, &o->link);
	kl_mutex_unlock(&p->mutex);
}

/* --- telling --- */

bool kl_outcome_waiting(struct klamm_producer *p)
{
	kl_mutex_lock(&p->mutex);
	bool yes = !p->telling && !kl_list_empty(&p->results);
	kl_mutex_unlock(&p->mutex);
	return yes;
}

bool kl_outcome_deliverable(struct klamm_producer *p)
{
	kl_mutex_lock(&p->mutex);
	bool yes = !kl_list_empty(&p->untold) || (!p->telling && !kl_list_empty(&p->results));
	kl_mutex_unlock(&p->mutex);
	return yes;
}

static struct kl_outcome *pop(struct klamm_producer *p, struct kl_list *list)
{
	kl_mutex_lock(&p->mutex);
	struct kl_list *link = kl_list_pop(list);
	kl_mutex_unlock(&p->mutex);
	return link != NULL ? kl_list_entry(link, struct kl_outcome, link) : NULL;
}

static size_t tell_block(struct klamm_producer *p, struct kl_outcome *o)
{
	size_t told = 0;
	struct klamm_delivery d;
	describe_batch(o, &d);
	for (uint32_t i = 0; i < o->count; i++) {
		struct kl_slot *slot = &o->slots[i];
		struct klamm_future *future = untold_future(slot);
		if (future != NULL) {
			future_tell(future);
			slot->opaque = NULL;
			told++;
		} else if (p->on_delivery != NULL && is_plain(p, slot)) {
			describe_slot(o, i, &d);
			p->on_delivery(p->on_delivery_arg, &d);
			told++;
		}
	}
	return told;
}

/* With the clock looked at once per block, and as coarsely as will do. */
static size_t tell_timed(struct klamm_producer *p, struct kl_outcome *o)
{
	int64_t start = p->os->now_coarse(p->os);
	kl_loop_enter_callback(p->os);
	size_t told = tell_block(p, o);
	kl_loop_leave_callback(p->os);
	int64_t took = p->os->now_coarse(p->os) - start;
	if (took > SLOW_CALLBACKS)
		kl_log(&p->log, KL_LOG_WARN, "producer",
		       "callbacks for %zu records of topic %s partition %d took %lld ms", told,
		       o->topic->name, o->partition, (long long)(took / KL_MS));
	return told;
}

static bool begin_telling(struct klamm_producer *p)
{
	kl_mutex_lock(&p->mutex);
	bool mine = !p->telling && !kl_list_empty(&p->results);
	p->telling |= mine;
	kl_mutex_unlock(&p->mutex);
	return mine;
}

size_t kl_outcome_tell(struct klamm_producer *p)
{
	size_t told = 0;
	struct kl_outcome *o;
	if (!begin_telling(p))
		return 0;
	while ((o = pop(p, &p->results)) != NULL) {
		told += tell_timed(p, o);
		o->futures = false;
		if (p->on_delivery != NULL || !o->plain) {
			kl_outcome_put(p, o);
			continue;
		}
		kl_mutex_lock(&p->mutex);
		kl_list_push(&p->untold, &o->link);
		kl_mutex_unlock(&p->mutex);
	}
	kl_mutex_lock(&p->mutex);
	p->telling = false;
	kl_mutex_unlock(&p->mutex);
	kl_gate_wake(p->os, &p->gate); /* more may have come for another thread that polls */
	return told;
}

/* --- klamm_producer_deliveries() --- */

static void forget_told(struct klamm_producer *p)
{
	struct kl_outcome *o;
	while ((o = pop(p, &p->told)) != NULL)
		kl_outcome_put(p, o);
}

static size_t fill_from(struct klamm_producer *p, struct kl_outcome *o,
			struct klamm_delivery *deliveries, size_t max)
{
	size_t n = 0;
	for (; o->at < o->count && n < max; o->at++)
		if (is_plain(p, &o->slots[o->at]))
			describe(o, o->at, &deliveries[n++]);
	return n;
}

/* All of it was shown. Its texts stay until the next call, and hold up no sender meanwhile:
 * that call may never come before the next record. */
static void lend(struct klamm_producer *p, struct kl_outcome *o)
{
	o->lent = true;
	p->outcome_bytes -= bytes_of(o);
	kl_list_push(&p->told, &o->link);
}

size_t kl_outcome_fill(struct klamm_producer *p, struct klamm_delivery *deliveries, size_t max)
{
	kl_outcome_tell(p);
	forget_told(p);
	size_t n = 0;
	struct kl_outcome *o;
	while (n < max && (o = pop(p, &p->untold)) != NULL) {
		n += fill_from(p, o, deliveries + n, max - n);
		kl_mutex_lock(&p->mutex);
		if (o->at < o->count)
			kl_list_push_front(&p->untold, &o->link);
		else
			lend(p, o);
		kl_mutex_unlock(&p->mutex);
	}
	if (n > 0) /* who waits for room */
		kl_gate_wake(p->os, &p->gate);
	return n;
}

void kl_outcome_free_all(struct klamm_producer *p)
{
	struct kl_list *const lists[] = {&p->results, &p->untold, &p->told,
					 &p->spare_outcomes};
	for (size_t i = 0; i < kl_countof(lists); i++) {
		struct kl_list *link;
		while ((link = kl_list_pop(lists[i])) != NULL)
			outcome_free(kl_list_entry(link, struct kl_outcome, link));
	}
}
