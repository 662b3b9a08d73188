/* SPDX-License-Identifier: BSD-2-Clause */
/* Everything an application needs. Plugin authors include <klamm/plugin.h> and the header
 * of their kind, which have a stability promise of their own. */
#ifndef KLAMM_KLAMM_H
#define KLAMM_KLAMM_H

#include <klamm/admin.h>
#include <klamm/conf.h>
#include <klamm/consumer.h>
#include <klamm/error.h>
#include <klamm/loop.h>
#include <klamm/metrics.h>
#include <klamm/producer.h>
#include <klamm/tls.h>
#include <klamm/types.h>
#include <klamm/version.h>

#endif
