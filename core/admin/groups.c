/* SPDX-License-Identifier: BSD-2-Clause */
/* Listing groups: each broker knows those that it coordinates, so every one is asked. */
#include "core/admin/groups.h"

#include <stdlib.h>

#include "core/base/error.h"

struct result {
	struct klamm_group_list list; /* first: this is what the application holds */
	struct kl_arena arena;
	const struct klamm_group_listing **groups;
	struct klamm_error *errors;
	size_t cap;
};

struct listing {
	struct kl_scatter scatter;
	const struct klamm_group_filter *filter;
	struct result *result;
};

static struct listing *listing_of(struct kl_scatter *scatter)
{
	return kl_container(scatter, struct listing, scatter);
}

static bool put_words(struct kl_arena *arena, const char *const *words, size_t n,
		      struct kl_str **to, int32_t *count)
{
	*to = kl_arena_array(arena, n, sizeof(**to));
	for (size_t i = 0; *to != NULL && i < n; i++)
		(*to)[i] = kl_str(words[i]);
	*count = (int32_t)n;
	return *to != NULL;
}

/* Brokers before 3.8 have classic groups only: to them every filter that has these says
 * nothing, and one that has not cannot be told. */
static bool wants_type(const struct klamm_group_filter *filter, const char *type)
{
	for (size_t i = 0; i < filter->type_count; i++)
		if (strcasecmp(filter->types[i], type) == 0)
			return true;
	return filter->type_count == 0;
}

static const void *prepare(struct kl_scatter *scatter, struct kl_part *part, int version)
{
	const struct klamm_group_filter *filter = listing_of(scatter)->filter;
	struct kl_list_groups_request *body = kl_arena_alloc(&part->arena, sizeof(*body));
	if (body == NULL)
		return NULL;
	kl_msg_init(&kl_msg_list_groups_request, body);
	if (version >= 4 && !put_words(&part->arena, filter->states, filter->state_count,
				       &body->states_filter, &body->states_filter_n))
		return NULL;
	if (version >= 5 && !put_words(&part->arena, filter->types, filter->type_count,
				       &body->types_filter, &body->types_filter_n))
		return NULL;
	return body;
}

/* --- the answer --- */

static bool make_room(struct result *r, size_t more)
{
	if (r->list.count + more <= r->cap)
		return true;
	size_t cap = kl_max(r->list.count + more, r->cap * 2);
	const struct klamm_group_listing **groups =
		reallocarray(r->groups, cap, sizeof(*groups));
	if (groups == NULL)
		return false;
	r->groups = groups;
	r->cap = cap;
	return true;
}

/* It was called so until Kafka 1.1. */
static struct kl_str state_name(struct kl_str state)
{
	return kl_str_is(state, "AwaitingSync") ? KL_STR("CompletingRebalance") : state;
}

static bool add_group(struct result *r, const struct kl_list_groups_response_group *told,
		      int32_t broker)
{
	struct klamm_group_listing *g = kl_arena_alloc(&r->arena, sizeof(*g));
	if (g == NULL)
		return false;
	g->id = kl_group_text(&r->arena, told->group_id);
	g->type = kl_group_text(&r->arena, told->group_type);
	g->state = kl_group_text(&r->arena, state_name(told->group_state));
	g->protocol_type = kl_group_text(&r->arena, told->protocol_type);
	g->coordinator = broker;
	if (!g->id || !g->type || !g->state || !g->protocol_type)
		return false;
	r->groups[r->list.count++] = g;
	return true;
}

static void answer(struct kl_scatter *scatter, struct kl_part *part, const void *response,
		   int version)
{
	const struct kl_list_groups_response *body = response;
	struct listing *listing = listing_of(scatter);
	struct kl_item *item = kl_list_entry(part->items.next, struct kl_item, link);
	bool classic_only = version < 5 && !wants_type(listing->filter, "classic");
	if (body->error_code != 0) {
		kl_item_told(scatter, item, body->error_code, KL_STR_NULL);
		return;
	}
	size_t n = classic_only ? 0 : (size_t)kl_max(body->groups_n, 0);
	bool ok = make_room(listing->result, n);
	for (size_t i = 0; ok && i < n; i++)
		ok = add_group(listing->result, &body->groups[i], part->node);
	if (ok)
		kl_item_told(scatter, item, 0, KL_STR_NULL);
	else
		kl_item_no_memory(scatter, item);
}

