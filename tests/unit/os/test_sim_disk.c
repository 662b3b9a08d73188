/* SPDX-License-Identifier: BSD-2-Clause */
/* The simulated disk: what processes see, and what a power cut leaves. Calls outside of a
 * fiber take no time. */
#include <stdlib.h>

#include "core/os/sim.h"
#include "tests/unit/unit.h"

#define SEEDS 300

static struct kl_sim *sim;
static struct kl_sim_node *node;
static struct kl_os *os;

static void begin(uint64_t seed)
{
	sim = kl_sim_new(seed, NULL);
	node = kl_sim_node(sim, "disk");
	os = kl_sim_os(node);
}

static void set_up(void)
{
	begin(3);
}

static void tear_down(void)
{
	kl_sim_free(sim);
}

static struct kl_file *open_file(const char *path)
{
	struct kl_file *file;
	ck_assert_int_eq(os->file_open(os, path, KL_FILE_READ | KL_FILE_WRITE | KL_FILE_CREATE,
				       &file),
			 0);
	return file;
}

static void put(struct kl_file *file, const void *p, size_t n, int64_t offset)
{
	ck_assert_int_eq(os->file_pwrite(file, p, n, offset), n);
}

START_TEST(files)
{
	struct kl_file *file = open_file("a"), *again;
	put(file, "hello", 5, 0);
	put(file, "J", 1, 0);
	put(file, "!", 1, 7);
	char text[16] = {0};
	ck_assert_int_eq(os->file_pread(file, text, 16, 0), 8);
	ck_assert_mem_eq(text, "Jello\0\0!", 8);
	ck_assert_int_eq(os->file_pread(file, text, 16, 8), 0);
	ck_assert_int_eq(os->file_size(file), 8);
	ck_assert_int_eq(os->file_truncate(file, 3), 0);
	ck_assert_int_eq(os->file_size(file), 3);
	ck_assert_int_eq(os->file_truncate(file, 5), 0);
	ck_assert_int_eq(os->file_pread(file, text, 16, 0), 5);
	ck_assert_mem_eq(text, "Jel\0\0", 5);
	ck_assert_int_eq(os->file_open(os, "a", KL_FILE_READ, &again), 0);
	ck_assert_int_eq(os->file_lock(file), 0);
	ck_assert_int_eq(os->file_lock(again), -EAGAIN);
	os->file_close(file);
	ck_assert_int_eq(os->file_lock(again), 0);
	os->file_close(again);
	int flags = KL_FILE_WRITE | KL_FILE_CREATE;
	ck_assert_int_eq(os->file_open(os, "a", flags | KL_FILE_EXCLUSIVE, &again), -EEXIST);
	ck_assert_int_eq(os->file_open(os, "b", KL_FILE_READ, &again), -ENOENT);
	ck_assert_int_eq(os->file_open(os, "no/b", flags, &again), -ENOENT);
	ck_assert_int_eq(os->file_open(os, "a", flags | KL_FILE_TRUNCATE, &again), 0);
	ck_assert_int_eq(os->file_size(again), 0);
	ck_assert_int_eq(os->file_pread(again, text, 1, 0), -EBADF);
	os->file_close(again);
}
END_TEST

static int count_names(void *arg, const char *name)
{
	ck_assert(strcmp(name, "x") == 0 || strcmp(name, "y") == 0);
	++*(int *)arg;
	return 0;
}

