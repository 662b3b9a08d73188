/* SPDX-License-Identifier: BSD-2-Clause */
/* Fetch sessions (KIP-227): what is remembered, told, refused and thrown away. */
#include "broker/fetch_sessions.h"
#include "tests/broker/peer.h"

static struct peer *peer;
static const char *topic;

static void up(void)
{
	peer_start();
	topic = peer_topic();
	peer_create(topic, 3);
	peer = peer_open();
}

static void down(void)
{
	peer_close(peer);
	peer_stop();
}

static void put(int32_t partition, int count)
{
	struct peer_batch b;
	peer_batch(&b, count, 1700000000000);
	ck_assert_int_eq(
		peer_produce(peer, topic, partition, b.data, b.len)->error_code, 0);
}

/* --- asking --- */

#define BY_NAME 12
#define BY_ID   16

/* What a request says of partitions of the topic: where to read, or that it goes. */
struct word {
	int32_t partition;
	int64_t offset;
	bool forget;
};
struct ask {
	int32_t id, epoch;
	int version; /* 0 = BY_NAME */
	int32_t wait_ms;
	int32_t max_bytes; /* 0 = many */
	struct klamm_uuid topic_id;
	int n;
	struct word words[4];
};

static void send_ask(struct peer *to, const struct ask *ask)
{
	struct kl_fetch_request_partition from[4];
	int32_t forgotten[4];
	struct kl_fetch_request_topic at = {.topic = kl_str(topic),
					    .topic_id = ask->topic_id,
					    .partitions = from};
	struct kl_fetch_request_forgotten_topic gone = {.topic = kl_str(topic),
							.topic_id = ask->topic_id,
							.partitions = forgotten};
	for (int i = 0; i < ask->n; i++) {
		const struct word *word = &ask->words[i];
		if (word->forget) {
			forgotten[gone.partitions_n++] = word->partition;
			continue;
		}
		struct kl_fetch_request_partition *p = &from[at.partitions_n++];
		kl_type_init(&kl_type_fetch_request_partition, p);
		p->partition = word->partition;
		p->fetch_offset = word->offset;
		p->partition_max_bytes = 1 << 20;
	}
	struct kl_fetch_request request;
	kl_msg_init(&kl_msg_fetch_request, &request);
	request.max_wait_ms = ask->wait_ms;
	request.min_bytes = 1;
	request.max_bytes = ask->max_bytes > 0 ? ask->max_bytes : 1 << 20;
	request.session_id = ask->id;
	request.session_epoch = ask->epoch;
	request.topics = &at;
	request.topics_n = at.partitions_n > 0;
	request.forgotten_topics_data = &gone;
	request.forgotten_topics_data_n = gone.partitions_n > 0;
	peer_ask(to, &kl_msg_fetch_request, ask->version != 0 ? ask->version : BY_NAME,
		 &request);
}

static struct kl_fetch_response *read_answer(struct peer *from, int version)
{
	return peer_read(from, &kl_msg_fetch_response, version != 0 ? version : BY_NAME);
}

static struct kl_fetch_response *fetch(const struct ask *ask)
{
	send_ask(peer, ask);
	return read_answer(peer, ask->version);
}
#define FETCH(...) fetch(&(struct ask){__VA_ARGS__})

/* Partitions 0 and 1 from their beginning. */
static int32_t begin(void)
{
	struct kl_fetch_response *r = FETCH(.n = 2, .words = {{0, 0}, {1, 0}});
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_gt(r->session_id, 0);
	ck_assert_int_eq(r->responses_n, 1);
	ck_assert_int_eq(r->responses[0].partitions_n, 2);
	return r->session_id;
}

/* What is in an answer with one topic and one partition. */
static struct kl_fetch_response_partition *only(struct kl_fetch_response *r, int32_t partition)
{
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->responses_n, 1);
	ck_assert_int_eq(r->responses[0].partitions_n, 1);
	ck_assert_int_eq(r->responses[0].partitions[0].partition_index, partition);
	return &r->responses[0].partitions[0];
}

static void nothing(struct kl_fetch_response *r, int32_t id)
{
	ck_assert_int_eq(r->error_code, 0);
	ck_assert_int_eq(r->session_id, id);
	ck_assert_int_eq(r->responses_n, 0);
}

static void refused(struct kl_fetch_response *r, int error)
{
	ck_assert_int_eq(r->error_code, error);
	ck_assert_int_eq(r->session_id, 0);
	ck_assert_int_eq(r->responses_n, 0);
}

/* --- what is told --- */

