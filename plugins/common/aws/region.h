/* SPDX-License-Identifier: BSD-2-Clause */
/* Regions of Amazon's services, by the names of hosts. */
#ifndef PLUGINS_AWS_REGION_H
#define PLUGINS_AWS_REGION_H

#include <stdbool.h>
#include <stddef.h>

#define KL_AWS_REGION 32

/* The region that a host's name has in it, as b-1.x.c2.kafka.us-east-1.amazonaws.com
 * has. By its form and not from a list: new ones come every year. */
bool kl_aws_region_of_host(const char *host, char to[static KL_AWS_REGION]);
/* May it be one: letters, digits and dashes? It becomes a part of host names. */
bool kl_aws_is_region(const char *text);

#endif
