/* SPDX-License-Identifier: BSD-2-Clause */
/* What the checks of SASL talk through: a secret, the server's store of passwords, and an
 * exchange of the two halves of a mechanism. */
#ifndef KIT_SASL_PEER_H
#define KIT_SASL_PEER_H

#include "kit/inside.h"

#define KIT_USER "klamm-kit"
#define KIT_SECRET_LEN 64

/* Masked, made anew in each process: see kit_find_secret(). */
extern struct kit_secret {
	uint8_t masked[KIT_SECRET_LEN];
	bool is_made;
	unsigned reads;
} kit_secret;

void kit_secret_make(struct kit *k);
void kit_secret_unmask(char to[static KIT_SECRET_LEN + 1]);

/* What the store says that the password is. */
enum kit_password {
	KIT_PASSWORD_RIGHT,
	KIT_PASSWORD_OTHER,
	KIT_PASSWORD_SHORTER,
	KIT_PASSWORD_LONGER,
	KIT_PASSWORD_EMPTY,
	KIT_PASSWORD_LAST_BYTE,
	KIT_PASSWORD_LETTER_CASE,
	KIT_PASSWORDS,
};
extern const char *const kit_password_names[];

struct kit_server {
	struct klamm_sasl_server api;
	int password;
	char user[100]; /* identified */
};

void kit_server_init(struct kit_server *server, int password);

struct kit_exchange {
	/* --- what to do --- */
	const struct kl_instance *instance;
	int password;
	/* A byte of a message is changed on its way: its number from the beginning, counting
	 * what this side sends; -1 = none. */
	int64_t hurt_client, hurt_server;
	/* --- what came of it --- */
	int client_rc, server_rc;
	bool client_done, server_done;
	bool hurt_free; /* the byte that was changed is not what the proof is about */
	size_t client_sent, server_sent;
	struct klamm_error server_err, client_err;
	struct kit_server server;
	struct kit_out message;
};

bool kit_sasl_has_server(const struct kit *k);
extern const struct klamm_sasl_peer kit_sasl_peer;

/* One step of either half. The message is the input and then the answer. */
int kit_sasl_step(struct kit *k, void *session, bool is_client, struct kit_out *message,
		  int32_t *state_out, struct klamm_error *err);
/* An exchange in which nothing is wrong, yet. */
struct kit_exchange kit_exchange(const struct kl_instance *instance);
/* false: the client half cannot even begin, and client_err says why. */
bool kit_exchange_run(struct kit *k, struct kit_exchange *x);

#endif
