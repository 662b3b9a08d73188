/* SPDX-License-Identifier: BSD-2-Clause */
/* The memory of secrets: apart, wiped, and used again. */
#include "core/os/secret.h"

#include <stdio.h>
#include <stdlib.h>

#include "core/base/buf.h"
#include "tests/unit/unit.h"

/* Does the mapping that p lies in have this flag in /proc/self/smaps? */
static bool has_flag(const void *p, const char *flag)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	char line[1000];
	unsigned long long from, to;
	bool here = false, found = false;
	ck_assert_ptr_nonnull(smaps);
	while (fgets(line, sizeof(line), smaps) != NULL) {
		if (sscanf(line, "%llx-%llx ", &from, &to) == 2)
			here = (uintptr_t)p >= from && (uintptr_t)p < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			found = strstr(line, flag) != NULL;
	}
	fclose(smaps);
	return found;
}

START_TEST(no_core_dump_has_it)
{
	char *text = kl_secret_text("hunter2"), *other = strdup("hunter2");
	ck_assert_str_eq(text, "hunter2");
	ck_assert(has_flag(text, " dd"));
	ck_assert(!has_flag(other, " dd"));
	kl_wipe_text(text);
	kl_wipe_text(other); /* of malloc's: the same call */
	kl_wipe_text(NULL);
	kl_secret_free(NULL);
}
END_TEST

START_TEST(is_wiped_and_used_again)
{
	char *first = kl_secret_alloc(100), *second = kl_secret_alloc(1);
	memset(first, 'x', 100);
	second[0] = 'y';
	kl_secret_free(first);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(first[i], 0);
	ck_assert_ptr_eq(kl_secret_alloc(90), first);
	char *large = kl_secret_alloc(100000); /* behind both */
	ck_assert(large > second);
	ck_assert_int_eq(second[0], 'y');
	for (int i = 0; i < 100000; i++)
		ck_assert_int_eq(large[i], 0);
	kl_secret_free(large);
	kl_secret_free(second);
	kl_secret_free(first);
	ck_assert_ptr_eq(kl_secret_alloc(1), first);
}
END_TEST

START_TEST(has_an_end)
{
	static char *all[5000];
	size_t n = 0;
	ck_assert_ptr_null(kl_secret_alloc(SIZE_MAX));
	ck_assert_ptr_null(kl_secret_alloc((size_t)16 << 20));
	while (n < kl_countof(all) && (all[n] = kl_secret_alloc(10000)) != NULL)
		n++;
	ck_assert_uint_gt(n, 300);
	ck_assert_uint_lt(n, kl_countof(all));
	kl_secret_free(all[7]);
	ck_assert_ptr_eq(kl_secret_alloc(9000), all[7]);
	for (size_t i = 0; i < n; i++)
		kl_secret_free(all[i]);
	all[0] = kl_secret_alloc(2 << 20);
	ck_assert_ptr_nonnull(all[0]);
}
END_TEST

START_TEST(a_buffer_grows_without_leaving_copies)
{
	KL_AUTO(kl_buf_free) struct kl_buf b = {.is_secret = true};
	kl_buf_put(&b, "hunter2", 7);
	const uint8_t *old = b.data;
	ck_assert(has_flag(old, " dd"));
	for (int i = 0; i < 1000; i++)
		kl_buf_put(&b, "hunter2", 7);
	ck_assert_uint_eq(b.len, 7007);
	ck_assert_int_eq(memcmp(b.data + 7000, "hunter2", 7), 0);
	ck_assert_ptr_ne(b.data, old);
	ck_assert_int_eq(old[0], 0);
	kl_wipe_buf(&b);
	ck_assert(b.is_secret); /* also of what it holds next */
}
END_TEST

UNIT_SUITE(secret)
{
	Suite *s = suite_create("secret");
	unit_add(s, no_core_dump_has_it);
	unit_add(s, is_wiped_and_used_again);
	unit_add(s, has_an_end);
	unit_add(s, a_buffer_grows_without_leaving_copies);
	return s;
}
