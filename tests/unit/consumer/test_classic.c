/* SPDX-License-Identifier: BSD-2-Clause */
/* The table of classic members: each line of the protocol's rules is a line here. */
#include <klamm/error.h>
#include <stdio.h>

#include "core/consumer/classic.h"
#include "tests/unit/unit.h"

/* --- what codes mean --- */

#define J KL_CLASSIC_JOIN_GROUP
#define Y KL_CLASSIC_SYNC_GROUP
#define H KL_CLASSIC_HEARTBEAT
#define C KL_CLASSIC_OFFSET_COMMIT

static const struct {
	enum kl_classic_request request;
	int code;
	enum kl_classic_event event;
} codes[] = {
	/* JoinGroup, as Java's JoinGroupResponseHandler */
	{J, 0, KL_CLASSIC_FINE},
	{J, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, KL_CLASSIC_LATER},
	{J, KLAMM_ERR_UNKNOWN_MEMBER_ID, KL_CLASSIC_UNKNOWN},
	{J, KLAMM_ERR_ILLEGAL_GENERATION, KL_CLASSIC_OUTDATED},
	{J, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, KL_CLASSIC_ELSEWHERE},
	{J, KLAMM_ERR_NOT_COORDINATOR, KL_CLASSIC_ELSEWHERE},
	{J, KLAMM_ERR_FENCED_INSTANCE_ID, KL_CLASSIC_FENCED},
	{J, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_INVALID_SESSION_TIMEOUT, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_INVALID_GROUP_ID, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_GROUP_MAX_SIZE_REACHED, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_UNSUPPORTED_VERSION, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_UNSUPPORTED, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_MEMBER_ID_REQUIRED, KL_CLASSIC_NAMED},
	{J, KLAMM_ERR_REBALANCE_IN_PROGRESS, KL_CLASSIC_OVERTAKEN},
	{J, KLAMM_ERR_UNKNOWN_SERVER_ERROR, KL_CLASSIC_REFUSED},
	{J, KLAMM_ERR_REQUEST_TIMED_OUT, KL_CLASSIC_ELSEWHERE},
	{J, KLAMM_ERR_DISCONNECTED, KL_CLASSIC_ELSEWHERE},
	{J, KLAMM_ERR_TIMED_OUT, KL_CLASSIC_ELSEWHERE},
	{J, KLAMM_ERR_NO_MEMORY, KL_CLASSIC_LATER},
	{J, 4711, KL_CLASSIC_REFUSED},
	/* SyncGroup, as Java's SyncGroupResponseHandler */
	{Y, 0, KL_CLASSIC_FINE},
	{Y, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KL_CLASSIC_REFUSED},
	{Y, KLAMM_ERR_REBALANCE_IN_PROGRESS, KL_CLASSIC_OVERTAKEN},
	{Y, KLAMM_ERR_FENCED_INSTANCE_ID, KL_CLASSIC_FENCED},
	{Y, KLAMM_ERR_UNKNOWN_MEMBER_ID, KL_CLASSIC_UNKNOWN},
	{Y, KLAMM_ERR_ILLEGAL_GENERATION, KL_CLASSIC_OUTDATED},
	{Y, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, KL_CLASSIC_ELSEWHERE},
	{Y, KLAMM_ERR_NOT_COORDINATOR, KL_CLASSIC_ELSEWHERE},
	{Y, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, KL_CLASSIC_LATER},
	{Y, KLAMM_ERR_INCONSISTENT_GROUP_PROTOCOL, KL_CLASSIC_REFUSED},
	{Y, KLAMM_ERR_MEMBER_ID_REQUIRED, KL_CLASSIC_REFUSED},
	{Y, KLAMM_ERR_DISCONNECTED, KL_CLASSIC_ELSEWHERE},
	{Y, KLAMM_ERR_UNKNOWN_SERVER_ERROR, KL_CLASSIC_REFUSED},
	/* Heartbeat, as Java's HeartbeatResponseHandler */
	{H, 0, KL_CLASSIC_FINE},
	{H, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, KL_CLASSIC_ELSEWHERE},
	{H, KLAMM_ERR_NOT_COORDINATOR, KL_CLASSIC_ELSEWHERE},
	{H, KLAMM_ERR_REBALANCE_IN_PROGRESS, KL_CLASSIC_CALLED},
	{H, KLAMM_ERR_ILLEGAL_GENERATION, KL_CLASSIC_OUTDATED},
	{H, KLAMM_ERR_UNKNOWN_MEMBER_ID, KL_CLASSIC_UNKNOWN},
	{H, KLAMM_ERR_FENCED_INSTANCE_ID, KL_CLASSIC_FENCED},
	{H, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KL_CLASSIC_REFUSED},
	{H, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, KL_CLASSIC_LATER},
	{H, KLAMM_ERR_DISCONNECTED, KL_CLASSIC_ELSEWHERE},
	/* OffsetCommit, as Java's OffsetCommitResponseHandler: what is about members */
	{C, 0, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_GROUP_AUTHORIZATION_FAILED, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_TOPIC_AUTHORIZATION_FAILED, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_OFFSET_METADATA_TOO_LARGE, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_INVALID_COMMIT_OFFSET_SIZE, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_COORDINATOR_LOAD_IN_PROGRESS, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_NOT_COORDINATOR, KL_CLASSIC_ELSEWHERE},
	{C, KLAMM_ERR_COORDINATOR_NOT_AVAILABLE, KL_CLASSIC_ELSEWHERE},
	{C, KLAMM_ERR_REQUEST_TIMED_OUT, KL_CLASSIC_FINE},
	{C, KLAMM_ERR_FENCED_INSTANCE_ID, KL_CLASSIC_FENCED},
	{C, KLAMM_ERR_REBALANCE_IN_PROGRESS, KL_CLASSIC_CALLED},
	{C, KLAMM_ERR_UNKNOWN_MEMBER_ID, KL_CLASSIC_UNKNOWN},
	{C, KLAMM_ERR_ILLEGAL_GENERATION, KL_CLASSIC_OUTDATED},
	{C, KLAMM_ERR_UNKNOWN_SERVER_ERROR, KL_CLASSIC_FINE},
};

