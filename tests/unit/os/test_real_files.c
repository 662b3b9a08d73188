/* SPDX-License-Identifier: BSD-2-Clause */
/* The real world's files and folders. */
#include <stdio.h>
#include <stdlib.h>

#include "core/os/os.h"
#include "tests/unit/unit.h"

static struct kl_os *os;
static char *dir;
static char path[512], other[512];

static void set_up(void)
{
	os = kl_os_real();
	dir = unit_tmp();
	snprintf(path, sizeof(path), "%s/one", dir);
	snprintf(other, sizeof(other), "%s/two", dir);
}

static void tear_down(void)
{
	free(dir);
}

static void write_file(const char *name, const char *text)
{
	struct kl_file *file;
	int flags = KL_FILE_WRITE | KL_FILE_CREATE | KL_FILE_TRUNCATE;
	ck_assert_int_eq(os->file_open(os, name, flags, &file), 0);
	ck_assert_int_eq(os->file_pwrite(file, text, strlen(text), 0), strlen(text));
	os->file_close(file);
}

START_TEST(write_and_read)
{
	struct kl_file *file;
	int flags = KL_FILE_READ | KL_FILE_WRITE | KL_FILE_CREATE | KL_FILE_EXCLUSIVE;
	ck_assert_int_eq(os->file_open(os, path, flags, &file), 0);
	ck_assert_int_eq(os->file_pwrite(file, "world", 5, 6), 5);
	ck_assert_int_eq(os->file_pwrite(file, "hello ", 6, 0), 6);
	ck_assert_int_eq(os->file_sync(file), 0);
	ck_assert_int_eq(os->file_size(file), 11);
	char got[16];
	ck_assert_int_eq(os->file_pread(file, got, 5, 4), 5);
	ck_assert_mem_eq(got, "o wor", 5);
	ck_assert_int_eq(os->file_pread(file, got, 5, 11), 0);
	ck_assert_int_eq(os->file_truncate(file, 5), 0);
	ck_assert_int_eq(os->file_size(file), 5);
	struct kl_file *again;
	ck_assert_int_eq(os->file_open(os, path, KL_FILE_READ, &again), 0);
	ck_assert_int_eq(os->file_lock(file), 0);
	ck_assert_int_eq(os->file_lock(file), 0);
	ck_assert_int_eq(os->file_lock(again), -EAGAIN);
	os->file_close(file);
	ck_assert_int_eq(os->file_lock(again), 0);
	os->file_close(again);

	ck_assert_int_eq(os->file_open(os, path, flags, &again), -EEXIST);
	ck_assert_int_eq(os->file_open(os, other, KL_FILE_READ, &again), -ENOENT);
}
END_TEST

START_TEST(read_file)
{
	char *data = NULL;
	size_t len = 0;
	write_file(path, "");
	ck_assert_int_eq(kl_os_read_file(os, path, 100, &data, &len), 0);
	ck_assert_uint_eq(len, 0);
	ck_assert_str_eq(data, "");
	free(data);

	static char big[10001];
	memset(big, 'k', 10000);
	write_file(path, big);
	ck_assert_int_eq(kl_os_read_file(os, path, 10000, &data, &len), 0);
	ck_assert_uint_eq(len, 10000);
	ck_assert_str_eq(data, big);
	free(data);
	data = NULL;
	ck_assert_int_eq(kl_os_read_file(os, path, 9999, &data, &len), -EFBIG);
	ck_assert_int_eq(kl_os_read_file(os, other, 9999, &data, &len), -ENOENT);
	ck_assert_int_eq(kl_os_read_file(os, dir, 9999, &data, &len), -EISDIR);
	ck_assert_ptr_null(data);
}
END_TEST

START_TEST(read_file_without_a_size)
{
	char *data = NULL;
	size_t len = 0;
	ck_assert_int_eq(kl_os_read_file(os, "/proc/self/status", 1 << 20, &data, &len), 0);
	ck_assert_uint_gt(len, 100);
	ck_assert_ptr_nonnull(strstr(data, "Pid:"));
	free(data);
}
END_TEST

static int count_names(void *arg, const char *name)
{
	int *count = arg;
	ck_assert(strcmp(name, "one") == 0 || strcmp(name, "two") == 0);
	return ++*count == 3 ? 3 : 0;
}

static int stop_at_once(void *arg, const char *name)
{
	++*(int *)arg;
	return 7;
}

START_TEST(folders)
{
	int count = 0;
	ck_assert_int_eq(os->dir_make(os, path), 0);
	ck_assert_int_eq(os->dir_make(os, path), -EEXIST);
	write_file(other, "x");
	ck_assert_int_eq(os->dir_list(os, dir, count_names, &count), 0);
	ck_assert_int_eq(count, 2);
	count = 0;
	ck_assert_int_eq(os->dir_list(os, dir, stop_at_once, &count), 7);
	ck_assert_int_eq(count, 1);
	ck_assert_int_eq(os->dir_sync(os, dir), 0);
	ck_assert_int_eq(os->dir_list(os, "/nowhere/at/all", stop_at_once, &count), -ENOENT);
	ck_assert_int_eq(os->dir_sync(os, other), -ENOTDIR);
}
END_TEST

START_TEST(rename_replaces)
{
	write_file(path, "new");
	write_file(other, "old");
	ck_assert_int_eq(os->file_rename(os, path, other), 0);
	char *data;
	size_t len;
	ck_assert_int_eq(kl_os_read_file(os, other, 100, &data, &len), 0);
	ck_assert_str_eq(data, "new");
	free(data);
	ck_assert_int_eq(os->file_unlink(os, other), 0);
	ck_assert_int_eq(os->file_unlink(os, other), -ENOENT);
	ck_assert_int_eq(os->file_rename(os, path, other), -ENOENT);
}
END_TEST

UNIT_SUITE(files)
{
	Suite *s = suite_create("files");
	unit_add_fixture(s, write_and_read, set_up, tear_down);
	unit_add_fixture(s, read_file, set_up, tear_down);
	unit_add_fixture(s, read_file_without_a_size, set_up, tear_down);
	unit_add_fixture(s, folders, set_up, tear_down);
	unit_add_fixture(s, rename_replaces, set_up, tear_down);
	return s;
}
