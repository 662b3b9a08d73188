/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/record/legacy_write.h"

#include <stdlib.h>

#include "core/base/sink.h"
#include "core/record/legacy_lz4.h"
#include "tests/unit/record/record.h"

static struct open_batch batch;
static struct kl_sink sink;
static struct klamm_error err;

static void set_up(void)
{
	kl_sink_init(&sink, 0, NULL);
	open_batch_start(&batch, 9999999);
}

static void tear_down(void)
{
	kl_sink_free(&sink);
	kl_buf_free(&batch.bytes);
}

static struct kl_batch_head seal(int16_t attributes, int64_t base_offset)
{
	struct kl_batch_head head;
	open_batch_seal(&batch, attributes, -1, -1, -1);
	kl_batch_place(batch.bytes.data, base_offset, 3);
	ck_assert_int_eq(kl_batch_peek(batch.bytes.data, batch.bytes.len, &head),
			 KL_BATCH_WHOLE);
	return head;
}

static int write_messages(const struct kl_batch_head *head, int magic,
			  enum kl_legacy_place place)
{
	kl_sink_clear(&sink);
	return kl_legacy_write(head, kl_batch_records(batch.bytes.data, head), (int8_t)magic,
			       place, &sink.out, &err);
}

/* What kafka-python writes of the same records. */
static const struct {
	int magic;
	struct {
		const char *key, *value;
	} records[3];
	int count;
	const char *hex;
} vectors[] = {
	{0, {{"test", "Super"}}, 1,
	 "0000000000000000000000171095c9ca00000000000474657374000000055375706572"},
	{0, {{NULL, "v"}, {"k", NULL}, {"", ""}}, 3,
	 "00000000000000000000000fd20cbff50000ffffffff0000000176"
	 "00000000000000010000000f908204f60000000000016bffffffff"
	 "00000000000000020000000ee38a687600000000000000000000"},
	{1, {{"test", "Super"}}, 1,
	 "00000000000000000000001f831fac850100000000000098967f0000000474657374"
	 "000000055375706572"},
	{1, {{NULL, "v"}, {"k", NULL}, {"", ""}}, 3,
	 "000000000000000000000017e85256ce0100000000000098967fffffffff0000000176"
	 "0000000000000001000000174b9b3ad901000000000000989680000000016bffffffff"
	 "0000000000000002000000165606851f010000000000009896810000000000000000"},
};

START_TEST(writes_what_others_write)
{
	for (int i = 0; i < vectors[_i].count; i++)
		open_batch_add(&batch, 9999999 + i, span(vectors[_i].records[i].key),
			       span(vectors[_i].records[i].value), NULL, 0);
	struct kl_batch_head head = seal(0, 0);
	for (int place = KL_LEGACY_PLAIN; place <= KL_LEGACY_INSIDE; place++) {
		ck_assert_int_eq(write_messages(&head, vectors[_i].magic,
						(enum kl_legacy_place)place), 0);
		unit_check_hex(sink.out.data, sink.out.len, vectors[_i].hex);
	}
}
END_TEST

static void add_three(void)
{
	struct klamm_header header = {span("h"), span("1")};
	open_batch_add(&batch, 9999999, span("a"), span("one"), &header, 1);
	open_batch_add(&batch, 10000005, span(NULL), span("two"), NULL, 0);
	open_batch_add(&batch, 10000001, span("c"), span(NULL), NULL, 0);
}

static void check_shown(const char *text)
{
	struct kl_buf out = {0};
	show_batches(&out, sink.out.data, sink.out.len);
	ck_assert_str_eq(kl_buf_text(&out), text);
	kl_buf_free(&out);
}