START_TEST(tells_only_news)
{
	int32_t id = begin();
	nothing(FETCH(id, 1), id);
	put(1, 3);
	struct kl_fetch_response_partition *p = only(FETCH(id, 2), 1);
	ck_assert_int_eq(p->high_watermark, 3);
	ck_assert_int_gt(p->records.len, 0);
	/* Records are told as long as the client does not say that it has them. */
	only(FETCH(id, 3), 1);
	nothing(FETCH(id, 4, .n = 1, .words = {{1, 3}}), id);
	put(0, 1);
	p = only(FETCH(id, 5), 0);
	ck_assert_int_eq(p->high_watermark, 1);
}
END_TEST

START_TEST(takes_more_and_forgets)
{
	int32_t id = begin();
	struct kl_fetch_response_partition *p =
		only(FETCH(id, 1, .n = 1, .words = {{2, 0}}), 2);
	ck_assert_int_eq(p->high_watermark, 0);
	put(1, 1);
	put(2, 1);
	p = only(FETCH(id, 2, .n = 1, .words = {{1, 0, true}}), 2);
	ck_assert_int_gt(p->records.len, 0);
	nothing(FETCH(id, 3, .n = 2, .words = {{2, 1}, {1, 0, true}}), id);
}
END_TEST

/* The one that had records is last the next time. */
START_TEST(goes_round)
{
	int32_t id = begin();
	put(0, 1);
	put(1, 1);
	struct kl_fetch_response *r = FETCH(id, 1, .max_bytes = 1);
	struct kl_fetch_response_partition *p = r->responses[0].partitions;
	ck_assert_int_eq(r->responses[0].partitions_n, 2);
	ck_assert_int_gt(p[0].records.len, 0);
	ck_assert_int_eq(p[1].records.len, 0); /* its high watermark is news */
	ck_assert_int_eq(p[1].high_watermark, 1);
	only(FETCH(id, 2, .max_bytes = 1), 1);
	only(FETCH(id, 3, .max_bytes = 1), 0);
}
END_TEST

