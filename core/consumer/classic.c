/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/consumer/classic.h"

#include <klamm/error.h>

#define S(name) KL_CLASSIC_##name
#define DO(name) (uint32_t)(KL_CLASSIC_##name)

struct step {
	uint8_t next;
	uint32_t actions;
	bool counts; /* the event means something here */
};

#define GO(to, what)                                                                     \
	{                                                                                \
		.next = S(to), .actions = (uint32_t)(what), .counts = true               \
	}
#define STAY(in, what) GO(in, what)

/* Whatever it was doing ends here. */
#define LEAVING GO(OUT, DO(CANCEL) | DO(SAY_GOODBYE) | DO(DROP_MEMBER))
#define SILENCED GO(IDLE, DO(CANCEL) | DO(SAY_GOODBYE) | DO(DROP_MEMBER))
#define OUTLAWED                                                                         \
	GO(FATAL, DO(CANCEL) | DO(DROP_MEMBER) | DO(TELL) | DO(ASK_LOSE))
#define PUT_OUT(what) GO(LOSE, DO(CANCEL) | DO(what) | DO(ASK_LOSE))
#define REBUFFED GO(IDLE, DO(CANCEL) | DO(DROP_GENERATION) | DO(WAIT) | DO(TELL))
#define JOIN_AGAIN(what) GO(JOIN, DO(CANCEL) | (what) | DO(SEND_JOIN))
#define FIND(in) STAY(in, DO(LOOK))

/* Where heartbeats and commits have a say as well. */
#define MEMBER(in)                                                                       \
	[S(SILENT)] = SILENCED, [S(LEAVE)] = LEAVING, [S(FENCED)] = OUTLAWED,            \
	[S(OUTDATED)] = PUT_OUT(DROP_GENERATION), [S(UNKNOWN)] = PUT_OUT(DROP_MEMBER),   \
	[S(REFUSED)] = REBUFFED

static const struct step table[KL_CLASSIC_STATES][KL_CLASSIC_EVENTS] = {
	[S(OUT)] = {
		[S(SUBSCRIBE)] = GO(IDLE, 0),
	},
	[S(IDLE)] = {
		[S(POLL)] = GO(LOSE, DO(ASK_LOSE)),
		[S(LEAVE)] = LEAVING,
	},
	[S(LOSE)] = {
		[S(LOST)] = GO(JOIN, DO(SEND_JOIN)),
		[S(LEAVE)] = LEAVING,
		[S(SILENT)] = SILENCED,
		[S(FENCED)] = OUTLAWED,
	},
	[S(PREPARE)] = {
		MEMBER(PREPARE),
		[S(GAVE)] = GO(JOIN, DO(SEND_JOIN)),
		[S(ELSEWHERE)] = FIND(PREPARE),
	},
	[S(JOIN)] = {
		MEMBER(JOIN),
		[S(AGAIN)] = STAY(JOIN, DO(WISH)),
		[S(JOINED)] = GO(SYNC, DO(BEAT) | DO(SEND_SYNC)),
		[S(ELECTED)] = GO(ASSIGN, DO(BEAT) | DO(RUN_ASSIGNOR)),
		[S(NAMED)] = STAY(JOIN, DO(SEND_JOIN)),
		[S(OVERTAKEN)] = JOIN_AGAIN(DO(WAIT)),
		[S(ELSEWHERE)] = JOIN_AGAIN(DO(LOOK) | DO(WAIT)),
		[S(LATER)] = JOIN_AGAIN(DO(WAIT)),
	},
	[S(ASSIGN)] = {
		MEMBER(ASSIGN),
		[S(AGAIN)] = STAY(ASSIGN, DO(WISH)),
		[S(ASSIGNED)] = GO(SYNC, DO(SEND_SYNC)),
		[S(ELSEWHERE)] = FIND(ASSIGN),
		[S(LATER)] = JOIN_AGAIN(DO(WAIT)),
	},
	[S(SYNC)] = {
		MEMBER(SYNC),
		[S(AGAIN)] = STAY(SYNC, DO(WISH)),
		[S(SYNCED)] = GO(TAKE, DO(WELL) | DO(ASK_TAKE)),
		[S(SYNCED_LESS)] = GO(REVOKE, DO(WELL) | DO(ASK_GIVE)),
		[S(MISFIT)] = GO(PREPARE, DO(WELL) | DO(ASK_GIVE)),
		[S(OVERTAKEN)] = JOIN_AGAIN(0),
		[S(ELSEWHERE)] = JOIN_AGAIN(DO(LOOK) | DO(WAIT)),
		[S(LATER)] = JOIN_AGAIN(DO(WAIT)),
	},
	[S(REVOKE)] = {
		MEMBER(REVOKE),
		/* Who gives up joins again by that: others wait for it. */
		[S(GAVE)] = GO(TAKE, DO(WISH) | DO(ASK_TAKE)),
		[S(ELSEWHERE)] = FIND(REVOKE),
	},
	[S(TAKE)] = {
		MEMBER(TAKE),
		[S(AGAIN)] = STAY(TAKE, DO(WISH)),
		[S(CALLED)] = STAY(TAKE, DO(WISH)),
		[S(TOOK)] = GO(STABLE, 0),
		[S(TOOK_AGAIN)] = GO(PREPARE, DO(ASK_GIVE)),
		[S(ELSEWHERE)] = FIND(TAKE),
	},
	[S(STABLE)] = {
		MEMBER(STABLE),
		[S(SUBSCRIBE)] = GO(PREPARE, DO(ASK_GIVE)),
		[S(AGAIN)] = GO(PREPARE, DO(ASK_GIVE)),
		[S(CALLED)] = GO(PREPARE, DO(ASK_GIVE)),
		[S(ELSEWHERE)] = FIND(STABLE),
	},
	[S(FATAL)] = {
		[S(LEAVE)] = GO(OUT, 0),
	},
};