START_TEST(plain_messages_have_the_records_offsets)
{
	add_three();
	struct kl_batch_head head = seal(0, 100);
	ck_assert_int_eq(write_messages(&head, 1, KL_LEGACY_PLAIN), 0);
	check_shown("batch magic=1 next=103 attributes=0x0000\n"
		    "100 9999999 create \"a\" \"one\"\n"
		    "101 10000005 create null \"two\"\n"
		    "102 10000001 create \"c\" null\n");
	ck_assert_int_eq(write_messages(&head, 0, KL_LEGACY_PLAIN), 0);
	check_shown("batch magic=0 next=103 attributes=0x0000\n"
		    "100 -1 none \"a\" \"one\"\n"
		    "101 -1 none null \"two\"\n"
		    "102 -1 none \"c\" null\n");
	/* In v1 the broker's time is that of each record, in v0 there is none. */
	kl_batch_set_time(batch.bytes.data, true, 20000000);
	kl_batch_peek(batch.bytes.data, batch.bytes.len, &head);
	ck_assert_int_eq(write_messages(&head, 1, KL_LEGACY_PLAIN), 0);
	check_shown("batch magic=1 next=103 attributes=0x0008\n"
		    "100 20000000 append \"a\" \"one\"\n"
		    "101 20000000 append null \"two\"\n"
		    "102 20000000 append \"c\" null\n");
	ck_assert_int_eq(write_messages(&head, 0, KL_LEGACY_PLAIN), 0);
	check_shown("batch magic=0 next=103 attributes=0x0000\n"
		    "100 -1 none \"a\" \"one\"\n"
		    "101 -1 none null \"two\"\n"
		    "102 -1 none \"c\" null\n");
}
END_TEST

/* The codec's work is left to the imagination: what is inside is not squeezed. */
START_TEST(a_message_around_them_has_the_last_offset)
{
	for (int magic = 0; magic < 2; magic++) {
		open_batch_start(&batch, 9999999);
		add_three();
		struct kl_batch_head head = seal(0, 100), old;
		ck_assert_int_eq(write_messages(&head, magic, KL_LEGACY_INSIDE), 0);
		ck_assert_uint_eq(kl_load_u64(sink.out.data), magic == 0 ? 100 : 0);
		struct klamm_span packed = {sink.out.data, sink.out.len};
		struct kl_sink around;
		kl_sink_init(&around, 0, NULL);
		ck_assert_int_eq(kl_legacy_wrap(&head, (int8_t)magic, 2, packed, &around.out,
						&err), 0);
		ck_assert_int_eq(kl_batch_peek(around.out.data, around.out.len, &old),
				 KL_BATCH_OLD);
		ck_assert(kl_batch_check_crc(around.out.data, &old));
		ck_assert_int_eq(old.magic, magic);
		ck_assert_int_eq(old.attributes, 2);
		ck_assert_int_eq(old.base_offset, 102);
		ck_assert_int_eq(old.max_timestamp, magic == 0 ? -1 : 10000005);
		struct klamm_span value = kl_batch_records(around.out.data, &old);
		ck_assert_uint_eq(value.len, packed.len);
		ck_assert_mem_eq(value.data, packed.data, packed.len);
		struct kl_record_iter iter;
		struct klamm_record_view view;
		ck_assert_int_eq(kl_record_iter_init(&iter, &old, packed, 0), 0);
		for (int i = 0; i < 3; i++) {
			ck_assert_int_eq(kl_record_next(&iter, &view), 1);
			ck_assert_int_eq(view.offset, 100 + i);
		}
		ck_assert_int_eq(kl_record_next(&iter, &view), 0);
		kl_sink_free(&around);
	}
}
END_TEST

START_TEST(many_sizes_come_back)
{
	struct rng rng = {77};
	uint8_t *pool = malloc(70000);
	for (size_t i = 0; i < 70000; i++)
		pool[i] = (uint8_t)rng_next(&rng);
	for (int round = 0; round < 200; round++) {
		int magic = round & 1, count = 1 + (int)rng_below(&rng, 20);
		open_batch_start(&batch, 1700000000000);
		struct klamm_span keys[20], values[20];
		for (int i = 0; i < count; i++) {
			keys[i] = (struct klamm_span){rng_below(&rng, 3) ? pool : NULL, 0};
			values[i] = (struct klamm_span){rng_below(&rng, 5) ? pool : NULL, 0};
			if (keys[i].data != NULL)
				keys[i].len = rng_below(&rng, 300);
			if (values[i].data != NULL)
				values[i].len = rng_below(&rng, i == 7 ? 70000 : 200);
			open_batch_add(&batch, 1700000000000 + i, keys[i], values[i], NULL, 0);
		}
		struct kl_batch_head head = seal(0, round), old;
		ck_assert_int_eq(write_messages(&head, magic, KL_LEGACY_PLAIN), 0);
		ck_assert_int_eq(kl_batch_peek(sink.out.data, sink.out.len, &old),
				 KL_BATCH_OLD);
		ck_assert_uint_eq(kl_batch_size(&old), sink.out.len);
		ck_assert(kl_batch_check_crc(sink.out.data, &old));
		struct kl_record_iter iter;
		struct klamm_record_view view;
		kl_record_iter_init(&iter, &old, kl_batch_records(sink.out.data, &old), 0);
		for (int i = 0; i < count; i++) {
			ck_assert_int_eq(kl_record_next(&iter, &view), 1);
			ck_assert_int_eq(view.offset, round + i);
			ck_assert_uint_eq(view.key.len, keys[i].len);
			ck_assert_int_eq(view.key.data == NULL, keys[i].data == NULL);
			ck_assert_int_eq(view.value.data == NULL, values[i].data == NULL);
			ck_assert_uint_eq(view.value.len, values[i].len);
			ck_assert(values[i].len == 0 ||
				  memcmp(view.value.data, pool, values[i].len) == 0);
			ck_assert_int_eq(view.timestamp_ms,
					 magic == 0 ? -1 : 1700000000000 + i);
		}
		ck_assert_int_eq(kl_record_next(&iter, &view), 0);
	}
	free(pool);
}
END_TEST