START_TEST(tells_errors_each_time)
{
	int32_t id = begin();
	struct kl_fetch_response_partition *p =
		only(FETCH(id, 1, .n = 1, .words = {{7, 0}}), 7);
	ck_assert_int_eq(p->error_code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	only(FETCH(id, 2), 7);
	p = only(FETCH(id, 3, .n = 2, .words = {{7, 0, true}, {0, 9}}), 0);
	ck_assert_int_eq(p->error_code, KLAMM_ERR_OFFSET_OUT_OF_RANGE);
	only(FETCH(id, 4), 0);
	/* And when one is over, though nothing is there. */
	p = only(FETCH(id, 5, .n = 1, .words = {{0, 0}}), 0);
	ck_assert_int_eq(p->error_code, 0);
	ck_assert_int_eq(p->high_watermark, 0);
	nothing(FETCH(id, 6), id);
}
END_TEST

START_TEST(waits_for_news)
{
	int32_t id = begin();
	struct peer *other = peer_open();
	send_ask(other, &(struct ask){id, 1, .wait_ms = 10000});
	ck_assert(peer_is_silent(other, 50));
	put(1, 1);
	ck_assert_int_gt(only(read_answer(other, 0), 1)->records.len, 0);
	peer_close(other);
}
END_TEST

/* What is not there keeps nobody from waiting, unless it is all that is asked for. */
START_TEST(waits_beside_unknown_ones)
{
	struct peer *other = peer_open();
	send_ask(other, &(struct ask){.wait_ms = 10000, .n = 1, .words = {{7, 0}}});
	int32_t id = read_answer(other, 0)->session_id;
	ck_assert_int_gt(id, 0);
	send_ask(other, &(struct ask){
				id, 1, .wait_ms = 10000, .n = 1, .words = {{0, 0}}});
	ck_assert(peer_is_silent(other, 50));
	put(0, 1);
	struct kl_fetch_response *r = read_answer(other, 0);
	ck_assert_int_eq(r->responses[0].partitions_n, 2);
	peer_close(other);
}
END_TEST

/* --- what is refused --- */

START_TEST(refuses_wrong_sessions)
{
	refused(FETCH(12345, 1), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
	refused(FETCH(0, 1), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
	int32_t id = begin();
	refused(FETCH(id, 2), KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH);
	nothing(FETCH(id, 1), id);
	refused(FETCH(id, 1), KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH);
	refused(FETCH(id, -2), KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH);
	refused(FETCH(id, 2, .version = BY_ID), KLAMM_ERR_FETCH_SESSION_TOPIC_ID_ERROR);
	nothing(FETCH(id, 2), id);
}
END_TEST

START_TEST(ends_sessions)
{
	int32_t id = begin();
	/* On request, with an answer all the same. */
	struct kl_fetch_response *r = FETCH(id, -1, .n = 1, .words = {{0, 0}});
	ck_assert_int_eq(r->session_id, 0);
	only(r, 0);
	refused(FETCH(id, 1), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
	/* By another one that begins in its place. */
	id = begin();
	r = FETCH(id, 0, .n = 1, .words = {{0, 0}});
	ck_assert_int_gt(r->session_id, 0);
	ck_assert_int_ne(r->session_id, id);
	refused(FETCH(id, 1), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
	/* When nothing is left in it. */
	id = begin();
	r = FETCH(id, 1, .n = 2, .words = {{0, 0, true}, {1, 0, true}});
	nothing(r, 0);
	refused(FETCH(id, 2), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
}
END_TEST

/* Somebody goes on with a session while its last fetch still waits. */
START_TEST(refuses_to_answer_late)
{
	int32_t id = begin();
	struct peer *other = peer_open();
	send_ask(other, &(struct ask){id, 1, .wait_ms = 10000});
	ck_assert(peer_is_silent(other, 50));
	nothing(FETCH(id, 2), id);
	put(0, 1);
	struct kl_fetch_response *r = read_answer(other, 0);
	ck_assert_int_eq(r->error_code, KLAMM_ERR_INVALID_FETCH_SESSION_EPOCH);
	ck_assert_int_eq(r->session_id, id);
	ck_assert_int_eq(r->responses_n, 0);
	only(FETCH(id, 3), 0);
	peer_close(other);
}
END_TEST

/* --- topic ids --- */

START_TEST(goes_by_ids)
{
	struct klamm_uuid topic_id = peer_topic_id(topic);
	struct kl_fetch_response *r = FETCH(.version = BY_ID, .topic_id = topic_id, .n = 2,
					    .words = {{0, 0}, {1, 0}});
	int32_t id = r->session_id;
	ck_assert_int_gt(id, 0);
	ck_assert_int_eq(r->responses[0].partitions_n, 2);
	refused(FETCH(id, 1), KLAMM_ERR_FETCH_SESSION_TOPIC_ID_ERROR);
	put(1, 1);
	r = FETCH(id, 1, .version = BY_ID, .topic_id = topic_id, .n = 1,
		  .words = {{0, 0, true}});
	only(r, 1);
	ck_assert_mem_eq(&r->responses[0].topic_id, &topic_id, sizeof(topic_id));
}
END_TEST

START_TEST(tells_unknown_ids)
{
	struct klamm_uuid topic_id = {{1, 2, 3}};
	struct kl_fetch_response *r =
		FETCH(.version = BY_ID, .topic_id = topic_id, .n = 1, .words = {{0, 0}});
	ck_assert_int_eq(only(r, 0)->error_code, KLAMM_ERR_UNKNOWN_TOPIC_ID);
	ck_assert_int_gt(r->session_id, 0);
	r = FETCH(r->session_id, 1, .version = BY_ID);
	ck_assert_int_eq(only(r, 0)->error_code, KLAMM_ERR_UNKNOWN_TOPIC_ID);
}
END_TEST

START_TEST(tells_topics_made_anew)
{
	struct kl_fetch_response *r =
		FETCH(.version = BY_ID, .topic_id = peer_topic_id(topic), .n = 1,
		      .words = {{0, 0}});
	int32_t id = r->session_id;
	peer_delete(topic);
	r = FETCH(id, 1, .version = BY_ID);
	ck_assert_int_eq(only(r, 0)->error_code, KLAMM_ERR_UNKNOWN_TOPIC_OR_PARTITION);
	peer_create(topic, 1);
	r = FETCH(id, 2, .version = BY_ID);
	ck_assert_int_eq(only(r, 0)->error_code, KLAMM_ERR_INCONSISTENT_TOPIC_ID);
}
END_TEST

/* --- room --- */

static void up_with(const char *slots)
{
	const char *const config[] = {slots, NULL};
	peer_start_with((struct klamm_broker_options){.config = config});
	topic = peer_topic();
	peer_create(topic, 3);
	peer = peer_open();
}

static void up_one(void)
{
	up_with("max.incremental.fetch.session.cache.slots=1");
}

START_TEST(has_so_much_room)
{
	int32_t id = begin();
	struct kl_fetch_response *r = FETCH(.n = 3, .words = {{0, 0}, {1, 0}, {2, 0}});
	ck_assert_int_eq(r->session_id, 0);
	ck_assert_int_eq(r->responses[0].partitions_n, 3);
	nothing(FETCH(id, 1), id);
}
END_TEST

START_TEST(has_no_room_at_all)
{
	up_with("max.incremental.fetch.session.cache.slots=0");
	ck_assert_int_eq(FETCH(.n = 1, .words = {{0, 0}})->session_id, 0);
	down();
}
END_TEST

#define MINUTES (60 * (int64_t)KL_SECOND)

/* Time that passes for the sessions. */
struct shift {
	int64_t begun, last;
};

static void run_shift(void *arg)
{
	const struct shift *shift = arg;
	kl_list_for(session, &peer_broker->nodes[0].fetch.used, struct kl_dev_fetch_session,
		    used) {
		session->begun -= shift->begun;
		session->last -= shift->last;
	}
}

static void age(int64_t begun, int64_t last)
{
	struct shift shift = {begun, last};
	kl_loop_call(peer_broker->loop, run_shift, &shift);
}

START_TEST(makes_room)
{
	int32_t id = begin();
	/* One that is neither young nor as large. */
	age(3 * MINUTES, 0);
	ck_assert_int_eq(FETCH(.n = 2, .words = {{0, 0}, {2, 0}})->session_id, 0);
	ck_assert_int_gt(FETCH(.n = 3, .words = {{0, 0}, {1, 0}, {2, 0}})->session_id, 0);
	refused(FETCH(id, 1), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
	/* One that nobody used for long, whatever its size. */
	age(3 * MINUTES, 3 * MINUTES);
	ck_assert_int_gt(FETCH(.n = 1, .words = {{0, 0}})->session_id, 0);
}
END_TEST

/* --- faults --- */

START_TEST(meets_faults_by_its_session)
{
	struct klamm_error err;
	char text[96];
	int32_t id = begin(), fault;
	snprintf(text, sizeof(text), "fetch topic=%s partition=1 error=KAFKA_STORAGE_ERROR",
		 topic);
	ck_assert_int_eq(klamm_broker_fault(peer_broker, text, &fault, &err), 0);
	ck_assert_int_eq(only(FETCH(id, 1), 1)->error_code,
			 KLAMM_ERR_KAFKA_STORAGE_ERROR);
	ck_assert_int_eq(klamm_broker_fault_hits(peer_broker, fault), 1);
	ck_assert_int_eq(only(FETCH(id, 2), 1)->error_code, 0);
	nothing(FETCH(id, 3), id);
	snprintf(text, sizeof(text), "fetch topic=%s partition=2 error=KAFKA_STORAGE_ERROR",
		 topic);
	ck_assert_int_eq(klamm_broker_fault(peer_broker, text, &fault, &err), 0);
	nothing(FETCH(id, 4), id);
	ck_assert_int_eq(klamm_broker_fault_hits(peer_broker, fault), 0);
	ck_assert_int_eq(klamm_broker_fault(peer_broker,
					    "fetch error=FETCH_SESSION_ID_NOT_FOUND", NULL,
					    &err),
			 0);
	refused(FETCH(id, 5), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
	nothing(FETCH(id, 5), id);
}
END_TEST

START_TEST(forgets_when_it_starts_again)
{
	struct klamm_error err;
	int32_t id = begin();
	ck_assert_int_eq(klamm_broker_node_stop(peer_broker, 1, false, &err), 0);
	ck_assert_int_eq(klamm_broker_node_start(peer_broker, 1, &err), 0);
	peer_close(peer);
	peer = peer_open();
	refused(FETCH(id, 1), KLAMM_ERR_FETCH_SESSION_ID_NOT_FOUND);
}
END_TEST

UNIT_SUITE(fetch_sessions)
{
	Suite *s = suite_create("fetch_sessions");
	unit_add_fixture(s, tells_only_news, up, down);
	unit_add_fixture(s, takes_more_and_forgets, up, down);
	unit_add_fixture(s, goes_round, up, down);
	unit_add_fixture(s, tells_errors_each_time, up, down);
	unit_add_fixture(s, waits_for_news, up, down);
	unit_add_fixture(s, waits_beside_unknown_ones, up, down);
	unit_add_fixture(s, refuses_wrong_sessions, up, down);
	unit_add_fixture(s, ends_sessions, up, down);
	unit_add_fixture(s, refuses_to_answer_late, up, down);
	unit_add_fixture(s, goes_by_ids, up, down);
	unit_add_fixture(s, tells_unknown_ids, up, down);
	if (peer_is_foreign())
		return s;
	unit_add_fixture(s, tells_topics_made_anew, up, down);
	unit_add_fixture(s, has_so_much_room, up_one, down);
	unit_add(s, has_no_room_at_all);
	unit_add_fixture(s, makes_room, up_one, down);
	unit_add_fixture(s, meets_faults_by_its_session, up, down);
	unit_add_fixture(s, forgets_when_it_starts_again, up, down);
	return s;
}
