/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/proto/versions.h"

#include <stdio.h>
#include <stdlib.h>

#include "tests/unit/unit.h"

static int pick(const struct kl_versions *versions, const struct kl_msg *msg)
{
	return kl_versions_pick(versions, msg, KL_VERSION_ANY);
}

static struct kl_versions learn(int api, int min, int max)
{
	struct kl_api_versions_response_api_key key = {
		.api_key = (int16_t)api,
		.min_version = (int16_t)min,
		.max_version = (int16_t)max,
	};
	struct kl_api_versions_response res = {.api_keys = &key, .api_keys_n = 1};
	struct kl_versions versions;
	kl_versions_learn(&versions, &res);
	return versions;
}

START_TEST(highest_common)
{
	struct kl_versions v = learn(KL_API_FETCH, 0, 11);
	ck_assert_int_eq(pick(&v, &kl_msg_fetch_request), 11);
	ck_assert_int_eq(kl_versions_pick(&v, &kl_msg_fetch_request, 4), 4);
	ck_assert_int_eq(pick(&v, &kl_msg_produce_request), -1); /* not there */
	v = learn(KL_API_FETCH, 4, 99);
	ck_assert_int_eq(pick(&v, &kl_msg_fetch_request), kl_msg_fetch_request.max);
	ck_assert_int_eq(kl_versions_pick(&v, &kl_msg_fetch_request, 3), -1);
	v = learn(KL_API_FETCH, 90, 99);
	ck_assert_int_eq(pick(&v, &kl_msg_fetch_request), -1);
	v = learn(KL_API_SHARE_FETCH, 0, 0);
	ck_assert_int_eq(pick(&v, &kl_msg_share_fetch_request), -1);
	v = learn(30000, 0, 1); /* an API of the future */
	v = learn(-5, 0, 1);
}
END_TEST

START_TEST(unstable_is_not_picked)
{
	struct kl_versions v = learn(KL_API_INIT_PRODUCER_ID, 0, 6);
	ck_assert_int_eq(pick(&v, &kl_msg_init_producer_id_request), 5);
}
END_TEST

START_TEST(produce_of_kafka_4)
{
	struct kl_versions v = learn(KL_API_PRODUCE, 0, 11); /* 3.9 does serve 0 */
	ck_assert_int_eq(kl_versions_pick(&v, &kl_msg_produce_request, 2), 2);
	v = learn(KL_API_PRODUCE, 0, 12);
	ck_assert_int_eq(kl_versions_pick(&v, &kl_msg_produce_request, 2), -1);
	ck_assert_int_eq(kl_versions_pick(&v, &kl_msg_produce_request, 3), 3);
	ck_assert_int_eq(pick(&v, &kl_msg_produce_request), 12);
}
END_TEST

START_TEST(old_releases)
{
	struct kl_versions v;
	ck_assert(kl_versions_assume(&v, "0.8.0"));
	ck_assert_int_eq(pick(&v, &kl_msg_metadata_request), 0);
	ck_assert_int_eq(pick(&v, &kl_msg_offset_commit_request), -1);
	ck_assert(kl_versions_assume(&v, "0.8.1.1"));
	ck_assert_int_eq(pick(&v, &kl_msg_offset_commit_request), 0);
	ck_assert_int_eq(pick(&v, &kl_msg_find_coordinator_request), -1);
	ck_assert(kl_versions_assume(&v, "0.8.2.2"));
	ck_assert_int_eq(pick(&v, &kl_msg_offset_commit_request), 1);
	ck_assert_int_eq(pick(&v, &kl_msg_join_group_request), -1);
	ck_assert(kl_versions_assume(&v, "0.9"));
	ck_assert_int_eq(pick(&v, &kl_msg_produce_request), 1);
	ck_assert_int_eq(pick(&v, &kl_msg_offset_commit_request), 2);
	ck_assert_int_eq(pick(&v, &kl_msg_join_group_request), 0);
	ck_assert_int_eq(pick(&v, &kl_msg_sasl_handshake_request), -1);
	ck_assert_int_eq(pick(&v, &kl_msg_api_versions_request), -1);
	ck_assert(kl_versions_assume(&v, "0.10.2.1"));
	ck_assert_int_eq(pick(&v, &kl_msg_fetch_request), 2);
	ck_assert_int_eq(pick(&v, &kl_msg_sasl_handshake_request), 0);

	static const char *const wrong[] = {"",   "0.7.2", "0.11.0", "4.0",
					    "0.x", "-1",    "0.8.2 ", "0..1",
					    "9999999999999999999"};
	for (size_t i = 0; i < kl_countof(wrong); i++)
		ck_assert_msg(!kl_versions_assume(&v, wrong[i]), "\"%s\"", wrong[i]);
}
END_TEST

