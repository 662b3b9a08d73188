/* SPDX-License-Identifier: BSD-2-Clause */
/* Commits: the application's side, and what commits by itself. */
#include <stdlib.h>

#include "core/base/error.h"
#include "core/consumer/consumer.h"

/* Commits that nobody waits for, and the application has not been told of. */
#define COMMITS_MAX 1000

/* --- making a commit --- */

static struct kl_commit *commit_new(struct klamm_consumer *c, enum kl_commit_kind kind,
				    size_t count)
{
	struct kl_commit *commit = calloc(1, sizeof(*commit));
	if (commit == NULL)
		return NULL;
	kl_list_init(&commit->link);
	commit->kind = kind;
	commit->deadline = KL_NEVER;
	commit->stamp = c->group.membership.stamp;
	commit->offsets = kl_arena_array(&commit->arena, count, sizeof(*commit->offsets));
	commit->topics = kl_arena_array(&commit->arena, count, sizeof(*commit->topics));
	commit->stored = kl_arena_array(&commit->arena, count, sizeof(*commit->stored));
	if (commit->offsets == NULL || commit->topics == NULL || commit->stored == NULL) {
		kl_commit_free(commit);
		return NULL;
	}
	memset(commit->stored, 0, count * sizeof(*commit->stored));
	return commit;
}

static int out_of_memory(struct klamm_error *err)
{
	return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a commit");
}

static int check_offset(const struct klamm_offset *offset, size_t i, struct klamm_error *err)
{
	if (offset->topic == NULL || offset->topic[0] == '\0' || offset->partition < 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"offset %zu to commit names no partition", i);
	if (offset->offset < 0)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"topic %s partition %d: offset %lld cannot be committed: it "
				"is that of the next record to read, 0 or more",
				offset->topic, offset->partition, (long long)offset->offset);
	if (offset->metadata != NULL && strlen(offset->metadata) > INT16_MAX)
		return kl_error(err, KLAMM_ERR_OFFSET_METADATA_TOO_LARGE,
				"topic %s partition %d: the metadata of an offset may have "
				"%d bytes at most",
				offset->topic, offset->partition, INT16_MAX);
	return 0;
}

static int add_offset(struct klamm_consumer *c, struct kl_commit *commit,
		      const struct klamm_offset *offset, struct klamm_error *err)
{
	struct klamm_offset *to = &commit->offsets[commit->count];
	struct kl_ctopic *topic = kl_ctopic_get(c, offset->topic);
	const char *note = offset->metadata != NULL ? offset->metadata : "";
	*to = *offset;
	to->metadata = kl_arena_text(&commit->arena, note, strlen(note));
	if (topic == NULL || to->metadata == NULL)
		return out_of_memory(err);
	to->topic = topic->name;
	commit->topics[commit->count++] = topic;
	return 0;
}

static int commit_of(struct klamm_consumer *c, enum kl_commit_kind kind,
		     const struct klamm_offset *offsets, size_t count,
		     struct kl_commit **commit_out, struct klamm_error *err)
{
	struct kl_commit *commit = commit_new(c, kind, count);
	int rc = commit != NULL ? 0 : out_of_memory(err);
	for (size_t i = 0; rc == 0 && i < count; i++) {
		rc = check_offset(&offsets[i], i, err);
		if (rc == 0)
			rc = add_offset(c, commit, &offsets[i], err);
	}
	if (rc == 0)
		*commit_out = commit;
	else if (commit != NULL)
		kl_commit_free(commit);
	return rc;
}

/* Where assigned partitions stand, those that are known; of all or of some. */
static int commit_of_positions(struct klamm_consumer *c, enum kl_commit_kind kind,
			       kl_cpart_filter filter, void *arg,
			       struct kl_commit **commit_out, struct klamm_error *err)
{
	struct kl_commit *commit = commit_new(c, kind, HASH_COUNT(c->assigned));
	int rc = commit != NULL ? 0 : out_of_memory(err);
	kl_results_positions(c);
	for (struct kl_cpart *part = c->assigned; rc == 0 && part != NULL;
	     part = part->hh.next) {
		if (part->position < 0 || (filter != NULL && !filter(part, arg)))
			continue;
		struct klamm_offset offset = {.topic = part->topic->name,
					      .partition = part->partition,
					      .leader_epoch = part->epoch,
					      .offset = part->position};
		rc = add_offset(c, commit, &offset, err);
	}
	if (rc == 0)
		*commit_out = commit;
	else if (commit != NULL)
		kl_commit_free(commit);
	return rc;
}

static int make(struct klamm_consumer *c, enum kl_commit_kind kind,
		const struct klamm_offset *offsets, size_t count,
		struct kl_commit **commit_out, struct klamm_error *err)
{
	return offsets != NULL ? commit_of(c, kind, offsets, count, commit_out, err)
			       : commit_of_positions(c, kind, NULL, NULL, commit_out, err);
}

/* --- handing it in --- */

/* Where nobody waits for it, it ends by itself after default.api.timeout.ms. */
static void hand_in(struct klamm_consumer *c, struct kl_commit *commit)
{
	if (commit->kind != KL_COMMIT_WAITED) {
		commit->deadline = kl_os_deadline_ms(c->os,
						     c->settings->default_api_timeout_ms);
		atomic_fetch_add(&c->group.open, 1);
	}
	kl_mutex_lock(&c->mutex);
	kl_list_push(&c->group.incoming, &commit->link);
	kl_mutex_unlock(&c->mutex);
	kl_loop_post(c->loop, &c->task);
}

struct leave {
	struct klamm_consumer *c;
	struct kl_commit *commit;
};

static void leave_in_loop(void *arg)
{
	struct leave *leave = arg;
	kl_commit_leave(leave->c, leave->commit);
}

