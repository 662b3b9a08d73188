/* SPDX-License-Identifier: BSD-2-Clause */
/* The dev broker's data directory, as it is found after a crash or an accident: the table of
 * topics and the segments of one partition.
 * Input: a byte of which bits 0 and 1 set the checksums of table and segments right, bit 2
 * begins a second segment behind the first batch, bit 3 leaves the table out and bit 4 makes
 * it a folder; the table's length in two bytes, the table, the segments. */
#include <dirent.h>
#include <klamm/broker.h>
#include <sys/stat.h>

#include "core/base/crc32c.h"
#include "core/base/text.h"
#include "core/net/loop.h"
#include "core/record/batch_read.h"
#include "tests/fuzz/fuzz.h"

/* The segments belong to partition 0 of the table's first topic, whose id stands behind
 * magic, cluster id, numbers, and its name. */
#define FIRST_TOPIC 40

static void write_segment(const uint8_t *table, size_t n, int64_t base, const uint8_t *p,
			  size_t len)
{
	char id[KL_UUID_TEXT] = "AAAAAAAAAAAAAAAAAAAAAA";
	size_t at = n >= FIRST_TOPIC + 2
			    ? FIRST_TOPIC + 2 + kl_load_u16(table + FIRST_TOPIC)
			    : n;
	if (at + sizeof(struct klamm_uuid) <= n)
		kl_uuid_text((const struct klamm_uuid *)(table + at), id);
	char path[600];
	snprintf(path, sizeof(path), "%s/%s-0-%020lld.log", fuzz_folder(), id,
		 (long long)base);
	fuzz_write(path, p, len);
}

static void mend_table(uint8_t *table, size_t n)
{
	if (n >= 4)
		kl_store_u32(table + n - 4, kl_crc32c(0, table, n - 4));
}

static void mend_segment(uint8_t *p, size_t n)
{
	struct kl_batch_head head;
	for (size_t at = 0; kl_batch_peek(p + at, n - at, &head) == KL_BATCH_WHOLE;
	     at += kl_batch_size(&head))
		kl_store_u32(p + at + KL_BATCH_CRC,
			     kl_crc32c(0, p + at + KL_BATCH_ATTRIBUTES,
				       kl_batch_size(&head) - KL_BATCH_ATTRIBUTES));
}

/* What the last input left. */
static void clear_folder(void)
{
	struct dirent *entry;
	DIR *dir = opendir(fuzz_folder());
	while (dir != NULL && (entry = readdir(dir)) != NULL) {
		char path[600];
		snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), entry->d_name);
		if (entry->d_name[0] != '.')
			remove(path);
	}
	if (dir != NULL)
		closedir(dir);
}

static void open_and_close(struct klamm_loop *loop)
{
	struct klamm_broker_options options = {
		.size = sizeof(options),
		.loop = loop,
		.nodes = 3,
		.data_dir = fuzz_folder(),
	};
	struct klamm_broker *broker;
	struct klamm_error err = {0};
	int rc = klamm_broker_new(&options, &broker, &err);
	if (rc == 0)
		klamm_broker_free(broker);
	else
		fuzz_must(err.code == rc && err.text[0] != '\0');
	/* What it has made of the directory, it can use. */
	if (rc == 0) {
		rc = klamm_broker_new(&options, &broker, &err);
		fuzz_must(rc == 0);
		klamm_broker_free(broker);
	}
}

static void write_files(uint8_t how, const uint8_t *table, size_t n, const uint8_t *p,
			size_t size)
{
	char path[600];
	snprintf(path, sizeof(path), "%s/topics", fuzz_folder());
	if (how & 16)
		mkdir(path, 0700);
	else if (!(how & 8))
		fuzz_write(path, table, n);
	struct kl_batch_head head;
	size_t first = size;
	if ((how & 4) && kl_batch_peek(p, size, &head) > 0) {
		first = kl_batch_size(&head);
		write_segment(table, n, kl_batch_next_offset(&head), p + first, size - first);
	}
	write_segment(table, n, 0, p, first);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct klamm_loop *loop;
	if (loop == NULL)
		fuzz_must(kl_loop_new(kl_os_real(), NULL, &loop, NULL) == 0);
	uint8_t how = fuzz_take(&data, &size);
	size_t n = (size_t)fuzz_take(&data, &size) << 8;
	n |= fuzz_take(&data, &size);
	n = kl_min(n, size);
	uint8_t *copy = malloc(size + 1);
	fuzz_must(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	if (how & 1)
		mend_table(copy, n);
	if (how & 2)
		mend_segment(copy + n, size - n);
	clear_folder();
	write_files(how, copy, n, copy + n, size - n);
	free(copy);
	open_and_close(loop);
	return 0;
}
