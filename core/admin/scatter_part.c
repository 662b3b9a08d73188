/* SPDX-License-Identifier: BSD-2-Clause */
/* One request of a scattered call, for items that have the same way. */
#include <stdlib.h>

#include "core/admin/scatter_int.h"
#include "core/base/error.h"

/* Enough to make the way there cheap, few enough for an answer of some megabytes. */
#define PART_ITEMS 100

void kl_part_free(struct kl_part *part)
{
	kl_list_remove(&part->link);
	kl_request_free(&part->request);
	kl_arena_free(&part->arena);
	free(part);
}

/* Those that the body had no room for were not asked. */
static void give_back_others(struct kl_scatter *s, struct kl_part *part)
{
	if (!part->one_by_one)
		return;
	struct kl_list *first = kl_list_pop(&part->items), *link;
	while ((link = kl_list_pop(&part->items)) != NULL)
		kl_item_at_once(s, kl_list_entry(link, struct kl_item, link));
	kl_list_push(&part->items, first);
}

static void judge_failure(struct kl_scatter *s, struct kl_part *part,
			  const struct kl_response *response)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&part->items)) != NULL) {
		struct kl_item *item = kl_list_entry(link, struct kl_item, link);
		item->maybe_applied |= response->maybe_applied;
		if (response->code == KLAMM_ERR_UNSUPPORTED && part->node >= 0 &&
		    s->ops->unsupported != NULL && s->ops->unsupported(s, item))
			kl_item_at_once(s, item);
		else
			kl_item_unreachable(s, item, response->err);
	}
}

static void judge_left_out(struct kl_scatter *s, struct kl_part *part)
{
	struct kl_list *link;
	while ((link = kl_list_pop(&part->items)) != NULL) {
		struct kl_item *item = kl_list_entry(link, struct kl_item, link);
		kl_item_told(s, item, KLAMM_ERR_PROTOCOL,
			     KL_STR("the broker's answer left it out"));
	}
}

/* --- who coordinates which group --- */

static const void *find_prepare(struct kl_part *part, int version)
{
	struct kl_find_coordinator_request *body =
		kl_arena_alloc(&part->arena, sizeof(*body));
	struct kl_str *keys = kl_arena_array(&part->arena, PART_ITEMS, sizeof(*keys));
	if (body == NULL || keys == NULL)
		return NULL;
	kl_msg_init(&kl_msg_find_coordinator_request, body);
	part->one_by_one = version < 4;
	int32_t n = 0;
	kl_part_for (item, part)
		keys[n++] = kl_str(item->name);
	if (part->one_by_one) {
		body->key = keys[0];
	} else {
		body->coordinator_keys = keys;
		body->coordinator_keys_n = n;
	}
	return body;
}

static void found(struct kl_scatter *s, struct kl_item *item, int32_t node, int code,
		  struct kl_str words)
{
	if (code == 0 && node < 0)
		code = KLAMM_ERR_COORDINATOR_NOT_AVAILABLE;
	if (code != 0) {
		kl_item_told(s, item, code, words);
		return;
	}
	item->node = node;
	kl_item_at_once(s, item);
}

static void find_answer(struct kl_scatter *s, struct kl_part *part,
			const struct kl_find_coordinator_response *body, int version)
{
	if (version < 4) {
		struct kl_item *item =
			kl_list_entry(part->items.next, struct kl_item, link);
		found(s, item, body->node_id, body->error_code, body->error_message);
		return;
	}
	for (int32_t i = 0; i < body->coordinators_n; i++) {
		const struct kl_find_coordinator_response_coordinator *told =
			&body->coordinators[i];
		struct kl_item *item = kl_part_item(part, told->key);
		if (item != NULL)
			found(s, item, told->node_id, told->error_code,
			      told->error_message);
	}
}

/* --- a request and its answer --- */

static const void *prepare(struct kl_request *request, int version)
{
	struct kl_part *part = kl_container(request, struct kl_part, request);
	kl_arena_free(&part->arena);
	part->one_by_one = false;
	return part->node < 0 ? find_prepare(part, version)
			      : part->scatter->ops->prepare(part->scatter, part, version);
}

static void on_done(struct kl_request *request, const struct kl_response *response)
{
	struct kl_part *part = kl_container(request, struct kl_part, request);
	struct kl_scatter *s = part->scatter;
	part->under_way = false;
	if (atomic_load(&s->ended)) /* the other end of a connection that was given up */
		return;
	give_back_others(s, part);
	if (response->code != 0)
		judge_failure(s, part, response);
	else if (part->node < 0)
		find_answer(s, part, response->body, response->version);
	else
		s->ops->answer(s, part, response->body, response->version);
	judge_left_out(s, part);
	kl_part_free(part);
	/* Not from inside this: other requests of the same connection may be ending. */
	kl_scatter_come_back(s, kl_scatter_now(s));
}

/* Versions that name topics by their ids alone are of no use to who has names. */
static int newest(enum kl_api api)
{
	return api == KL_API_OFFSET_COMMIT || api == KL_API_OFFSET_FETCH ? 9 : -1;
}

static struct kl_part *part_new(struct kl_scatter *s, enum kl_api api, int32_t node)
{
	struct kl_part *part = calloc(1, sizeof(*part));
	if (part == NULL)
		return NULL;
	part->scatter = s;
	part->api = api;
	part->node = node;
	kl_list_init(&part->items);
	kl_list_push(&s->parts, &part->link);
	return part;
}

static void part_send(struct kl_part *part, struct kl_node *node)
{
	struct kl_scatter *s = part->scatter;
	bool looks = part->node < 0;
	part->request.api = looks ? KL_API_FIND_COORDINATOR : part->api;
	part->request.min_version = looks ? 0 : s->min_version;
	part->request.max_version = newest(part->request.api);
	part->request.prepare = prepare;
	part->request.deadline = s->deadline;
	part->request.done = on_done;
	part->under_way = true;
	kl_node_request(node, &part->request);
}

bool kl_item_is_busy(const struct kl_scatter *s, const struct kl_item *item)
{
	kl_list_for (part, &s->parts, struct kl_part, link)
		if (part->node == item->node && (part->node < 0 || part->api == item->api))
			return true;
	return false;
}

/* The items from this one on that have the same way. */
static void gather(struct kl_scatter *s, struct kl_part *part, struct kl_item *first)
{
	size_t n = 0;
	for (struct kl_item *item = first; item < s->items + s->count && n < PART_ITEMS;
	     item++) {
		if (!kl_item_is_idle(s, item) || item->node != first->node ||
		    (item->node >= 0 && item->api != first->api))
			continue;
		kl_list_push(&part->items, &item->link);
		n++;
	}
}

void kl_item_ask(struct kl_scatter *s, struct kl_item *item, struct kl_node *node)
{
	struct kl_part *part = part_new(s, item->api, item->node);
	if (part == NULL) {
		kl_item_no_memory(s, item);
		return;
	}
	gather(s, part, item);
	part_send(part, node);
}
