/* SPDX-License-Identifier: BSD-2-Clause */
/* SASL on the connection of one node, with a scripted broker that takes PLAIN. */
#ifndef AUTH_BENCH_H
#define AUTH_BENCH_H

#include "tests/unit/broker/bench.h"

extern struct kl_nodes auth_nodes;
extern struct kl_node auth_node;
extern int auth_ready, auth_lost; /* how often the node was */

/* What the broker was given. Atomic where the test's thread reads it while the script runs. */
extern struct auth_given {
	uint8_t token[4096];
	_Atomic size_t token_len;
	_Atomic int handshakes, tokens, handshake_version;
} given;
/* What it answers to PLAIN. */
extern struct kl_sasl_authenticate_response auth_refusal, auth_welcome;

void auth_up(void);   /* fixtures; the script is not started yet */
void auth_down(void); /* no log has the password */

/* A plugin of the test's. */
void auth_offer(const struct klamm_sasl_plugin *plugin);
int auth_make(struct klamm_error *err); /* the node alone */
void auth_start(void);                  /* the script, and the node */
void auth_start_plain(void);            /* as alice, whose password is good */

/* A request, until it ends or so many milliseconds are over. */
void auth_call(struct bench_call *call, int ms);
void auth_succeeds(void);
/* One fails for good: with this code, told of the stage, the node and these words. */
void auth_fails(int code, const char *words);

/* Takes PLAIN, and lets in who says hunter2. */
bool auth_plain_server(const struct script_request *request);
void auth_keep_token(const void *p, size_t n);

#endif
