/* SPDX-License-Identifier: BSD-2-Clause */
/* A mechanism of SASL that does what a test says. */
#ifndef PROBE_H
#define PROBE_H

#include "tests/unit/broker/auth_bench.h"

extern struct probe {
	int steps;           /* SENDs before the last */
	int32_t last;        /* SEND_LAST or DONE after them */
	int64_t lifetime_ms; /* of the credentials */
	int fail_code;       /* of the first step */
	bool hang;           /* until it is cancelled */
	_Atomic int made, freed, stepped, flags;
} probe;

/* Fixtures: it is what the client uses. It is offered as GSSAPI, too. */
void probe_up(void);
void probe_down(void); /* every session was freed */

#endif
