/* SPDX-License-Identifier: BSD-2-Clause */
/* Which klamm: the one that a program was compiled with, and the one that it runs with. */
#ifndef KLAMM_VERSION_H
#define KLAMM_VERSION_H

#ifdef __cplusplus
extern "C" {
#endif

/* Of these headers. tests/lint/headers.test holds them to configure.ac. */
#define KLAMM_VERSION_MAJOR 0
#define KLAMM_VERSION_MINOR 1
#define KLAMM_VERSION_PATCH 0
#define KLAMM_VERSION "0.1.0"

/* One number that grows with each release, for comparisons. */
#define KLAMM_VERSION_OF(major, minor, patch) ((major) * 1000000 + (minor) * 1000 + (patch))
/* #if KLAMM_VERSION_NUMBER >= KLAMM_VERSION_OF(0, 2, 0) */
#define KLAMM_VERSION_NUMBER                                                            \
	KLAMM_VERSION_OF(KLAMM_VERSION_MAJOR, KLAMM_VERSION_MINOR, KLAMM_VERSION_PATCH)

/* Of the library that runs, which may be later than the headers: "0.1.0", and as a number.
 * Static. Any thread. */
const char *klamm_version(void);
int klamm_version_number(void);

#ifdef __cplusplus
}
#endif
#endif
