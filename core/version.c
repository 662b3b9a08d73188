/* SPDX-License-Identifier: BSD-2-Clause */
#include <klamm/version.h>

const char *klamm_version(void)
{
	return KLAMM_VERSION;
}

int klamm_version_number(void)
{
	return KLAMM_VERSION_NUMBER;
}
