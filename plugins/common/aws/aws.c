/* SPDX-License-Identifier: BSD-2-Clause */
/* One instance: what is kept of the credentials, the region, and the clock. */
#include <curl/curl.h>
#include <stdlib.h>

#include "plugins/common/aws/aws_int.h"

/* How long before they expire credentials are replaced, and until when they are used if
 * that fails. */
#define REPLACE_MS (5 * 60 * 1000)
#define USE_MS     (30 * 1000)
/* Amazon's services take five minutes. */
#define SKEW_MS (4 * 60 * 1000)

void kl_aws_note(const struct kl_aws *aws, int level, const char *fmt, ...)
{
	char text[600];
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	aws->host->log(aws->host, level, text);
}

/* --- HTTP --- */

/* By the Date of an answer. What is signed with a wrong time is refused, most often
 * without a word about time. */
static void compare_clocks(struct kl_aws *aws, const struct kl_http_request *request,
			   const struct kl_http_answer *answer)
{
	char date[64], where[128];
	if (!kl_http_value(answer, "Date", date, sizeof(date)))
		return;
	time_t theirs = curl_getdate(date, NULL);
	int64_t ms = aws->host->wall_ms(aws->host) - (int64_t)theirs * 1000;
	if (theirs < 0 || (ms < SKEW_MS && ms > -SKEW_MS) ||
	    __atomic_exchange_n(&aws->told_skew, true, __ATOMIC_RELAXED))
		return;
	kl_http_where(request->url, where, sizeof(where));
	kl_aws_note(
		aws, KL_AWS_WARN,
		"the clock of this machine is %lld s %s that of %s: signatures with its "
		"time will be refused; set the clock",
		(long long)(ms < 0 ? -ms : ms) / 1000, ms < 0 ? "behind" : "ahead of",
		where);
}

int kl_aws_http(struct kl_aws_search *search, struct kl_http_request *request,
		struct kl_http_answer *answer_out, struct klamm_error *err)
{
	const struct klamm_host *host = search->aws->host;
	int64_t left_ms = (search->end_us - host->now_us(host)) / 1000;
	if (left_ms <= 0)
		return klamm_fail(err, KLAMM_ERR_TIMED_OUT,
				  "looking for credentials took too long");
	if (request->wait_ms == 0 || request->wait_ms > left_ms)
		request->wait_ms = left_ms;
	request->call = search->call;
	int rc = kl_http(host, request, answer_out, err);
	if (rc == 0)
		compare_clocks(search->aws, request, answer_out);
	return rc;
}

/* --- what is kept --- */

static bool lasts(const struct kl_aws *aws, int64_t ms)
{
	return !kl_aws_is_empty(&aws->kept) &&
	       aws->kept.expires_ms - aws->host->wall_ms(aws->host) > ms;
}

static bool gave_up(const struct kl_aws_search *search)
{
	const struct klamm_host *host = search->aws->host;
	return klamm_cancelled(search->call) || host->closing(host) ||
	       host->now_us(host) >= search->end_us;
}

/* Until another thread's search is over: its outcome is this one's. With the mutex. */
static int await(struct kl_aws_search *search, struct klamm_error *err)
{
	struct kl_aws *aws = search->aws;
	unsigned round = aws->rounds;
	while (aws->rounds == round && !gave_up(search)) {
		struct timespec until;
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_nsec += 50 * 1000 * 1000;
		until.tv_sec += until.tv_nsec / 1000000000;
		until.tv_nsec %= 1000000000;
		pthread_cond_clockwait(&aws->fetched, &aws->mutex, CLOCK_MONOTONIC,
				       &until);
	}
	if (aws->rounds == round)
		return klamm_fail(err, KLAMM_ERR_TIMED_OUT,
				  "looking for credentials took too long");
	if (aws->last.code == KLAMM_ERR_ABORTED)
		return 0; /* that other call was not wanted any more; this one is */
	if (aws->last.code != 0)
		*err = aws->last;
	return aws->last.code;
}

/* With the mutex, which it leaves meanwhile. */
static int fetch(struct kl_aws_search *search, struct kl_aws_credentials *out,
		 struct klamm_error *err)
{
	struct kl_aws *aws = search->aws;
	aws->fetching = true;
	pthread_mutex_unlock(&aws->mutex);
	int rc = kl_aws_find(search, out, err);
	if (rc == 0)
		kl_aws_note(aws, KL_AWS_DEBUG, "access key %s, from %s",
			    kl_text_get(&out->key_id), out->from);
	pthread_mutex_lock(&aws->mutex);
	aws->fetching = false;
	aws->rounds++;
	aws->last = (struct klamm_error){0};
	if (rc != 0)
		aws->last = *err;
	else if (out->expires_ms != KL_AWS_FOR_GOOD)
		rc = kl_aws_credentials_copy(&aws->kept, out, err);
	else
		kl_aws_credentials_free(&aws->kept);
	pthread_cond_broadcast(&aws->fetched);
	return rc;
}