START_TEST(names)
{
	struct kl_file *file;
	ck_assert_int_eq(os->dir_make(os, "/data"), 0);
	ck_assert_int_eq(os->dir_make(os, "/data"), -EEXIST);
	ck_assert_int_eq(os->dir_make(os, "/none/data"), -ENOENT);
	os->file_close(open_file("/data/x"));
	file = open_file("/data/z");
	put(file, "z", 1, 0);
	ck_assert_int_eq(os->file_rename(os, "/data/z", "/data/y"), 0);
	os->file_close(file);
	int count = 0;
	ck_assert_int_eq(os->dir_list(os, "/data", count_names, &count), 0);
	ck_assert_int_eq(count, 2);
	ck_assert_int_eq(os->dir_list(os, "/none", count_names, &count), -ENOENT);
	ck_assert_int_eq(os->file_unlink(os, "/data/x"), 0);
	ck_assert_int_eq(os->file_unlink(os, "/data/x"), -ENOENT);
	char *data;
	size_t len;
	ck_assert_int_eq(kl_os_read_file(os, "/data/y", 10, &data, &len), 0);
	ck_assert_str_eq(data, "z");
	free(data);
	/* Removed while open: still there for who has it. */
	file = open_file("/data/y");
	ck_assert_int_eq(os->file_unlink(os, "/data/y"), 0);
	char byte;
	ck_assert_int_eq(os->file_pread(file, &byte, 1, 0), 1);
	os->file_close(file);
}
END_TEST

START_TEST(full_disk)
{
	kl_sim_disk_limit(node, 1000);
	struct kl_file *file = open_file("a");
	char bytes[600] = {0};
	put(file, bytes, 600, 0);
	ck_assert_int_eq(os->file_pwrite(file, bytes, 600, 600), 400);
	ck_assert_int_eq(os->file_pwrite(file, bytes, 1, 1000), -ENOSPC);
	put(file, bytes, 600, 300); /* inside it costs nothing */
	ck_assert_int_eq(os->file_truncate(file, 0), 0);
	put(file, bytes, 600, 0);
	os->file_close(file);
	ck_assert_int_eq(os->file_unlink(os, "a"), 0);
}
END_TEST

static void synced_file(const char *path, const void *p, size_t n)
{
	struct kl_file *file = open_file(path);
	put(file, p, n, 0);
	ck_assert_int_eq(os->file_sync(file), 0);
	os->file_close(file);
	ck_assert_int_eq(os->dir_sync(os, "."), 0);
}

/* Over many seeds an unsynced write is found whole, torn, and lost; a synced one is always
 * whole. */
START_TEST(torn_writes)
{
	int whole = 0, lost = 0, torn = 0;
	static uint8_t old[2000], new[2000], got[2000];
	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new));
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		begin(seed);
		synced_file("log", old, sizeof(old));
		struct kl_file *file = open_file("log");
		put(file, new + 100, 1900, 100);
		os->file_close(file);
		kl_sim_disk_crash(node);
		file = open_file("log");
		ck_assert_int_eq(os->file_size(file), 2000);
		ck_assert_int_eq(os->file_pread(file, got, 2000, 0), 2000);
		ck_assert_mem_eq(got, old, 100);
		size_t n = 0;
		for (size_t i = 100; i < 2000; i++) {
			ck_assert(got[i] == 'o' || got[i] == 'n');
			n += got[i] == 'n';
		}
		whole += n == 1900;
		lost += n == 0;
		torn += n > 0 && n < 1900;
		os->file_close(file);
		kl_sim_free(sim);
	}
	ck_assert_int_gt(whole, SEEDS / 10);
	ck_assert_int_gt(lost, SEEDS / 10);
	ck_assert_int_gt(torn, SEEDS / 10);
}
END_TEST

/* A later write may survive an earlier one that does not: the hole reads as zeros. */
START_TEST(writes_survive_out_of_order)
{
	int holes = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		begin(seed);
		synced_file("log", "", 0);
		struct kl_file *file = open_file("log");
		put(file, "aaaa", 4, 0);
		put(file, "bbbb", 4, 4);
		os->file_close(file);
		kl_sim_disk_crash(node);
		char got[8];
		file = open_file("log");
		ssize_t n = os->file_pread(file, got, 8, 0);
		holes += n == 8 && got[0] == 0;
		os->file_close(file);
		kl_sim_free(sim);
	}
	ck_assert_int_gt(holes, 0);
}
END_TEST

