/* SPDX-License-Identifier: BSD-2-Clause */
/* ConsumerProtocol: what members tell each other, written and read. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/base/order.h"
#include "core/base/sink.h"
#include "core/consumer/assign.h"
#include "core/proto/gen/messages.h"

/* More user data than this is refused: every member's goes through one JoinGroup
 * answer. */
#define USER_DATA_MAX (16 << 20)

/* --- writing --- */

static bool is_same(const struct klamm_topic_partition *a,
		    const struct klamm_topic_partition *b)
{
	return kl_by_topic_partition(a, b) == 0;
}

static bool put_topics(const struct kl_subscription *s, struct kl_arena *arena,
		       struct kl_consumer_protocol_subscription *told)
{
	const char **names = kl_arena_array(arena, s->topic_count, sizeof(*names));
	told->topics = kl_arena_array(arena, s->topic_count, sizeof(*told->topics));
	if (names == NULL || told->topics == NULL)
		return false;
	for (size_t i = 0; i < s->topic_count; i++)
		names[i] = s->topics[i];
	qsort(names, s->topic_count, sizeof(*names), kl_by_text);
	for (size_t i = 0; i < s->topic_count; i++)
		if (i == 0 || strcmp(names[i], names[i - 1]) != 0)
			told->topics[told->topics_n++] = kl_str(names[i]);
	return true;
}

static bool put_owned(const struct kl_subscription *s, struct kl_arena *arena,
		      struct kl_consumer_protocol_subscription *told)
{
	size_t n = s->owned_count;
	struct klamm_topic_partition *owned = kl_arena_array(arena, n, sizeof(*owned));
	int32_t *numbers = kl_arena_array(arena, n, sizeof(*numbers));
	told->owned_partitions =
		kl_type_new(&kl_type_consumer_protocol_subscription_topic, arena, n);
	if (owned == NULL || numbers == NULL || told->owned_partitions == NULL)
		return false;
	if (n > 0)
		memcpy(owned, s->owned, n * sizeof(*owned));
	qsort(owned, n, sizeof(*owned), kl_by_topic_partition);
	struct kl_consumer_protocol_subscription_topic *topic = NULL;
	for (size_t i = 0; i < n; i++) {
		if (i > 0 && is_same(&owned[i], &owned[i - 1]))
			continue;
		if (topic == NULL || !kl_str_is(topic->topic, owned[i].topic)) {
			topic = &told->owned_partitions[told->owned_partitions_n++];
			topic->topic = kl_str(owned[i].topic);
			topic->partitions = &numbers[i];
		}
		topic->partitions[topic->partitions_n++] = owned[i].partition;
	}
	return true;
}

static int ask_user_data(struct kl_instance *assignor, const struct kl_subscription *s,
			 struct klamm_out *out, struct klamm_error *err)
{
	const struct klamm_assignor_plugin *plugin =
		assignor != NULL ? &assignor->plugin->assignor : NULL;
	if (plugin == NULL || plugin->user_data == NULL)
		return 0;
	int rc = plugin->user_data(assignor->self, s->topics, s->topic_count, out, err);
	if (rc != 0)
		kl_error_prefix(err, "assignor %s", plugin->head.name);
	return rc;
}

int kl_assign_subscription(const struct kl_subscription *s, int version,
			   struct kl_instance *assignor, struct kl_buf *buf,
			   struct klamm_error *err)
{
	KL_AUTO(kl_arena_free) struct kl_arena arena = {0};
	KL_AUTO(kl_sink_free) struct kl_sink user_data;
	kl_sink_init(&user_data, USER_DATA_MAX, NULL);
	int rc = ask_user_data(assignor, s, &user_data.out, err);
	if (rc != 0)
		return rc;
	struct kl_consumer_protocol_subscription told;
	kl_msg_init(&kl_msg_consumer_protocol_subscription, &told);
	told.generation_id = s->generation;
	told.rack_id =
		s->rack != NULL && s->rack[0] != '\0' ? kl_str(s->rack) : KL_STR_NULL;
	/* Null means that there is none; an assignor that has written nothing has none.
	 */
	if (user_data.out.len > 0 && !(user_data.out.flags & KLAMM_OUT_NULL))
		told.user_data = (struct kl_bytes){user_data.out.data,
						   (int32_t)user_data.out.len};
	if (!put_topics(s, &arena, &told) || !put_owned(s, &arena, &told))
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for the subscription to %zu topics",
				s->topic_count);
	size_t before = buf->len;
	kl_buf_i16(buf, (int16_t)version);
	rc = kl_msg_encode(&kl_msg_consumer_protocol_subscription, version, &told, buf,
			   err);
	if (rc != 0)
		buf->len = before;
	return rc;
}

