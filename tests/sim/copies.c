/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/sim/copies.h"

#include <inttypes.h>
#include <stdlib.h>

#define TOLD_MAX 8

struct input {
	unsigned *copies; /* by offset */
	int64_t last;     /* copied, in the order of reading */
	int64_t checkpoint;
};

struct copies {
	struct input *inputs;
	unsigned partitions, per_partition;
	struct kl_buf early;
	unsigned told;
};

#define complain(c, out, ...)                                                            \
	do {                                                                             \
		if ((c)->told++ < TOLD_MAX)                                              \
			kl_buf_printf((out), __VA_ARGS__);                               \
	} while (0)

static void *need(void *p)
{
	if (p == NULL)
		abort();
	return p;
}

struct copies *copies_new(unsigned partitions, unsigned per_partition)
{
	struct copies *c = need(calloc(1, sizeof(*c)));
	c->partitions = partitions;
	c->per_partition = per_partition;
	c->inputs = need(calloc(partitions, sizeof(*c->inputs)));
	for (unsigned i = 0; i < partitions; i++) {
		c->inputs[i].copies = need(calloc(per_partition, sizeof(unsigned)));
		c->inputs[i].last = c->inputs[i].checkpoint = -1;
	}
	return c;
}

void copies_free(struct copies *c)
{
	for (unsigned i = 0; i < c->partitions; i++)
		free(c->inputs[i].copies);
	free(c->inputs);
	kl_buf_free(&c->early);
	free(c);
}

void copies_seen(struct copies *c, int32_t partition, int64_t offset)
{
	if (partition < 0 || (unsigned)partition >= c->partitions || offset < 0 ||
	    offset >= c->per_partition) {
		complain(c, &c->early, "a copy of %d/%" PRId64 ", which is no input\n",
			 partition, offset);
		return;
	}
	struct input *input = &c->inputs[partition];
	/* One that was copied twice is told of in the end. */
	if (input->copies[offset]++ == 0 && offset <= input->last)
		complain(c, &c->early,
			 "input %d/%" PRId64 ": copied behind %d/%" PRId64 "\n", partition,
			 offset, partition, input->last);
	input->last = kl_max(input->last, offset);
}

void copies_checkpoint(struct copies *c, int32_t partition, int64_t offset)
{
	struct input *input = &c->inputs[partition];
	if (offset < input->checkpoint)
		complain(c, &c->early,
			 "partition %d: the checkpoint went back from %" PRId64 " to %" PRId64
			 "\n",
			 partition, input->checkpoint, offset);
	input->checkpoint = offset;
}

static void check_input(struct copies *c, unsigned partition, struct kl_buf *why)
{
	const struct input *input = &c->inputs[partition];
	for (unsigned i = 0; i < c->per_partition; i++)
		if (input->copies[i] != 1)
			complain(c, why, "input %u/%u: %u copies\n", partition, i,
				 input->copies[i]);
	if (input->checkpoint != c->per_partition)
		complain(c, why,
			 "partition %u: the checkpoint is %" PRId64 " after %u records\n",
			 partition, input->checkpoint, c->per_partition);
}

bool copies_check(struct copies *c, struct kl_buf *why)
{
	kl_buf_put(why, c->early.data, c->early.len);
	for (unsigned i = 0; i < c->partitions; i++)
		check_input(c, i, why);
	if (c->told > TOLD_MAX)
		kl_buf_printf(why, "and %u more\n", c->told - TOLD_MAX);
	return c->told == 0;
}
