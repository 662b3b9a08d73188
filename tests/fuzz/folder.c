/* SPDX-License-Identifier: BSD-2-Clause */
#include <dirent.h>
#include <unistd.h>

#include "tests/fuzz/fuzz.h"

static char path[100];

static void remove_folder(void)
{
	struct dirent *entry;
	DIR *dir = opendir(path);
	while (dir != NULL && (entry = readdir(dir)) != NULL)
		unlinkat(dirfd(dir), entry->d_name, 0);
	if (dir != NULL)
		closedir(dir);
	rmdir(path);
}

const char *fuzz_folder(void)
{
	if (path[0] != '\0')
		return path;
	const char *tmp = getenv("TMPDIR");
	snprintf(path, sizeof(path), "%.80s/fuzz.XXXXXX", tmp != NULL ? tmp : "/tmp");
	if (mkdtemp(path) == NULL) {
		perror(path);
		exit(2);
	}
	atexit(remove_folder);
	return path;
}

void fuzz_write(const char *name, const void *p, size_t n)
{
	FILE *file = fopen(name, "wb");
	if (file == NULL || (n > 0 && fwrite(p, 1, n, file) != n) ||
	    fclose(file) != 0) {
		perror(name);
		exit(2);
	}
}
