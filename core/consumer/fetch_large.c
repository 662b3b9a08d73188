/* SPDX-License-Identifier: BSD-2-Clause */
/* Answers that do not fit into memory. A broker sends a batch that is larger than all that was
 * asked for (KIP-74), and what is larger than klamm.memory.max ends the connection, with all
 * partitions that are read from that broker. So it is looked for the one, by halves; then it
 * alone stops. */
#include "core/base/error.h"
#include "core/consumer/fetch.h"

/* It stops until it is sought. */
static void stop(struct klamm_consumer *c, struct kl_cpart *part, int code)
{
	struct klamm_error err;
	bool memory = code == KLAMM_ERR_NO_MEMORY;
	kl_error(&err, KLAMM_ERR_RECORD_TOO_LARGE,
		 "topic %s partition %d: the batch at offset %lld is larger than %s (%lld "
		 "bytes) allows: raise that, or seek over it",
		 part->topic->name, part->partition, (long long)part->fetch_offset,
		 memory ? "klamm.memory.max" : "klamm.receive.message.max",
		 memory ? (long long)c->settings->klamm_memory_max
			: (long long)c->settings->klamm_receive_message_max);
	part->state = KL_CPART_STOPPED;
	part->reset_to = KLAMM_OFFSET_END; /* not to be told of as one without a position */
	part->told_error = err.code;
	atomic_store(&part->stopped, true);
	kl_results_error(c, part, &err);
	kl_fetcher_touch(c, part);
}

/* What the application holds may be why. */
static bool is_crowded(const struct klamm_consumer *c)
{
	return kl_slab_pool_used(c->slabs) > (size_t)c->settings->klamm_memory_max / 4;
}

static void found(struct kl_fetch_session *session, int code)
{
	struct klamm_consumer *c = session->c;
	session->limit = 0;
	kl_list_for(entry, &session->members, struct kl_fetch_entry, link) {
		if (!entry->known)
			continue; /* it was not asked for */
		if (code == KLAMM_ERR_NO_MEMORY && is_crowded(c))
			kl_fetch_later(c, entry->part);
		else
			stop(c, entry->part, code);
		kl_fetcher_touch(c, entry->part);
	}
}

bool kl_fetch_too_large(struct kl_fetch_session *session, const struct kl_response *response)
{
	int code = response->code;
	/* Memory may be short for the request as well. */
	if ((code != KLAMM_ERR_NO_MEMORY || !response->maybe_applied) &&
	    code != KLAMM_ERR_FRAME_TOO_LARGE)
		return false;
	size_t asked = session->limit > 0 ? session->asked : session->member_count;
	if (session->limit == 0)
		session->suspects = session->member_count;
	if (asked <= 1)
		found(session, code);
	else
		session->limit = (asked + 1) / 2;
	return true;
}

void kl_fetch_fitted(struct kl_fetch_session *session)
{
	/* The others are next. */
	struct kl_list asked = KL_LIST_INIT(asked);
	kl_list_for_safe(entry, &session->members, struct kl_fetch_entry, link) {
		if (!entry->known)
			continue;
		kl_list_remove(&entry->link);
		kl_list_push(&asked, &entry->link);
	}
	kl_list_splice(&session->members, &asked);
	session->suspects -= kl_min(session->suspects, session->asked);
	if (session->suspects == 0)
		session->limit = 0;
}
