/* SPDX-License-Identifier: BSD-2-Clause */
/* Topics that change while records are sent to them: more partitions, or another topic of the
 * same name (KIP-516). */
#include "tests/unit/producer/caught.h"

/* --- partitions --- */

static bool used(int32_t partition)
{
	const struct caught *c = caught();
	for (int i = 0; i < c->batches; i++)
		if (c->batch[i].partition == partition)
			return true;
	return false;
}

/* Keyless records find them when metadata is looked at again, one that names such a
 * partition at once. */
START_TEST(new_partitions_are_used)
{
	static const char *const ages[] = {"metadata.max.age.ms=30",
					   "metadata.max.age.ms=300000"};
	struct klamm_producer *producer =
		world_producer(NULL, "linger.ms=0", "batch.size=200", ages[_i], NULL);
	for (int i = 0; i < 50; i++)
		world_send(producer, "t", -1, NULL, "v", NULL);
	ck_assert_uint_eq(world_flush(producer), 0);
	ck_assert(!used(6));
	caught_script.partitions = 7;
	int64_t deadline = world_ms() + PATIENCE;
	while (!used(6) && world_ms() < deadline) {
		world_send(producer, "t", _i == 0 ? -1 : 6, NULL, "v", NULL);
		ck_assert_uint_eq(world_flush(producer), 0);
	}
	ck_assert(used(6));
	world_close(producer);
}
END_TEST

/* --- another topic --- */

static void recreate(void)
{
	struct klamm_conf *conf = world_conf("client.id=operator", NULL);
	struct klamm_admin *admin;
	struct klamm_error err;
	const char *name = "t";
	ck_assert_int_eq(klamm_admin_new(conf, NULL, &admin, &err), 0);
	ck_assert_msg(klamm_admin_delete_topics(admin, &name, 1, PATIENCE, NULL, &err) == 0,
		      "%s", err.text);
	klamm_admin_free(admin);
	klamm_conf_free(conf);
	world_create("t", 2);
}

/* What was acknowledged went with the old one; everything else is in the new one, once and in
 * order. */
START_TEST(a_topic_that_is_made_anew)
{
	static struct world_end ends[60];
	static const char *const pairs[] = {"enable.idempotence=true",
					    "enable.idempotence=false"};
	/* Else the producer's own Metadata may make the topic before the operator does. */
	world_start((struct klamm_broker_options){.no_auto_create = true});
	world_create("t", 2);
	struct klamm_producer *producer =
		world_telling(NULL, "linger.ms=0", "retry.backoff.ms=5", pairs[_i], NULL);
	for (int i = 0; i < 60; i++) {
		if (i == 20)
			ck_assert_uint_eq(world_flush(producer), 0);
		if (i == 20)
			recreate();
		world_send(producer, "t", 1, "k", "v", &ends[i]);
	}
	ck_assert_uint_eq(world_flush(producer), 0);
	for (int i = 0; i < 60; i++)
		ck_assert_int_eq(ends[i].offset, i < 20 ? i : i - 20);
	ck_assert_int_eq(world_end_of("t", 1), 40);
	world_close(producer);
	world_down();
}
END_TEST

UNIT_SUITE(change)
{
	Suite *s = suite_create("change");
	unit_add_case(s, "new_partitions_are_used", new_partitions_are_used, caught_up,
		      caught_down, 2);
	unit_add_loop(s, a_topic_that_is_made_anew, 2);
	return s;
}
