/* SPDX-License-Identifier: BSD-2-Clause */
/* A web server on loopback that does as it is told: the n-th connection gets the n-th
 * act, all that come later the last one. It runs on a thread of its own. */
#ifndef WEB_H
#define WEB_H

#include <openssl/x509.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct web_act {
	const char *answer;        /* all bytes of it, head included; NULL = none */
	const char *status, *body; /* or these: "200 OK", and JSON */
	size_t len;                /* 0 = strlen(answer) */
	int pause_ms;              /* before the answer */
	int drip_ms;               /* between its bytes */
	bool hasty;                /* do not wait for the question */
	bool deaf;                 /* accept, and read nothing */
	bool hold;                 /* keep the connection until the client closes it */
};

/* An answer with a length: WEB_OK("{}", "2"). */
#define WEB_ANSWER(status, type, body, len)                                            \
	"HTTP/1.1 " status "\r\nContent-Type: " type "\r\nContent-Length: " len        \
	"\r\nConnection: close\r\n\r\n" body

/* cert_name NULL: without TLS; else with a certificate for that name, made for it
 * alone. */
struct web *web_new(const struct web_act *acts, size_t n, const char *cert_name);
void web_free(struct web *web);
int web_port(const struct web *web);
/* The certificate, as PEM text, and as it is. */
const char *web_pem(const struct web *web);
X509 *web_cert(const struct web *web);
/* From now on who comes has to show a certificate of this issuer. */
void web_ask(struct web *web, X509 *issuer);
/* How many connections came, and what the i-th one asked; a text. */
int web_count(const struct web *web);
const char *web_asked(const struct web *web, int i);
/* The server goes, and with it all that it was asked; not to be used but for
 * web_free(). */
void web_wipe(struct web *web);

#endif