START_TEST(codes_are_events)
{
	for (size_t i = 0; i < kl_countof(codes); i++) {
		enum kl_classic_event event =
			kl_classic_verdict(codes[i].request, codes[i].code);
		ck_assert_msg(event == codes[i].event, "request %d, %s: \"%s\", not \"%s\"",
			      codes[i].request, klamm_err_name(codes[i].code),
			      kl_classic_event_name(event),
			      kl_classic_event_name(codes[i].event));
	}
}
END_TEST

static bool is_listed(enum kl_classic_request request, int code)
{
	for (size_t i = 0; i < kl_countof(codes); i++)
		if (codes[i].request == request && codes[i].code == code)
			return true;
	return false;
}

/* No code has a meaning that is not in the list: a broker that says any other refuses, or if
 * it passes is asked for anew; and no other tells a member anything about a commit. */
START_TEST(other_codes_are_none)
{
	for (int code = -1; code <= KLAMM_ERR_CONTROLLER_ID_NOT_REGISTERED; code++) {
		for (int r = 0; r < KL_CLASSIC_REQUESTS; r++) {
			enum kl_classic_request request = (enum kl_classic_request)r;
			if (is_listed(request, code))
				continue;
			enum kl_classic_event event = kl_classic_verdict(request, code);
			enum kl_classic_event want =
				request == C		      ? KL_CLASSIC_FINE
				: klamm_err_retriable(code) ? KL_CLASSIC_ELSEWHERE
							      : KL_CLASSIC_REFUSED;
			ck_assert_msg(event == want, "request %d, %s: \"%s\"", r,
				      klamm_err_name(code), kl_classic_event_name(event));
		}
	}
}
END_TEST

