/* SPDX-License-Identifier: BSD-2-Clause */
/* A call on many things of which each lives at one broker: groups at their coordinators,
 * partitions at their leaders, or the brokers themselves.
 *
 * Coordinators are looked for together (KIP-699), or one after another from brokers before
 * 3.0; metadata name leaders. Each broker is then sent one request at a time, with as many of
 * its items as the version takes. Each item is asked for again until its answer is final, on
 * its own: one broker that does not answer holds up nobody else's groups.
 *
 * The calling thread fills a struct kl_scatter and waits; all between start and end of the
 * call, ops included, runs in the loop.
 */
#ifndef KL_SCATTER_H
#define KL_SCATTER_H

#include "core/admin/admin.h"
#include "core/base/list.h"

struct kl_scatter;
struct kl_part;

struct kl_item {
	/* --- set by the caller --- */
	const char *name; /* of the group; NULL = the broker below is asked itself */
	int32_t node;     /* -1 = not known */
	const char *topic; /* NULL = none; else the leader of this partition is asked */
	int32_t partition;
	enum kl_api api;

	/* --- the engine's --- */
	struct kl_list link; /* in what it is asked with, or empty */
	struct kl_topic_info *info; /* of the topic, wanted */
	bool ended;
	bool homeless;      /* metadata do not name its broker */
	bool maybe_applied; /* an earlier request may have reached the broker */
	unsigned failures;
	int64_t again_at; /* not asked before */
	struct klamm_error err; /* in the end; until then what went wrong last */
};

/* One request, or one look for coordinators. */
struct kl_part {
	struct kl_list link;
	struct kl_scatter *scatter;
	struct kl_list items;
	struct kl_request request;
	struct kl_arena arena; /* of the request's body */
	enum kl_api api;
	int32_t node;    /* -1 = any: it looks for coordinators */
	bool one_by_one; /* only the first item is in the body */
	bool under_way;
};

/* The items that the answer has to be about: those of the part, or only its first. */
#define kl_part_for(item, part) kl_list_for(item, &(part)->items, struct kl_item, link)

struct kl_scatter_ops {
	const char *what; /* "describing groups", for texts */
	/* A message in part->arena for the part's items; sets one_by_one when the version has
	 * room for one only. NULL: out of memory. */
	const void *(*prepare)(struct kl_scatter *scatter, struct kl_part *part,
			       int version);
	/* Tells each item with one of the functions below; those that it does not were left
	 * out by the broker. */
	void (*answer)(struct kl_scatter *scatter, struct kl_part *part, const void *body,
		       int version);
	/* May be NULL. The broker does not know the API, or no version of it that will do.
	 * True: item->api names another one that may. */
	bool (*unsupported)(struct kl_scatter *scatter, struct kl_item *item);
};

struct kl_scatter {
	const struct kl_scatter_ops *ops;
	struct kl_item *items;
	size_t count;
	int min_version;

	/* --- the engine's --- */
	struct klamm_admin *admin;
	struct kl_list link; /* among the admin's */
	size_t open;
	struct kl_list parts;
	struct kl_timer timer;
	bool timer_made;
	int64_t paused_at, paused_until; /* the last pause before asking again */
	int64_t deadline;
	atomic_bool ended;
};

/* `count` items, zeroed and without a node. items NULL: out of memory. */
void kl_scatter_init(struct kl_scatter *scatter, const struct kl_scatter_ops *ops,
		     size_t count, enum kl_api api);
void kl_scatter_free(struct kl_scatter *scatter);

/* Run to the end. The first item's error; each one's in its err. timeout_ms as in the public
 * functions. */
int kl_scatter_run(struct klamm_admin *admin, struct kl_scatter *scatter,
		   int64_t timeout_ms, struct klamm_error *err);
/* The first item's error, and all of them in errors, one per item, unless that is NULL. */
int kl_scatter_errors(const struct kl_scatter *scatter, struct klamm_error *errors,
		      struct klamm_error *err);

/* For the broker's own timeout. */
int32_t kl_scatter_left_ms(const struct kl_scatter *scatter);

/* --- for ops: what an answer said of an item --- */
struct kl_item *kl_part_item(struct kl_part *part, struct kl_str name); /* may be NULL */
struct kl_item *kl_part_partition(struct kl_part *part, struct kl_str topic,
				  int32_t partition); /* may be NULL */
/* 0 ends it well. An error that passes has it asked again, at another coordinator or leader if
 * need be; any other is final: "group g: ..." with the broker's words or ours. */
void kl_item_told(struct kl_scatter *scatter, struct kl_item *item, int code,
		  struct kl_str words);
/* Ask again soon, or at once; item->err says why, as far as it is told. */
void kl_item_again(struct kl_scatter *scatter, struct kl_item *item);
void kl_item_at_once(struct kl_scatter *scatter, struct kl_item *item);
/* It is over, with item->err. */
void kl_item_end(struct kl_scatter *scatter, struct kl_item *item);
void kl_item_no_memory(struct kl_scatter *scatter, struct kl_item *item);
/* Is it worth asking again, at the same coordinator or another one? */
bool kl_item_passes(int code);

/* No name is NULL or there twice; else INVALID_ARGUMENT. */
int kl_check_groups(const char *const *names, size_t count, struct klamm_error *err);

#endif
