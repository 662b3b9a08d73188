/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/proto/versions.h"

#include <stdlib.h>

/* Kafka 4 serves Produce from version 3 on but says 0, as old clients of librdkafka give up
 * otherwise. The first release that does so is known by its newest version. */
#define PRODUCE_MAX_OF_4_0 12
#define PRODUCE_MIN_OF_4_0 3

static void forget(struct kl_versions *versions)
{
	for (int i = 0; i < KL_API_COUNT; i++) {
		versions->api[i].min = 0;
		versions->api[i].max = -1;
	}
}

void kl_versions_learn(struct kl_versions *versions,
		       const struct kl_api_versions_response *response)
{
	forget(versions);
	for (int32_t i = 0; i < response->api_keys_n; i++) {
		const struct kl_api_versions_response_api_key *key = &response->api_keys[i];
		if (key->api_key < 0 || key->api_key >= KL_API_COUNT)
			continue; /* newer than klamm */
		versions->api[key->api_key].min = key->min_version;
		versions->api[key->api_key].max = key->max_version;
	}
	if (versions->api[KL_API_PRODUCE].max >= PRODUCE_MAX_OF_4_0 &&
	    versions->api[KL_API_PRODUCE].min < PRODUCE_MIN_OF_4_0)
		versions->api[KL_API_PRODUCE].min = PRODUCE_MIN_OF_4_0;
}

/* Releases from before ApiVersions (0.10.0), and that one itself; -1 = not there yet. */
static const struct {
	int release; /* 0.8.2 is 802 */
	/* Produce, Fetch, ListOffsets, ... by API key; min is 0 */
	int8_t max[KL_API_API_VERSIONS + 1];
} releases[] = {
	{800,  {0, 0, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1}},
	{801,  {0, 0, 0, 0, -1, -1, -1, -1, 0, 0, -1, -1, -1, -1, -1, -1, -1, -1, -1}},
	{802,  {0, 0, 0, 0, -1, -1, -1, -1, 1, 1, 0, -1, -1, -1, -1, -1, -1, -1, -1}},
	{900,  {1, 1, 0, 0, -1, -1, -1, -1, 2, 1, 0, 0, 0, 0, 0, 0, 0, -1, -1}},
	{1000, {2, 2, 0, 1, -1, -1, -1, -1, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0}},
};

/* "0.8.2.1" is 802, "0.9" is 900, "0.10.1" is 1001; -1: not a release. */
static int release_number(const char *text)
{
	long parts[3] = {0};
	for (int i = 0; i < 3; i++) {
		char *end;
		if (*text < '0' || *text > '9')
			return -1;
		parts[i] = strtol(text, &end, 10);
		if (parts[i] > 99 || (*end != '.' && *end != '\0'))
			return -1;
		text = end + 1;
		if (*end == '\0')
			break;
	}
	return (int)(parts[0] * 10000 + parts[1] * 100 + parts[2]);
}

bool kl_versions_assume(struct kl_versions *versions, const char *release)
{
	int number = release_number(release);
	size_t i = kl_countof(releases);
	while (i > 0 && releases[i - 1].release > number)
		i--;
	/* Above 0.10.x the table would be too old to be of use. */
	if (i == 0 || number >= 1100)
		return false;
	forget(versions);
	for (int api = 0; api <= KL_API_API_VERSIONS; api++)
		versions->api[api].max = releases[i - 1].max[api];
	return true;
}

int kl_versions_pick(const struct kl_versions *versions, const struct kl_msg *request,
		     int at_most)
{
	int max = kl_min(kl_min(at_most, request->stable), versions->api[request->api].max);
	int min = kl_max(request->min, versions->api[request->api].min);
	return max >= min ? max : -1;
}

int kl_versions_retry(const struct kl_api_versions_response *response)
{
	/* Brokers from 2.4 on say what they have (KIP-511), older ones nothing. */
	struct kl_versions versions;
	kl_versions_learn(&versions, response);
	int max = kl_versions_pick(&versions, &kl_msg_api_versions_request, KL_VERSION_ANY);
	return kl_max(max, 0);
}