/* New contents under the old name: after a crash the name has the old contents or the new,
 * when file and folder were synced in the right order. */
START_TEST(rename_is_atomic)
{
	int old_name = 0, new_name = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		begin(seed);
		synced_file("conf", "old", 3);
		struct kl_file *file = open_file("conf.new");
		put(file, "new", 3, 0);
		ck_assert_int_eq(os->file_sync(file), 0);
		os->file_close(file);
		ck_assert_int_eq(os->file_rename(os, "conf.new", "conf"), 0);
		kl_sim_disk_crash(node);
		char *data;
		size_t len;
		ck_assert_int_eq(kl_os_read_file(os, "conf", 10, &data, &len), 0);
		old_name += strcmp(data, "old") == 0;
		new_name += strcmp(data, "new") == 0;
		free(data);
		kl_sim_free(sim);
	}
	ck_assert_int_eq(old_name + new_name, SEEDS);
	ck_assert_int_gt(old_name, 0);
	ck_assert_int_gt(new_name, 0);
}
END_TEST

START_TEST(failed_sync_loses)
{
	int lost = 0;
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		begin(seed);
		synced_file("log", "old", 3);
		struct kl_file *file = open_file("log");
		put(file, "new", 3, 0);
		kl_sim_faults(sim)->sync_error = 1000000;
		ck_assert_int_eq(os->file_sync(file), -EIO);
		kl_sim_calm(sim);
		ck_assert_int_eq(os->file_sync(file), 0); /* a lie, as Linux tells it */
		os->file_close(file);
		kl_sim_disk_crash(node);
		char *data;
		size_t len;
		ck_assert_int_eq(kl_os_read_file(os, "log", 10, &data, &len), 0);
		lost += strcmp(data, "new") != 0;
		free(data);
		kl_sim_free(sim);
	}
	ck_assert_int_gt(lost, 0);
}
END_TEST

START_TEST(errors_by_chance)
{
	struct kl_file *file = open_file("a");
	kl_sim_faults(sim)->write_error = 500000;
	kl_sim_faults(sim)->short_io = 500000;
	int errors = 0, whole = 0, some = 0;
	char bytes[100] = {0};
	for (int i = 0; i < 200; i++) {
		ssize_t n = os->file_pwrite(file, bytes, sizeof(bytes), 0);
		ck_assert(n == -EIO || (n >= 1 && n <= 100));
		errors += n < 0;
		whole += n == 100;
		some += n > 0 && n < 100;
	}
	ck_assert(errors > 0 && whole > 0 && some > 0);
	os->file_close(file);
}
END_TEST

static void sync_once(void *arg)
{
	struct kl_file *file = open_file("a");
	int64_t before = os->now(os);
	for (int i = 0; i < 100; i++)
		ck_assert_int_eq(os->file_sync(file), 0);
	int64_t took = os->now(os) - before;
	ck_assert_int_gt(took, 100 * KL_MS); /* 2 ms at most, 1 ms in the mean */
	ck_assert_int_le(took, 210 * KL_MS);
	os->file_close(file);
}

START_TEST(disks_take_time)
{
	kl_sim_spawn(node, "main", sync_once, NULL);
	kl_sim_faults(sim)->disk_max_us = 200;
	ck_assert_int_eq(kl_sim_run(sim, KL_SECOND), KL_SIM_DONE);
}
END_TEST

UNIT_SUITE(sim_disk)
{
	Suite *s = suite_create("sim_disk");
	unit_add_fixture(s, files, set_up, tear_down);
	unit_add_fixture(s, names, set_up, tear_down);
	unit_add_fixture(s, full_disk, set_up, tear_down);
	unit_add(s, torn_writes);
	unit_add(s, writes_survive_out_of_order);
	unit_add(s, rename_is_atomic);
	unit_add(s, failed_sync_loses);
	unit_add_fixture(s, errors_by_chance, set_up, tear_down);
	unit_add_fixture(s, disks_take_time, set_up, tear_down);
	return s;
}
