/* SPDX-License-Identifier: BSD-2-Clause */
/* Runs a fuzz target without libFuzzer: over every file of the folders or files named, and
 * over a few changes of each, the same ones every time. Any compiler, any sanitizer.
 *
 *	fuzz_NAME [-c CHANGES] FOLDER|FILE...
 *
 * Prints how many inputs it ran; a finding ends it by a signal, and the input's name is
 * the last line on standard error. */
#include <dirent.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

#pragma weak LLVMFuzzerCustomMutator

#define INPUT_MAX 65536 /* room that a change may grow to */

static uint64_t chance;
static size_t inputs;

/* Much like libFuzzer's simplest changes. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	size_t at = size > 0 ? fuzz_below(&chance, (uint32_t)size) : 0;
	switch (fuzz_below(&chance, 4)) {
	case 0:
		if (size < max) {
			memmove(data + at + 1, data + at, size - at);
			data[at] = (uint8_t)fuzz_next(&chance);
			return size + 1;
		}
		break;
	case 1:
		if (size > 1) {
			memmove(data + at, data + at + 1, size - at - 1);
			return size - 1;
		}
		break;
	case 2:
		if (size > 0)
			data[at] ^= (uint8_t)(1u << fuzz_below(&chance, 8));
		return size;
	default:
		if (size > 0)
			data[at] = (uint8_t)fuzz_next(&chance);
	}
	return size;
}

/* In its own allocation, so that a sanitizer sees one byte too far. */
static void run(const uint8_t *data, size_t size)
{
	uint8_t *copy = malloc(size > 0 ? size : 1);
	fuzz_must(copy != NULL);
	if (size > 0)
		memcpy(copy, data, size);
	LLVMFuzzerTestOneInput(copy, size);
	free(copy);
	inputs++;
}

static void run_file(const char *path, unsigned changes)
{
	static uint8_t data[INPUT_MAX];
	FILE *file = fopen(path, "rb");
	if (file == NULL) {
		perror(path);
		exit(2);
	}
	size_t size = fread(data, 1, sizeof(data), file);
	fclose(file);
	fprintf(stderr, "%s\n", path);
	run(data, size);
	for (unsigned i = 0; i < changes; i++) {
		size = LLVMFuzzerCustomMutator != NULL
			       ? LLVMFuzzerCustomMutator(data, size, sizeof(data),
							 (unsigned)fuzz_next(&chance))
			       : LLVMFuzzerMutate(data, size, sizeof(data));
		run(data, size);
	}
}

static int not_hidden(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void run_path(const char *path, unsigned changes)
{
	struct dirent **entries;
	int n = scandir(path, &entries, not_hidden, alphasort);
	if (n < 0) {
		run_file(path, changes);
		return;
	}
	for (int i = 0; i < n; i++) {
		char name[4096];
		snprintf(name, sizeof(name), "%s/%s", path, entries[i]->d_name);
		run_file(name, changes);
		free(entries[i]);
	}
	free(entries);
}

int main(int argc, char **argv)
{
	unsigned changes = 20;
	int option;
	while ((option = getopt(argc, argv, "c:")) != -1) {
		if (option != 'c')
			return 2;
		changes = (unsigned)strtoul(optarg, NULL, 10);
	}
	run((const uint8_t *)"", 0);
	for (int i = optind; i < argc; i++)
		run_path(argv[i], changes);
	printf("%zu inputs\n", inputs);
	return 0;
}