static int get(struct kl_aws_search *search, struct kl_aws_credentials *out,
	       struct klamm_error *err)
{
	struct kl_aws *aws = search->aws;
	int rc = 0;
	while (rc == 0 && !lasts(aws, REPLACE_MS)) {
		if (aws->fetching && lasts(aws, USE_MS))
			break;
		if (!aws->fetching) {
			rc = fetch(search, out, err);
			if (rc == 0)
				return 0;
		} else {
			rc = await(search, err);
			if (rc == 0 && lasts(aws, USE_MS))
				break; /* else they are not of the sort that is kept */
		}
	}
	if (rc != 0 && !lasts(aws, USE_MS))
		return rc;
	if (rc != 0)
		kl_aws_note(aws, KL_AWS_WARN,
			    "credentials that soon expire cannot be replaced: %s",
			    err->text);
	return kl_aws_credentials_copy(out, &aws->kept, err);
}

int kl_aws_credentials(struct kl_aws *aws, const struct klamm_call *call,
		       struct kl_aws_credentials *credentials_out,
		       struct klamm_error *err)
{
	int64_t wait_ms = call->wait_ms >= 0 && call->wait_ms < KL_AWS_WAIT_MS
				  ? call->wait_ms
				  : KL_AWS_WAIT_MS;
	struct kl_aws_search search = {
		.aws = aws,
		.call = call,
		.end_us = aws->host->now_us(aws->host) + wait_ms * 1000,
	};
	if (aws->conf.key_id != NULL && aws->conf.role_arn == NULL)
		return kl_aws_of_options(aws, credentials_out, err);
	pthread_mutex_lock(&aws->mutex);
	int rc = get(&search, credentials_out, err);
	pthread_mutex_unlock(&aws->mutex);
	return rc;
}

/* --- the region --- */

static const char *chosen_profile(const struct kl_aws *aws)
{
	const char *name = aws->conf.profile;
	if (name == NULL)
		name = kl_aws_variable("AWS_PROFILE");
	return name != NULL ? name : "default";
}

int kl_aws_region(struct kl_aws *aws, const char *host, char to[static KL_AWS_REGION],
		  struct klamm_error *err)
{
	struct kl_aws_profile profile = {0};
	const char *region = aws->conf.region;
	if (region == NULL && host != NULL && kl_aws_region_of_host(host, to))
		return 0;
	if (region == NULL)
		region = kl_aws_variable("AWS_REGION");
	if (region == NULL)
		region = kl_aws_variable("AWS_DEFAULT_REGION");
	int rc = region == NULL
			 ? kl_aws_profile_read(chosen_profile(aws), &profile, err)
			 : 0;
	if (region == NULL)
		region = kl_aws_property(&profile, KL_AWS_REGION_NAME);
	if (rc == 0 && region == NULL)
		rc = klamm_fail(err, KLAMM_ERR_CONFIG,
				"the broker's name does not tell its region: set "
				"sasl.aws_msk_iam.region");
	else if (rc == 0 && !kl_aws_is_region(region))
		rc = klamm_fail(err, KLAMM_ERR_CONFIG, "the region \"%.50s\" is none",
				region);
	if (rc == 0)
		strcpy(to, region);
	kl_aws_profile_free(&profile);
	return rc;
}

/* --- the instance --- */

/* The application wants files read again. */
static void reload(void *arg)
{
	struct kl_aws *aws = arg;
	pthread_mutex_lock(&aws->mutex);
	kl_aws_credentials_free(&aws->kept);
	pthread_mutex_unlock(&aws->mutex);
}

/* An empty text is one that a template left open. */
static struct kl_aws_conf without_empty(const struct kl_aws_conf *from)
{
	struct kl_aws_conf conf = *from;
	const char **texts[] = {&conf.region,	    &conf.key_id,	    &conf.profile,
				&conf.role_arn,	    &conf.role_session,	    &conf.sts_region,
				&conf.sts_endpoint, &conf.role_external_id};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		if (*texts[i] != NULL && **texts[i] == '\0')
			*texts[i] = NULL;
	if (conf.role_session == NULL)
		conf.role_session = KL_AWS_SESSION;
	return conf;
}

int kl_aws_new(const struct klamm_host *host, const struct kl_aws_conf *from,
	       struct kl_aws **aws_out, struct klamm_error *err)
{
	struct kl_aws_conf conf = without_empty(from);
	if (conf.region != NULL && !kl_aws_is_region(conf.region))
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			KL_AWS_KEY("region") " must be a region, as us-east-1 is");
	if (conf.sts_region != NULL && !kl_aws_is_region(conf.sts_region))
		return klamm_fail(
			err, KLAMM_ERR_CONFIG,
			KL_AWS_KEY("sts.region") " must be a region, as us-east-1 is");
	struct kl_aws *aws = calloc(1, sizeof(*aws));
	if (aws == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	aws->host = host;
	aws->conf = conf;
	aws->kept.secret.is_kept = aws->kept.token.is_kept = true;
	pthread_mutex_init(&aws->mutex, NULL);
	pthread_cond_init(&aws->fetched, NULL);
	host->on_reload(host, reload, aws);
	*aws_out = aws;
	return 0;
}

void kl_aws_free(struct kl_aws *aws)
{
	if (aws == NULL)
		return;
	aws->host->on_reload(aws->host, NULL, NULL);
	kl_aws_credentials_free(&aws->kept);
	pthread_cond_destroy(&aws->fetched);
	pthread_mutex_destroy(&aws->mutex);
	free(aws);
}

int kl_aws_check(struct kl_aws *aws, struct klamm_error *err)
{
	KL_AWS_CREDENTIALS_AUTO credentials = {0};
	return kl_aws_of_options(aws, &credentials, err);
}