/* --- what events do --- */

#define DO(name) KL_CLASSIC_##name
#define LINE(state, event, next, actions)                                                \
	{KL_CLASSIC_##state, KL_CLASSIC_##event, KL_CLASSIC_##next, (actions)}
#define GOODBYE (DO(CANCEL) | DO(SAY_GOODBYE) | DO(DROP_MEMBER))
#define OUTLAWED (DO(CANCEL) | DO(DROP_MEMBER) | DO(TELL) | DO(ASK_LOSE))
#define REFUSED (DO(CANCEL) | DO(DROP_GENERATION) | DO(WAIT) | DO(TELL))
/* What is the same wherever it is in the group. */
#define MEMBER(state)                                                                    \
	LINE(state, SILENT, IDLE, GOODBYE), LINE(state, LEAVE, OUT, GOODBYE),            \
	LINE(state, FENCED, FATAL, OUTLAWED),                                            \
	LINE(state, OUTDATED, LOSE, DO(CANCEL) | DO(DROP_GENERATION) | DO(ASK_LOSE)),    \
	LINE(state, UNKNOWN, LOSE, DO(CANCEL) | DO(DROP_MEMBER) | DO(ASK_LOSE)),         \
	LINE(state, REFUSED, IDLE, REFUSED)

static const struct line {
	enum kl_classic_state state;
	enum kl_classic_event event;
	enum kl_classic_state next;
	uint32_t actions;
} lines[] = {
	LINE(OUT, SUBSCRIBE, IDLE, 0),
	/* It joins when the application polls, as Java's consumer does. */
	LINE(IDLE, POLL, LOSE, DO(ASK_LOSE)),
	LINE(IDLE, LEAVE, OUT, GOODBYE),
	LINE(LOSE, LOST, JOIN, DO(SEND_JOIN)),
	LINE(LOSE, LEAVE, OUT, GOODBYE),
	LINE(LOSE, SILENT, IDLE, GOODBYE),
	LINE(LOSE, FENCED, FATAL, OUTLAWED),
	MEMBER(PREPARE),
	LINE(PREPARE, GAVE, JOIN, DO(SEND_JOIN)),
	LINE(PREPARE, ELSEWHERE, PREPARE, DO(LOOK)),
	MEMBER(JOIN),
	LINE(JOIN, AGAIN, JOIN, DO(WISH)),
	LINE(JOIN, JOINED, SYNC, DO(BEAT) | DO(SEND_SYNC)),
	LINE(JOIN, ELECTED, ASSIGN, DO(BEAT) | DO(RUN_ASSIGNOR)),
	LINE(JOIN, NAMED, JOIN, DO(SEND_JOIN)), /* KIP-394 */
	LINE(JOIN, OVERTAKEN, JOIN, DO(CANCEL) | DO(WAIT) | DO(SEND_JOIN)),
	LINE(JOIN, ELSEWHERE, JOIN, DO(CANCEL) | DO(LOOK) | DO(WAIT) | DO(SEND_JOIN)),
	LINE(JOIN, LATER, JOIN, DO(CANCEL) | DO(WAIT) | DO(SEND_JOIN)),
	MEMBER(ASSIGN),
	LINE(ASSIGN, AGAIN, ASSIGN, DO(WISH)),
	LINE(ASSIGN, ASSIGNED, SYNC, DO(SEND_SYNC)),
	LINE(ASSIGN, ELSEWHERE, ASSIGN, DO(LOOK)),
	LINE(ASSIGN, LATER, JOIN, DO(CANCEL) | DO(WAIT) | DO(SEND_JOIN)),
	MEMBER(SYNC),
	LINE(SYNC, AGAIN, SYNC, DO(WISH)),
	LINE(SYNC, SYNCED, TAKE, DO(WELL) | DO(ASK_TAKE)),
	LINE(SYNC, SYNCED_LESS, REVOKE, DO(WELL) | DO(ASK_GIVE)), /* KIP-429 */
	LINE(SYNC, MISFIT, PREPARE, DO(WELL) | DO(ASK_GIVE)),
	LINE(SYNC, OVERTAKEN, JOIN, DO(CANCEL) | DO(SEND_JOIN)), /* at once */
	LINE(SYNC, ELSEWHERE, JOIN, DO(CANCEL) | DO(LOOK) | DO(WAIT) | DO(SEND_JOIN)),
	LINE(SYNC, LATER, JOIN, DO(CANCEL) | DO(WAIT) | DO(SEND_JOIN)),
	MEMBER(REVOKE),
	/* What it gave up others wait for: it joins again. */
	LINE(REVOKE, GAVE, TAKE, DO(WISH) | DO(ASK_TAKE)),
	LINE(REVOKE, ELSEWHERE, REVOKE, DO(LOOK)),
	MEMBER(TAKE),
	LINE(TAKE, AGAIN, TAKE, DO(WISH)),
	LINE(TAKE, CALLED, TAKE, DO(WISH)),
	LINE(TAKE, TOOK, STABLE, 0),
	LINE(TAKE, TOOK_AGAIN, PREPARE, DO(ASK_GIVE)),
	LINE(TAKE, ELSEWHERE, TAKE, DO(LOOK)),
	MEMBER(STABLE),
	LINE(STABLE, SUBSCRIBE, PREPARE, DO(ASK_GIVE)),
	LINE(STABLE, AGAIN, PREPARE, DO(ASK_GIVE)),
	LINE(STABLE, CALLED, PREPARE, DO(ASK_GIVE)),
	LINE(STABLE, ELSEWHERE, STABLE, DO(LOOK)),
	LINE(FATAL, LEAVE, OUT, 0),
};

static const struct line *line_of(int state, int event)
{
	for (size_t i = 0; i < kl_countof(lines); i++)
		if ((int)lines[i].state == state && (int)lines[i].event == event)
			return &lines[i];
	return NULL;
}

/* Those that have no line change nothing: a late answer, a second wish, ... */
START_TEST(events_do_what_the_lines_say)
{
	for (int state = 0; state < KL_CLASSIC_STATES; state++) {
		for (int event = 0; event < KL_CLASSIC_EVENTS; event++) {
			const struct line *line = line_of(state, event);
			enum kl_classic_state next;
			uint32_t actions =
				kl_classic_step((enum kl_classic_state)state,
						(enum kl_classic_event)event, &next);
			char what[120];
			snprintf(what, sizeof(what), "%s: %s",
				 kl_classic_state_name((enum kl_classic_state)state),
				 kl_classic_event_name((enum kl_classic_event)event));
			ck_assert_msg((int)next == (line != NULL ? (int)line->next : state),
				      "%s: to %s", what, kl_classic_state_name(next));
			ck_assert_msg(actions == (line != NULL ? line->actions : 0),
				      "%s: does %#x", what, actions);
		}
	}
}
END_TEST

/* The coordinator waits for no heartbeat of whoever waits for its answer. */
START_TEST(hearts_beat_while_nothing_is_held_back)
{
	static const enum kl_classic_state beating[] = {
		KL_CLASSIC_PREPARE, KL_CLASSIC_ASSIGN, KL_CLASSIC_REVOKE,
		KL_CLASSIC_TAKE,    KL_CLASSIC_STABLE,
	};
	for (int state = 0; state < KL_CLASSIC_STATES; state++) {
		bool expected = false;
		for (size_t i = 0; i < kl_countof(beating); i++)
			expected |= (int)beating[i] == state;
		ck_assert_int_eq(kl_classic_beats((enum kl_classic_state)state), expected);
	}
}
END_TEST

UNIT_SUITE(classic)
{
	Suite *s = suite_create("classic");
	unit_add(s, codes_are_events);
	unit_add(s, other_codes_are_none);
	unit_add(s, events_do_what_the_lines_say);
	unit_add(s, hearts_beat_while_nothing_is_held_back);
	return s;
}