START_TEST(api_versions_again)
{
	struct kl_api_versions_response_api_key key = {.api_key = KL_API_API_VERSIONS,
						       .max_version = 3};
	struct kl_api_versions_response res = {.api_keys = &key, .api_keys_n = 1};
	ck_assert_int_eq(kl_versions_retry(&res), 3);
	res.api_keys_n = 0; /* before 2.4 */
	ck_assert_int_eq(kl_versions_retry(&res), 0);
}
END_TEST

/* One line of releases.txt: "0.9 0:0-1 1:0-1 ...". */
static unsigned check_release(char *line)
{
	struct kl_api_versions_response_api_key keys[128];
	struct kl_api_versions_response res = {.api_keys = keys};
	struct kl_versions learned, assumed;
	char *rest, *release = strtok_r(line, " ", &rest), *word;
	while ((word = strtok_r(NULL, " ", &rest)) != NULL) {
		int api, min, max;
		ck_assert_int_eq(sscanf(word, "%d:%d-%d", &api, &min, &max), 3);
		keys[res.api_keys_n++] = (struct kl_api_versions_response_api_key){
			.api_key = (int16_t)api,
			.min_version = (int16_t)min,
			.max_version = (int16_t)max,
		};
	}
	kl_versions_learn(&learned, &res);
	/* Later ones answer for themselves. */
	bool old = strcmp(release, "0.10.1") != 0 && strcmp(release, "0.10.2") != 0 &&
		   kl_versions_assume(&assumed, release);
	unsigned checked = 0;
	for (int32_t i = 0; i < res.api_keys_n; i++) {
		const struct kl_msg *request = kl_msg_request(keys[i].api_key);
		if (request == NULL || request->api == KL_API_WRITE_TXN_MARKERS)
			continue; /* between brokers */
		/* klamm has every version, so it uses each broker's newest. */
		int newest = keys[i].max_version;
		ck_assert_msg(pick(&learned, request) == newest, "%s: %s %d", release,
			      request->name, pick(&learned, request));
		if (old)
			ck_assert_msg(pick(&assumed, request) == newest, "%s: %s %d",
				      release, request->name, pick(&assumed, request));
		checked++;
	}
	return checked;
}

START_TEST(real_releases)
{
	char *text = unit_read("tests/unit/proto/releases.txt", &(size_t){0});
	unsigned lines = 0, checked = 0;
	for (char *line = text, *end; (end = strchr(line, '\n')) != NULL; line = end + 1) {
		*end = '\0';
		if (*line == '#')
			continue;
		checked += check_release(line);
		lines++;
	}
	free(text);
	ck_assert_uint_eq(lines, 33);
	ck_assert_uint_ge(checked, 1000);
}
END_TEST

UNIT_SUITE(versions)
{
	Suite *s = suite_create("versions");
	unit_add(s, highest_common);
	unit_add(s, unstable_is_not_picked);
	unit_add(s, produce_of_kafka_4);
	unit_add(s, old_releases);
	unit_add(s, api_versions_again);
	unit_add(s, real_releases);
	return s;
}
