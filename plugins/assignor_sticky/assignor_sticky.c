/* SPDX-License-Identifier: BSD-2-Clause */
/* Sticky, as Java's StickyAssignor: balanced, and as much as possible stays where it
 * was. Each member remembers what it was given and in which generation, and tells the
 * leader when it joins anew, in Java's bytes. */
#include "plugins/common/sticky_assign.h"

/* What was given last, as it will be told; bytes NULL = nothing yet. */
struct memory {
	uint8_t *bytes;
	size_t len;
};

/* --- what a member told --- */

/* The topic of this name, topic_count = there is none. */
static size_t find_topic(const struct klamm_assign *in, const char *name, size_t len)
{
	size_t low = 0, high = in->topic_count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		const char *other = group_topic(in, middle)->name;
		int order = strncmp(other, name, len);
		if (order == 0 && strlen(other) == len)
			return middle;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return in->topic_count;
}

static void read_topic(const struct sticky *s, struct sticky_bytes *b,
		       struct claim *claim)
{
	const uint8_t *length = sticky_read(b, 2);
	size_t len = length != NULL ? (size_t)length[0] << 8 | length[1] : 0;
	const uint8_t *name = sticky_read(b, len);
	int32_t count = sticky_read_i32(b);
	b->failed |= len > INT16_MAX || count < 0;
	if (b->failed || (size_t)count > (size_t)(b->end - b->p) / 4) {
		b->failed = true;
		return;
	}
	size_t topic = find_topic(s->group.in, (const char *)name, len);
	for (int32_t i = 0; i < count; i++) {
		int32_t partition = sticky_read_i32(b);
		if (topic < s->group.in->topic_count)
			sticky_claim_add(s, claim, topic, partition);
	}
}

/* Topics with their partitions, then the generation, which Kafka before 2.3 leaves out.
 */
static bool read_claim_from(const struct sticky *s, struct sticky_bytes b,
			    struct claim *claim)
{
	int32_t topics = sticky_read_i32(&b);
	b.failed |= topics < 0;
	for (int32_t i = 0; i < topics && !b.failed; i++)
		read_topic(s, &b, claim);
	if (!b.failed && b.end - b.p >= 4)
		claim->generation = sticky_read_i32(&b);
	if (b.failed)
		claim->count = 0;
	return !b.failed;
}

/* kafka-python from 3.0 on puts the number of a version in front, in two bytes; taken
 * for Java's that would be more topics than there is room for. What is neither is no
 * claim. */
static bool read_claim(struct sticky *s, struct klamm_span user_data,
		       struct claim *claim)
{
	struct sticky_bytes b = {.p = user_data.data};
	claim->generation = NO_GENERATION;
	if (user_data.data == NULL)
		return true;
	b.end = b.p + user_data.len;
	if (!sticky_claim_room(s, claim, user_data.len / 4))
		return false;
	if (read_claim_from(s, b, claim) || user_data.len < 2)
		return true;
	b.p += 2;
	read_claim_from(s, b, claim);
	return true;
}

static int sticky_plugin_assign(void *self, const struct klamm_assign *in,
				struct klamm_assign_answer *answer,
				struct klamm_error *err)
{
	struct sticky s;
	int rc = sticky_init(&s, in, err);
	if (rc != 0 || s.group.partition_count == 0)
		return rc;
	for (uint32_t m = 0; m < s.count; m++)
		if (!read_claim(&s, sticky_member(&s, m)->user_data, &s.claims[m]))
			return group_no_memory(in, err);
	rc = sticky_assign_claimed(&s, err);
	if (rc == 0)
		sticky_answer(&s, answer);
	return rc;
}

/* --- what this member tells --- */

static int sticky_plugin_user_data(void *self, const char *const *topics,
				   size_t topic_count, struct klamm_out *out,
				   struct klamm_error *err)
{
	const struct memory *memory = self;
	int rc = memory->bytes != NULL
			 ? klamm_out_append(out, memory->bytes, memory->len)
			 : 0;
	return rc == 0 ? 0 : klamm_out_error(out, memory->len, err);
}

/* How many partitions from i on are of one topic. */
static size_t run_of(const struct klamm_assignment *mine, size_t i)
{
	size_t n = 1;
	while (i + n < mine->partition_count &&
	       strcmp(mine->partitions[i].topic, mine->partitions[i + n].topic) == 0)
		n++;
	return n;
}

static uint8_t *write_topic(uint8_t *p, const struct klamm_topic_partition *partitions,
			    size_t n)
{
	size_t len = strlen(partitions->topic);
	*p++ = (uint8_t)(len >> 8);
	*p++ = (uint8_t)len;
	memcpy(p, partitions->topic, len);
	p += len;
	sticky_store_i32(p, (int32_t)n);
	p += 4;
	for (size_t i = 0; i < n; i++, p += 4)
		sticky_store_i32(p, partitions[i].partition);
	return p;
}

/* Without memory for it the member has forgotten: it will be as new. */
static void sticky_plugin_told(void *self, const struct klamm_assignment *mine)
{
	struct memory *memory = self;
	int32_t topics = 0;
	size_t len = 4 + 4 * mine->partition_count + 4;
	for (size_t i = 0; i < mine->partition_count; i += run_of(mine, i), topics++)
		len += 2 + strlen(mine->partitions[i].topic) + 4;
	free(memory->bytes);
	memory->len = len;
	memory->bytes = malloc(len);
	if (memory->bytes == NULL)
		return;
	uint8_t *p = memory->bytes;
	sticky_store_i32(p, topics);
	p += 4;
	for (size_t i = 0, n; i < mine->partition_count; i += n) {
		n = run_of(mine, i);
		p = write_topic(p, &mine->partitions[i], n);
	}
	sticky_store_i32(p, mine->generation);
}

static int sticky_plugin_open(const struct klamm_host *host, const void *conf,
			      void **self_out, struct klamm_error *err)
{
	*self_out = calloc(1, sizeof(struct memory));
	return *self_out != NULL
		       ? 0
		       : klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
}

static void sticky_plugin_close(void *self)
{
	struct memory *memory = self;
	free(memory->bytes);
	free(memory);
}

KLAMM_PLUGIN(assignor, sticky) = {
	.head =
		{
			KLAMM_PLUGIN_HEAD(assignor, "sticky",
					  "balanced, and little moves"),
			.open = sticky_plugin_open,
			.close = sticky_plugin_close,
		},
	.protocol_name = "sticky",
	.protocols = KLAMM_REBALANCE_EAGER,
	.assign = sticky_plugin_assign,
	.user_data = sticky_plugin_user_data,
	.on_assignment = sticky_plugin_told,
};
