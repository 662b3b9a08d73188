/* SPDX-License-Identifier: BSD-2-Clause */
/* main() of every unit test program, and its helpers. */
#include "tests/unit/unit.h"

#include <ctype.h>
#include <ftw.h>
#include <limits.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/os/os.h"

#define SUITES_MAX 64
/* Seconds a test may take: Check's own 4 are too few under sanitizers on a busy machine. */
#define TIMEOUT "120"

/* Sanitizers end the program where malloc would answer NULL; tests ask for too much on
 * purpose. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
	return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
	return "allocator_may_return_null=1";
}

static Suite *(*suites[SUITES_MAX])(void);
static size_t suite_count;
static char tmp_root[PATH_MAX];

void unit_register(Suite *(*suite)(void))
{
	if (suite_count == SUITES_MAX)
		abort();
	suites[suite_count++] = suite;
}

void unit_add_case(Suite *s, const char *name, const TTest *test, SFun up, SFun down, int n)
{
	TCase *tc = tcase_create(name);
	if (up != NULL || down != NULL)
		tcase_add_checked_fixture(tc, up, down);
	if (n > 0)
		tcase_add_loop_test(tc, test, 0, n);
	else
		tcase_add_test(tc, test);
	suite_add_tcase(s, tc);
}

static int digit(int c)
{
	return isdigit(c) ? c - '0' : tolower(c) - 'a' + 10;
}

uint8_t *unit_hex(const char *hex, size_t *len_out)
{
	uint8_t *bytes = malloc(strlen(hex) / 2 + 1);
	ck_assert_ptr_nonnull(bytes);
	size_t n = 0;
	for (const char *p = hex; *p != '\0'; p++) {
		if (isspace((unsigned char)*p))
			continue;
		ck_assert_msg(isxdigit((unsigned char)p[0]) && isxdigit((unsigned char)p[1]),
			      "not hexadecimal: \"%s\"", p);
		bytes[n++] = (uint8_t)(digit(p[0]) << 4 | digit(p[1]));
		p++;
	}
	*len_out = n;
	return bytes;
}

static void print_hex(char *to, size_t room, const uint8_t *p, size_t n)
{
	to[0] = '\0';
	for (size_t i = 0; i < n && 2 * i + 3 < room; i++)
		snprintf(to + 2 * i, 3, "%02x", p[i]);
}

void unit_check_hex(const void *p, size_t n, const char *hex)
{
	size_t want_n;
	uint8_t *want = unit_hex(hex, &want_n);
	char got_text[1024], want_text[1024];
	print_hex(got_text, sizeof(got_text), p, n);
	print_hex(want_text, sizeof(want_text), want, want_n);
	ck_assert_msg(n == want_n && (n == 0 || memcmp(p, want, n) == 0),
		      "%zu bytes\n%s\nshould be %zu bytes\n%s", n, got_text, want_n,
		      want_text);
	free(want);
}

char *unit_path(const char *file)
{
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/%s", UNIT_SRCDIR, file), 0);
	return path;
}

char *unit_read(const char *file, size_t *len_out)
{
	char *path = unit_path(file), *data = NULL;
	int rc = kl_os_read_file(kl_os_real(), path, SIZE_MAX / 2, &data, len_out);
	ck_assert_msg(rc == 0, "%s: %s", path, strerror(-rc));
	free(path);
	return data;
}

char *unit_tmp(void)
{
	char *path;
	ck_assert_int_gt(asprintf(&path, "%s/XXXXXX", tmp_root), 0);
	ck_assert_msg(mkdtemp(path) != NULL, "mkdtemp %s", path);
	return path;
}

/* What the system has installed, else what this build has made. */
bool unit_decimal_comma(void)
{
	static const char *const names[] = {"de_DE.UTF-8", "de_DE", "fr_FR.UTF-8"};
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (setlocale(LC_ALL, names[i]) != NULL)
			return true;
	setenv("LOCPATH", UNIT_LOCALES, 1);
	bool made = access(UNIT_LOCALES "/de_DE.UTF-8", F_OK) == 0;
	ck_assert(!made || setlocale(LC_ALL, "de_DE.UTF-8") != NULL);
	unsetenv("LOCPATH"); /* glibc loses a copy of it at each newlocale() */
	return made;
}

bool unit_is_dumped(const void *p)
{
	FILE *maps = fopen("/proc/self/smaps", "r");
	unsigned long long at = (uintptr_t)p, from, to;
	bool here = false, dumped = true;
	char line[1000], rights[5];
	ck_assert_ptr_nonnull(maps);
	while (fgets(line, sizeof(line), maps) != NULL) {
		if (sscanf(line, "%llx-%llx %4s", &from, &to, rights) == 3)
			here = at >= from && at < to;
		else if (here && strncmp(line, "VmFlags:", 8) == 0)
			dumped = strstr(line, " dd") == NULL;
	}
	fclose(maps);
	return dumped;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	return remove(path);
}

int main(void)
{
	const char *tmp = getenv("TMPDIR");
	snprintf(tmp_root, sizeof(tmp_root), "%s/klamm-unit-XXXXXX", tmp ? tmp : "/tmp");
	if (mkdtemp(tmp_root) == NULL) {
		perror(tmp_root);
		return 1;
	}
	setenv("KLAMM_PLUGIN_PATH", UNIT_PLUGINS, 0);
	setenv("CK_DEFAULT_TIMEOUT", TIMEOUT, 0);
	SRunner *runner = srunner_create(NULL);
	for (size_t i = 0; i < suite_count; i++)
		srunner_add_suite(runner, suites[i]());
	srunner_set_tap(runner, "-");
	srunner_run_all(runner, CK_SILENT);
	int failed = srunner_ntests_failed(runner);
	srunner_free(runner);
	nftw(tmp_root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
	return failed == 0 ? 0 : 1;
}