uint32_t kl_classic_step(enum kl_classic_state state, enum kl_classic_event event,
			 enum kl_classic_state *next_out)
{
	const struct step *step = &table[state][event];
	*next_out = step->counts ? (enum kl_classic_state)step->next : state;
	return step->actions;
}

bool kl_classic_beats(enum kl_classic_state state)
{
	switch (state) {
	case KL_CLASSIC_PREPARE:
	case KL_CLASSIC_ASSIGN:
	case KL_CLASSIC_REVOKE:
	case KL_CLASSIC_TAKE:
	case KL_CLASSIC_STABLE:
		return true;
	default:
		return false;
	}
}

/* --- codes --- */

struct verdict {
	int32_t code;
	/* By request: JoinGroup, SyncGroup, Heartbeat, OffsetCommit. */
	uint8_t events[KL_CLASSIC_REQUESTS];
};

#define ALL(e) {S(e), S(e), S(e), S(e)}

static const struct verdict verdicts[] = {
	{0, ALL(FINE)},
	{KLAMM_ERR_UNKNOWN_MEMBER_ID, ALL(UNKNOWN)},
	{KLAMM_ERR_ILLEGAL_GENERATION, ALL(OUTDATED)},
	{KLAMM_ERR_FENCED_INSTANCE_ID, ALL(FENCED)},
	{KLAMM_ERR_GROUP_AUTHORIZATION_FAILED,
	 {S(REFUSED), S(REFUSED), S(REFUSED), S(FINE)}},
	{KLAMM_ERR_NOT_COORDINATOR, ALL(ELSEWHERE)},
	{KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, ALL(ELSEWHERE)},
	{KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, {S(LATER), S(LATER), S(LATER), S(FINE)}},
	{KLAMM_ERR_REBALANCE_IN_PROGRESS, {S(OVERTAKEN), S(OVERTAKEN), S(CALLED), S(CALLED)}},
	{KLAMM_ERR_MEMBER_ID_REQUIRED, {S(NAMED), S(REFUSED), S(REFUSED), S(FINE)}},
	/* Of a commit they are no news of the member. */
	{KLAMM_ERR_REQUEST_TIMED_OUT, {S(ELSEWHERE), S(ELSEWHERE), S(ELSEWHERE), S(FINE)}},
	{KLAMM_ERR_NO_MEMORY, {S(LATER), S(LATER), S(LATER), S(FINE)}},
};

/* INCONSISTENT_GROUP_PROTOCOL, INVALID_SESSION_TIMEOUT, INVALID_GROUP_ID,
 * GROUP_MAX_SIZE_REACHED, UNSUPPORTED_VERSION and what nobody has heard of: Java's consumer
 * throws them from poll(), and tries again at the next one. */
enum kl_classic_event kl_classic_verdict(enum kl_classic_request request, int code)
{
	for (size_t i = 0; i < kl_countof(verdicts); i++)
		if (verdicts[i].code == code)
			return (enum kl_classic_event)verdicts[i].events[request];
	if (request == KL_CLASSIC_OFFSET_COMMIT)
		return KL_CLASSIC_FINE;
	/* klamm's own, as after a lost connection. */
	return klamm_err_retriable(code) ? KL_CLASSIC_ELSEWHERE : KL_CLASSIC_REFUSED;
}

/* --- names --- */

const char *kl_classic_state_name(enum kl_classic_state state)
{
	static const char *const names[KL_CLASSIC_STATES] = {
		[S(OUT)] = "out",	  [S(IDLE)] = "idle",     [S(LOSE)] = "lose",
		[S(PREPARE)] = "prepare", [S(JOIN)] = "join",     [S(ASSIGN)] = "assign",
		[S(SYNC)] = "sync",	  [S(REVOKE)] = "revoke", [S(TAKE)] = "take",
		[S(STABLE)] = "stable",	  [S(FATAL)] = "fatal",
	};
	return names[state];
}

const char *kl_classic_event_name(enum kl_classic_event event)
{
	static const char *const names[KL_CLASSIC_EVENTS] = {
		[S(SUBSCRIBE)] = "subscribed",
		[S(LEAVE)] = "leaves",
		[S(POLL)] = "polls",
		[S(SILENT)] = "max.poll.interval.ms is over",
		[S(AGAIN)] = "another round is wanted",
		[S(GAVE)] = "gave up",
		[S(LOST)] = "lost",
		[S(TOOK)] = "took",
		[S(TOOK_AGAIN)] = "took, another round is wanted",
		[S(JOINED)] = "joined",
		[S(ELECTED)] = "joined as the leader",
		[S(NAMED)] = "got a member id",
		[S(ASSIGNED)] = "assigned",
		[S(SYNCED)] = "synced",
		[S(SYNCED_LESS)] = "synced, something is revoked",
		[S(MISFIT)] = "got what it does not subscribe to",
		[S(CALLED)] = "the group rebalances",
		[S(OVERTAKEN)] = "the group rebalances again",
		[S(OUTDATED)] = "the generation is over",
		[S(UNKNOWN)] = "the member is not known",
		[S(ELSEWHERE)] = "the coordinator is another broker",
		[S(LATER)] = "the coordinator is not ready",
		[S(REFUSED)] = "refused",
		[S(FENCED)] = "fenced",
		[S(FINE)] = "fine",
	};
	return names[event];
}