static const struct kl_scatter_ops ops = {
	.what = "listing groups",
	.prepare = prepare,
	.answer = answer,
};

/* --- the call --- */

static int by_id(const void *a, const void *b)
{
	const struct klamm_group_listing *const *x = a, *const *y = b;
	return strcmp((*x)->id, (*y)->id);
}

/* A group that moves may be told by its old and its new coordinator. */
static void sort_out(struct result *r)
{
	size_t n = 0;
	if (r->list.count > 0)
		qsort(r->groups, r->list.count, sizeof(*r->groups), by_id);
	for (size_t i = 0; i < r->list.count; i++)
		if (n == 0 || strcmp(r->groups[n - 1]->id, r->groups[i]->id) != 0)
			r->groups[n++] = r->groups[i];
	r->list.groups = r->groups;
	r->list.count = n;
}

static int ask_brokers(struct klamm_admin *admin, struct listing *listing,
		       const struct klamm_cluster_description *cluster, int64_t timeout_ms,
		       struct klamm_error *err)
{
	struct kl_scatter *scatter = &listing->scatter;
	struct result *r = listing->result;
	kl_scatter_init(scatter, &ops, cluster->broker_count, KL_API_LIST_GROUPS);
	r->errors = calloc(cluster->broker_count + 1, sizeof(*r->errors));
	if (scatter->items == NULL || r->errors == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "listing groups: out of memory");
	for (size_t i = 0; i < scatter->count; i++)
		scatter->items[i].node = cluster->brokers[i]->id;
	scatter->min_version = listing->filter->state_count > 0 ? 4 : 0;
	int rc = kl_scatter_run(admin, scatter, timeout_ms, err);
	for (size_t i = 0; i < scatter->count; i++)
		if (scatter->items[i].err.code != 0)
			r->errors[r->list.error_count++] = scatter->items[i].err;
	r->list.errors = r->errors;
	sort_out(r);
	return rc;
}

int klamm_admin_list_groups(struct klamm_admin *admin,
			    const struct klamm_group_filter *filter, int64_t timeout_ms,
			    struct klamm_group_list **list_out, struct klamm_error *err)
{
	static const struct klamm_group_filter all = {.size = sizeof(all)};
	struct klamm_cluster_description *cluster;
	struct listing listing = {.filter = filter != NULL ? filter : &all};
	*list_out = NULL;
	if (filter != NULL && filter->size < sizeof(*filter))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"the size of a filter of groups is %zu, not %zu",
				filter->size, sizeof(*filter));
	if (timeout_ms == KLAMM_TIMEOUT_DEFAULT)
		timeout_ms = admin->settings->default_api_timeout_ms;
	int64_t deadline = kl_os_deadline_ms(admin->os, timeout_ms);
	int rc = klamm_admin_describe_cluster(admin, timeout_ms, &cluster, err);
	if (rc != 0)
		return rc;
	listing.result = calloc(1, sizeof(*listing.result));
	if (listing.result == NULL)
		rc = kl_error(err, KLAMM_ERR_NO_MEMORY, "listing groups: out of memory");
	else
		rc = ask_brokers(admin, &listing, cluster,
				 kl_admin_left_ms(admin, deadline), err);
	kl_scatter_free(&listing.scatter);
	klamm_cluster_description_free(cluster);
	if (listing.result != NULL)
		*list_out = &listing.result->list;
	return rc;
}

void klamm_group_list_free(struct klamm_group_list *list)
{
	if (list == NULL)
		return;
	struct result *r = kl_container(list, struct result, list);
	kl_arena_free(&r->arena);
	free(r->groups);
	free(r->errors);
	free(r);
}
