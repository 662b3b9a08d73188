/* SPDX-License-Identifier: BSD-2-Clause */
#include "tests/unit/reading/reading.h"

struct script reading_script;
struct klamm_consumer *reading_consumer;

static struct klamm_error err;

void reading_up(void)
{
	reading_script = (struct script){0};
	reading_consumer = NULL;
}

void reading_down(void)
{
	klamm_consumer_close(reading_consumer, 0, NULL);
	script_stop(&reading_script);
}

void reading_start(const char *pair)
{
	struct klamm_conf *conf;
	script_start(&reading_script);
	ck_assert_int_eq(klamm_conf_new(&conf, &err), 0);
	ck_assert_int_eq(
		klamm_conf_set(conf, "bootstrap.servers", reading_script.address, &err), 0);
	if (pair != NULL)
		ck_assert_msg(klamm_conf_set_pair(conf, pair, &err) == 0, "%s", err.text);
	ck_assert_msg(klamm_consumer_new(conf, NULL, &reading_consumer, &err) == 0, "%s",
		      err.text);
	klamm_conf_free(conf);
	struct klamm_topic_partition part = {"t", 0};
	ck_assert_int_eq(klamm_consumer_assign(reading_consumer, &part, 1, &err), 0);
	ck_assert_int_eq(klamm_consumer_seek(reading_consumer, "t", 0, 0, &err), 0);
}

void reading_until(int64_t position, struct kl_buf *out)
{
	int64_t at = 0;
	/* The last of it may be left out, and then poll() has nothing to tell. */
	for (int idle = 0; at < position && idle < 500; idle++) {
		struct klamm_batch *batch;
		int rc = klamm_consumer_poll(reading_consumer, 20, &batch, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
		struct klamm_record_view view;
		while (batch != NULL && (rc = klamm_batch_next(batch, &view)) == 1)
			show_record(out, &view);
		ck_assert_int_eq(rc, 0);
		if (batch != NULL)
			idle = 0;
		klamm_batch_unref(batch);
		rc = klamm_consumer_position(reading_consumer, "t", 0, 10000, &at, &err);
		ck_assert_msg(rc == 0, "%s", err.text);
	}
	ck_assert_int_eq(at, position);
}
