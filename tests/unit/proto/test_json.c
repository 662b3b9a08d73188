/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/proto/gen/messages.h"

#include <math.h>
#include <stdio.h>

#include "tests/unit/unit.h"

static void check_json(const struct kl_msg *msg, int version, const void *obj,
		       const char *want)
{
	struct kl_buf buf = {0};
	kl_msg_json(msg, version, obj, &buf);
	ck_assert_str_eq(kl_buf_text(&buf), want);
	kl_buf_free(&buf);
}

START_TEST(fields_of_the_version)
{
	struct kl_metadata_request_topic topic;
	kl_type_init(&kl_type_metadata_request_topic, &topic);
	topic.name = KL_STR("t \"1\"");
	struct kl_metadata_request req;
	kl_msg_init(&kl_msg_metadata_request, &req);
	req.topics = &topic;
	req.topics_n = 1;
	check_json(&kl_msg_metadata_request, 0, &req,
		   "{\"Topics\":[{\"Name\":\"t \\\"1\\\"\"}]}");
	check_json(&kl_msg_metadata_request, 11, &req,
		   "{\"Topics\":[{\"TopicId\":\"AAAAAAAAAAAAAAAAAAAAAA\","
		   "\"Name\":\"t \\\"1\\\"\"}],"
		   "\"AllowAutoTopicCreation\":true,"
		   "\"IncludeTopicAuthorizedOperations\":false}");
	req.topics_n = -1;
	check_json(&kl_msg_metadata_request, 4, &req,
		   "{\"Topics\":null,\"AllowAutoTopicCreation\":true}");
	req.topics_n = 0;
	check_json(&kl_msg_metadata_request, 0, &req, "{\"Topics\":[]}");
}
END_TEST

START_TEST(bytes_and_tags)
{
	struct {
		struct kl_tags head;
		struct kl_tag room[1];
	} unknown = {.head.n = 1};
	unknown.head.list[0] = (struct kl_tag){9, {(const uint8_t *)"\0\xff", 2}};
	struct kl_sasl_authenticate_request req;
	kl_msg_init(&kl_msg_sasl_authenticate_request, &req);
	req.auth_bytes = (struct kl_bytes){(const uint8_t *)"secret", 6};
	req.tags = &unknown.head;
	check_json(&kl_msg_sasl_authenticate_request, 2, &req,
		   "{\"AuthBytes\":{\"base64\":\"c2VjcmV0\"},"
		   "\"_tags\":{\"9\":{\"base64\":\"AP8=\"}}}");
	struct kl_find_coordinator_request find;
	kl_msg_init(&kl_msg_find_coordinator_request, &find);
	find.key = KL_STR("\xff!");
	check_json(&kl_msg_find_coordinator_request, 0, &find,
		   "{\"Key\":{\"base64\":\"/yE=\"}}");
}
END_TEST

/* A tagged field at its default is not there, as on the wire. */
START_TEST(tagged_fields)
{
	struct kl_api_versions_response res;
	kl_msg_init(&kl_msg_api_versions_response, &res);
	check_json(&kl_msg_api_versions_response, 3, &res,
		   "{\"ErrorCode\":0,\"ApiKeys\":[],\"ThrottleTimeMs\":0}");
	res.finalized_features_epoch = INT64_MAX;
	check_json(&kl_msg_api_versions_response, 3, &res,
		   "{\"ErrorCode\":0,\"ApiKeys\":[],\"ThrottleTimeMs\":0,"
		   "\"FinalizedFeaturesEpoch\":9223372036854775807}");
}
END_TEST

static void check_double(double v, const char *text)
{
	struct kl_describe_client_quotas_response_value value = {.value = v};
	struct kl_describe_client_quotas_response_entry entry = {.values = &value,
								 .values_n = 1};
	struct kl_describe_client_quotas_response res;
	kl_msg_init(&kl_msg_describe_client_quotas_response, &res);
	res.entries = &entry;
	res.entries_n = 1;
	char want[200];
	snprintf(want, sizeof(want),
		 "{\"ThrottleTimeMs\":0,\"ErrorCode\":0,\"ErrorMessage\":\"\",\"Entries\":"
		 "[{\"Entity\":[],\"Values\":[{\"Key\":\"\",\"Value\":%s}]}]}", text);
	check_json(&kl_msg_describe_client_quotas_response, 0, &res, want);
}

static void check_doubles(void)
{
	check_double(0, "0");
	check_double(-2.5, "-2.5");
	check_double(1048576, "1048576");
	check_double(1e300, "1.0000000000000001e+300");
	check_double(1e22, "1e+22");
	check_double(INFINITY, "\"Infinity\"");
	check_double(-INFINITY, "\"-Infinity\"");
	check_double(NAN, "\"NaN\"");
	check_double(-0.0, "-0.0");
	uint64_t bits = UINT64_C(0x7ff8000000000001);
	double other;
	memcpy(&other, &bits, sizeof(other));
	check_double(other, "{\"base64\":\"f/gAAAAAAAE=\"}");
}

START_TEST(doubles)
{
	check_doubles();
	/* A locale with a comma gives the same. */
	if (unit_decimal_comma())
		check_doubles();
}
END_TEST

static void check_hidden(const struct kl_msg *msg, int version, const void *obj,
			 const char *want)
{
	struct kl_buf buf = {0};
	kl_msg_json_public(msg, version, obj, &buf);
	ck_assert_str_eq(kl_buf_text(&buf), want);
	kl_buf_free(&buf);
}

START_TEST(secrets)
{
	struct kl_sasl_authenticate_request req;
	kl_msg_init(&kl_msg_sasl_authenticate_request, &req);
	req.auth_bytes = (struct kl_bytes){(const uint8_t *)"secret", 6};
	check_hidden(&kl_msg_sasl_authenticate_request, 2, &req,
		     "{\"AuthBytes\":\"[hidden]\"}");
	struct kl_alter_user_scram_credentials_request_upsertion up;
	kl_type_init(&kl_type_alter_user_scram_credentials_request_upsertion, &up);
	up.name = KL_STR("me");
	up.salted_password = req.auth_bytes;
	struct kl_alter_user_scram_credentials_request alter;
	kl_msg_init(&kl_msg_alter_user_scram_credentials_request, &alter);
	alter.upsertions = &up;
	alter.upsertions_n = 1;
	check_hidden(&kl_msg_alter_user_scram_credentials_request, 0, &alter,
		     "{\"Deletions\":[],\"Upsertions\":[{\"Name\":\"me\",\"Mechanism\":0,"
		     "\"Iterations\":0,\"Salt\":{\"base64\":\"\"},"
		     "\"SaltedPassword\":\"[hidden]\"}]}");
}
END_TEST

UNIT_SUITE(json)
{
	Suite *s = suite_create("json");
	unit_add(s, fields_of_the_version);
	unit_add(s, bytes_and_tags);
	unit_add(s, tagged_fields);
	unit_add(s, doubles);
	unit_add(s, secrets);
	return s;
}