START_TEST(what_does_not_fit_is_an_error)
{
	add_three();
	struct kl_batch_head head = seal(0, 0);
	ck_assert_int_eq(write_messages(&head, 1, KL_LEGACY_PLAIN), 0);
	size_t whole = sink.out.len;
	for (size_t limit = 1; limit < whole; limit += 7) {
		kl_sink_free(&sink);
		kl_sink_init(&sink, limit, NULL);
		ck_assert_int_eq(write_messages(&head, 1, KL_LEGACY_PLAIN), KLAMM_ERR_LIMIT);
		ck_assert_uint_le(sink.out.len, limit);
	}
	/* Two records are there, and three are promised. */
	kl_sink_free(&sink);
	kl_sink_init(&sink, 0, NULL);
	struct klamm_span records = kl_batch_records(batch.bytes.data, &head);
	records.len -= 3;
	ck_assert_int_eq(kl_legacy_write(&head, records, 1, KL_LEGACY_PLAIN, &sink.out, &err),
			 KLAMM_ERR_CORRUPT_BATCH);
	/* More than a message can say; the bytes are not looked at. */
	struct klamm_span huge = {"", (size_t)INT32_MAX};
	ck_assert_int_eq(kl_legacy_wrap(&head, 1, 1, huge, &sink.out, &err), KLAMM_ERR_LIMIT);
}
END_TEST

START_TEST(spoils_lz4_frames)
{
	/* The checksum as it should be, and as it was: over the magic number, too. */
	static const struct {
		const char *good, *old;
	} frames[] = {
		{"04224d18604082", "04224d1860401a"},
		{"04224d186440a7", "04224d1864400c"},
		{"04224d186470b9", "04224d18647056"},
	};
	for (size_t i = 0; i < kl_countof(frames); i++) {
		size_t n;
		uint8_t *frame = unit_hex(frames[i].good, &n);
		ck_assert(kl_legacy_spoil_lz4(frame, n));
		unit_check_hex(frame, n, frames[i].old);
		kl_legacy_mend_lz4(frame, n);
		unit_check_hex(frame, n, frames[i].good);
		ck_assert(!kl_legacy_spoil_lz4(frame, 6));
		free(frame);
	}
	/* With the size of the content it still is one; with a dictionary's id as well it is
	 * more than anybody took. */
	uint8_t long_one[20] = {0x04, 0x22, 0x4d, 0x18, 0x68, 0x40};
	ck_assert(kl_legacy_spoil_lz4(long_one, sizeof(long_one)));
	long_one[4] = 0x69;
	ck_assert(!kl_legacy_spoil_lz4(long_one, sizeof(long_one)));
	long_one[0] = 0;
	ck_assert(!kl_legacy_spoil_lz4(long_one, sizeof(long_one)));
}
END_TEST

UNIT_SUITE(legacy_write)
{
	Suite *s = suite_create("legacy_write");
	unit_add_case(s, "writes_what_others_write", writes_what_others_write, set_up,
		      tear_down, (int)kl_countof(vectors));
	unit_add_fixture(s, plain_messages_have_the_records_offsets, set_up, tear_down);
	unit_add_fixture(s, a_message_around_them_has_the_last_offset, set_up, tear_down);
	unit_add_fixture(s, many_sizes_come_back, set_up, tear_down);
	unit_add_fixture(s, what_does_not_fit_is_an_error, set_up, tear_down);
	unit_add(s, spoils_lz4_frames);
	return s;
}
