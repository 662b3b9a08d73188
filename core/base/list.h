/* SPDX-License-Identifier: BSD-2-Clause */
/* A circular doubly linked list inside the listed things. No allocation. */
#ifndef KL_LIST_H
#define KL_LIST_H

#include "core/base/base.h"

struct kl_list {
	struct kl_list *next, *prev;
};

#define KL_LIST_INIT(l) {&(l), &(l)}

static inline void kl_list_init(struct kl_list *l)
{
	l->next = l->prev = l;
}

static inline bool kl_list_empty(const struct kl_list *l)
{
	return l->next == l;
}

static inline void kl_list_push(struct kl_list *l, struct kl_list *node) /* at the end */
{
	node->prev = l->prev;
	node->next = l;
	l->prev->next = node;
	l->prev = node;
}

static inline void kl_list_push_front(struct kl_list *l, struct kl_list *node)
{
	kl_list_push(l->next, node);
}

/* The node is empty afterwards, so removing twice does nothing. */
static inline void kl_list_remove(struct kl_list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	kl_list_init(node);
}

static inline struct kl_list *kl_list_pop(struct kl_list *l)
{
	struct kl_list *node = l->next;
	if (node == l)
		return NULL;
	kl_list_remove(node);
	return node;
}

/* Everything of `from` goes to the end of `l`. */
static inline void kl_list_splice(struct kl_list *l, struct kl_list *from)
{
	if (kl_list_empty(from))
		return;
	from->next->prev = l->prev;
	l->prev->next = from->next;
	from->prev->next = l;
	l->prev = from->prev;
	kl_list_init(from);
}

#define kl_list_entry(node, type, member) kl_container(node, type, member)
#define kl_list_first(l, type, member)                                                  \
	(kl_list_empty(l) ? NULL : kl_list_entry((l)->next, type, member))
/* The node in pos, which may be no pos at all but where one would begin around the head of
 * the list: nothing is read and no alignment is taken for granted. */
#define kl_list_node(pos, type, member)                                                 \
	((struct kl_list *)((char *)(pos) + offsetof(type, member)))
#define kl_list_for(pos, l, type, member)                                               \
	for (type *pos = kl_list_entry((l)->next, type, member);                         \
	     kl_list_node(pos, type, member) != (l);                                     \
	     pos = kl_list_entry(pos->member.next, type, member))
/* Safe against removing pos. */
#define kl_list_for_safe(pos, l, type, member)                                          \
	for (type *pos = kl_list_entry((l)->next, type, member),                         \
		  *pos##_next = kl_list_entry(kl_list_node(pos, type, member)->next,     \
					      type, member);                             \
	     kl_list_node(pos, type, member) != (l); pos = pos##_next,                   \
		  pos##_next = kl_list_entry(kl_list_node(pos##_next, type, member)->next, \
					     type, member))

#endif