/* --- reading --- */

/* The version in front, as one that klamm can read, since later ones only add to the
 * end; or an error, which is below 0. */
static int read_version(struct kl_reader *reader, struct klamm_error *err)
{
	int version = kl_read_i16(reader);
	if (reader->failed)
		return kl_error(err, KLAMM_ERR_PROTOCOL, "it has no version");
	if (version < 0)
		return kl_error(err, KLAMM_ERR_PROTOCOL, "it has version %d", version);
	return kl_min(version, KL_ASSIGN_VERSION);
}

int kl_subscription_parse(struct kl_bytes bytes, struct kl_arena *arena,
			  struct kl_consumer_protocol_subscription **out,
			  struct klamm_error *err)
{
	const struct kl_msg *msg = &kl_msg_consumer_protocol_subscription;
	struct kl_reader reader =
		kl_reader(bytes.p, bytes.len > 0 ? (size_t)bytes.len : 0);
	int version = read_version(&reader, err);
	if (version < 0)
		return version;
	struct kl_reader whole = reader;
	void *obj;
	int rc = kl_msg_decode(msg, version, &reader, arena, &obj, err);
	/* Some clients say 1 and send what 0 has. */
	if (rc == KLAMM_ERR_PROTOCOL && version > 0 &&
	    kl_msg_decode(msg, 0, &whole, arena, &obj, NULL) == 0)
		rc = 0;
	if (rc == 0)
		*out = obj;
	return rc;
}

/* Sorted, and what is there twice once. */
static size_t tidy(struct klamm_topic_partition *list, size_t n)
{
	size_t kept = 0;
	qsort(list, n, sizeof(*list), kl_by_topic_partition);
	for (size_t i = 0; i < n; i++)
		if (list[i].partition >= 0 &&
		    (kept == 0 || !is_same(&list[i], &list[kept - 1])))
			list[kept++] = list[i];
	return kept;
}

static int take_partitions(const struct kl_consumer_protocol_assignment *told,
			   struct kl_arena *arena, struct kl_assigned *out)
{
	size_t n = 0, at = 0;
	for (int32_t i = 0; i < told->assigned_partitions_n; i++)
		n += (size_t)told->assigned_partitions[i].partitions_n;
	struct klamm_topic_partition *list = kl_arena_array(arena, n, sizeof(*list));
	if (list == NULL)
		return KLAMM_ERR_NO_MEMORY;
	for (int32_t i = 0; i < told->assigned_partitions_n; i++) {
		const struct kl_consumer_protocol_assignment_topic *topic =
			&told->assigned_partitions[i];
		const char *name =
			kl_arena_text(arena, topic->topic.p, (size_t)topic->topic.len);
		if (name == NULL)
			return KLAMM_ERR_NO_MEMORY;
		for (int32_t p = 0; p < topic->partitions_n; p++)
			list[at++] = (struct klamm_topic_partition){
				.topic = name, .partition = topic->partitions[p]};
	}
	out->partitions = list;
	out->count = tidy(list, n);
	return 0;
}

int kl_assign_parse(struct kl_bytes bytes, struct kl_arena *arena,
		    struct kl_assigned *assigned_out, struct klamm_error *err)
{
	struct kl_assigned out = {0};
	struct kl_reader reader =
		kl_reader(bytes.p, bytes.len > 0 ? (size_t)bytes.len : 0);
	*assigned_out = (struct kl_assigned){0};
	if (bytes.len <= 0)
		return 0;
	int version = read_version(&reader, err);
	if (version < 0)
		return version;
	void *obj;
	int rc = kl_msg_decode(&kl_msg_consumer_protocol_assignment, version, &reader,
			       arena, &obj, err);
	if (rc != 0)
		return rc;
	const struct kl_consumer_protocol_assignment *told = obj;
	if (take_partitions(told, arena, &out) != 0)
		return kl_error(err, KLAMM_ERR_NO_MEMORY,
				"out of memory for an assignment");
	if (told->user_data.len >= 0)
		out.user_data = (struct klamm_span){told->user_data.p,
						    (size_t)told->user_data.len};
	*assigned_out = out;
	return 0;
}

void kl_assign_told(struct kl_instance *assignor, const struct kl_assigned *mine,
		    const char *member_id, int32_t generation)
{
	const struct klamm_assignor_plugin *plugin = &assignor->plugin->assignor;
	if (plugin->on_assignment == NULL)
		return;
	plugin->on_assignment(assignor->self,
			      &(struct klamm_assignment){
				      .size = sizeof(struct klamm_assignment),
				      .partitions = mine->partitions,
				      .partition_count = mine->count,
				      .user_data = mine->user_data,
				      .member_id = member_id,
				      .generation = generation,
			      });
}