void kl_commit_abandon(struct klamm_consumer *c, struct kl_commit *commit)
{
	struct leave leave = {c, commit};
	kl_loop_call(c->loop, leave_in_loop, &leave);
}

static bool has_ended(void *arg)
{
	const struct kl_commit *commit = arg;
	return atomic_load(&commit->ended);
}

static int wait_for(struct klamm_consumer *c, struct kl_commit *commit, int64_t deadline,
		    struct klamm_error *err)
{
	if (commit->count > 0) {
		int64_t since = c->os->now(c->os);
		hand_in(c, commit);
		if (!kl_loop_wait(c->loop, &c->gate, has_ended, commit, deadline))
			kl_commit_abandon(c, commit);
		kl_consumer_count_wait(c, KL_CONSUMER_COMMIT_SYNC, since);
	}
	int rc = commit->err.code == 0 ? 0 : kl_error_copy(err, &commit->err);
	kl_commit_free(commit);
	return rc;
}

int klamm_consumer_commit(struct klamm_consumer *c, const struct klamm_offset *offsets,
			  size_t count, int64_t timeout_ms, struct klamm_error *err)
{
	struct kl_commit *commit;
	int rc = kl_group_check(c, true, "committing offsets", err);
	if (rc == 0)
		rc = make(c, KL_COMMIT_WAITED, offsets, count, &commit, err);
	if (rc != 0)
		return rc;
	rc = wait_for(c, commit, kl_group_deadline(c, timeout_ms), err);
	kl_commit_callbacks(c);
	return rc;
}

int klamm_consumer_commit_async(struct klamm_consumer *c, const struct klamm_offset *offsets,
				size_t count, klamm_commit_fn fn, void *arg,
				struct klamm_error *err)
{
	struct kl_commit *commit;
	int rc = kl_group_check(c, false, "committing offsets", err);
	if (rc != 0)
		return rc;
	if (atomic_load(&c->group.open) + atomic_load(&c->group.to_tell) >= COMMITS_MAX)
		return kl_error(err, KLAMM_ERR_QUEUE_FULL,
				"group %.100s: %d commits have not ended, or poll() has not "
				"told of them yet",
				c->group.id, COMMITS_MAX);
	rc = make(c, KL_COMMIT_CALLED, offsets, count, &commit, err);
	if (rc != 0)
		return rc;
	commit->fn = fn;
	commit->arg = arg;
	hand_in(c, commit);
	return 0;
}

void kl_commit_callbacks(struct klamm_consumer *c)
{
	while (atomic_load(&c->group.to_tell) > 0) {
		kl_mutex_lock(&c->mutex);
		struct kl_list *link = kl_list_pop(&c->group.ended);
		kl_mutex_unlock(&c->mutex);
		if (link == NULL)
			return;
		atomic_fetch_sub(&c->group.to_tell, 1);
		struct kl_commit *commit = kl_list_entry(link, struct kl_commit, link);
		kl_loop_enter_callback(c->os);
		commit->fn(commit->arg, commit->offsets, commit->count,
			   commit->err.code != 0 ? &commit->err : NULL);
		kl_loop_leave_callback(c->os);
		kl_commit_free(commit);
	}
}

/* --- enable.auto.commit --- */

static void commit_quietly(struct klamm_consumer *c, enum kl_commit_kind kind,
			   kl_cpart_filter filter, void *arg)
{
	struct kl_commit *commit;
	if (commit_of_positions(c, kind, filter, arg, &commit, NULL) != 0)
		return; /* memory is short: the next one does it */
	if (commit->count > 0)
		hand_in(c, commit);
	else
		kl_commit_free(commit);
}

/* What poll() has handed out before is done with, as Kafka's consumer has it. */
void kl_commit_when_due(struct klamm_consumer *c)
{
	if (c->group.auto_at == KL_NEVER)
		return;
	int64_t now = kl_loop_lately(c->loop);
	if (now < c->group.auto_at)
		return;
	c->group.auto_at = now + c->settings->auto_commit_interval_ms * KL_MS;
	commit_quietly(c, KL_COMMIT_AUTO, NULL, NULL);
}

void kl_commit_before_leaving(struct klamm_consumer *c, kl_cpart_filter leaves, void *arg)
{
	if (c->group.auto_at != KL_NEVER)
		commit_quietly(c, KL_COMMIT_CALLED, leaves, arg);
}

static bool is_leaving(const struct kl_cpart *part, void *arg)
{
	(void)arg;
	return part->leaving;
}

struct kl_commit *kl_commit_of_leaving(struct klamm_consumer *c)
{
	struct kl_commit *commit;
	if (c->group.auto_at == KL_NEVER ||
	    commit_of_positions(c, KL_COMMIT_WAITED, is_leaving, NULL, &commit, NULL) != 0)
		return NULL; /* short of memory: what was read is read again elsewhere */
	if (commit->count > 0) {
		hand_in(c, commit);
		return commit;
	}
	kl_commit_free(commit);
	return NULL;
}

static bool all_ended(void *arg)
{
	struct klamm_consumer *c = arg;
	return atomic_load(&c->group.open) == 0;
}

int kl_commit_last(struct klamm_consumer *c, int64_t deadline, struct klamm_error *err)
{
	struct kl_commit *commit;
	int rc = 0;
	if (c->group.id == NULL)
		return 0;
	if (c->group.auto_at != KL_NEVER)
		rc = commit_of_positions(c, KL_COMMIT_WAITED, NULL, NULL, &commit, err);
	if (rc == 0 && c->group.auto_at != KL_NEVER)
		rc = wait_for(c, commit, deadline, err);
	kl_loop_wait(c->loop, &c->gate, all_ended, c, deadline);
	kl_commit_callbacks(c);
	return rc;
}
