/* SPDX-License-Identifier: BSD-2-Clause */
/* SCRAM, both halves, whose peer says anything. Input: which half and which hash, then
 * the peer's messages, a line each, in which \1 stands for the nonce that the other
 * side has given. */
#include "plugins/common/scram_crypt.h"
#include "plugins/common/scram_message.h"
#include "tests/fuzz/fuzz.h"

#define PASSWORD "pencil-that-is-secret"
#define NONCE    '\1'

static const int32_t never;
static const struct klamm_call call = {.size = sizeof(call), .cancelled = &never};
static const struct klamm_sasl_peer peer = {
	.size = sizeof(peer), .host = "h", .port = 9092};

static const char *option(void *arg, const char *key)
{
	if (strcmp(key, "sasl.username") == 0)
		return "user";
	return strcmp(key, "sasl.password") == 0 ? PASSWORD : NULL;
}

static int credential(const struct klamm_sasl_server *server, const char *user,
		      const char *what, struct klamm_out *out)
{
	if (strcmp(user, "user") != 0)
		return KLAMM_ERR_AUTHENTICATION;
	/* What is stored comes from the same input: a file may say anything, too. */
	const char *text = server->arg;
	if (strcmp(what, "password") == 0)
		text = PASSWORD;
	return text[0] != '\0' ? klamm_out_append(out, text, strlen(text))
			       : KLAMM_ERR_AUTHENTICATION;
}

static int identify(const struct klamm_sasl_server *server, const char *user,
		    int64_t lifetime_ms)
{
	fuzz_must(!"nobody is let in without the password");
	return 0;
}

static const struct fuzz_plugin *scram(unsigned which)
{
	static struct fuzz_plugin *loaded[2];
	static const char *const names[] = {"scram_sha_256", "scram_sha_512"};
	if (loaded[which] == NULL)
		loaded[which] = fuzz_plugin_with(KLAMM_KIND_SASL, names[which],
						 "sasl.mechanism", option);
	return loaded[which];
}

/* The message's line, with the nonce put in. */
static size_t take_line(const uint8_t **data, size_t *size, const char *nonce, char *to,
			size_t room)
{
	size_t n = 0;
	while (*size > 0 && n + 64 < room) {
		char c = (char)fuzz_take(data, size);
		if (c == '\n')
			break;
		if (c == NONCE)
			n += (size_t)snprintf(to + n, room - n, "%.60s", nonce);
		else
			to[n++] = c;
	}
	return n;
}

static void find_nonce(const struct klamm_out *out, char nonce[static 100])
{
	const char *p = out->data != NULL ? memmem(out->data, out->len, "r=", 2) : NULL;
	size_t n = p != NULL ? out->len - (size_t)(p + 2 - (const char *)out->data) : 0;
	snprintf(nonce, 100, "%.*s", (int)n, p != NULL ? p + 2 : "");
	nonce[strcspn(nonce, ",")] = '\0';
}

/* A count that is allowed and takes long would make the fuzzer slow, and nothing else.
 */
static bool takes_long(struct klamm_span in)
{
	struct scram_server_first m;
	return scram_read_server_first(in, &m) && m.iterations > 5000 &&
	       m.iterations <= SCRAM_ITERATIONS_MAX;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static char room[20000], nonce[100];
	uint8_t how = fuzz_take(&data, &size);
	const struct fuzz_plugin *p = scram(how >> 1 & 1);
	const struct klamm_sasl_plugin *plugin = &p->plugin->sasl;
	bool is_client = how & 1;
	char stored[2000];
	size_t n =
		is_client ? 0 : take_line(&data, &size, "", stored, sizeof(stored) - 1);
	stored[n] = '\0';
	struct klamm_sasl_server server = {.size = sizeof(server),
					   .arg = stored,
					   .credential = credential,
					   .identify = identify};
	struct klamm_error err = {0};
	struct kl_sink out;
	void *session;
	int32_t state = KLAMM_SASL_SEND;
	kl_sink_init(&out, 1 << 16, NULL);
	fuzz_must((is_client ? plugin->session_new(p->instance.self, &peer, &session,
						   &err)
			     : plugin->accept_new(p->instance.self, &peer, &server,
						  &session, &err)) == 0);
	struct klamm_span in = {NULL, 0};
	if (is_client)
		fuzz_must(plugin->step(session, &call, &in, &out.out, &state, &err) ==
			  0);
	int rc = 0;
	for (int i = 0; i < 4 && rc == 0 && state == KLAMM_SASL_SEND; i++) {
		find_nonce(&out.out, nonce);
		in.len = take_line(&data, &size, nonce, room, sizeof(room));
		in.data = room;
		if (is_client && takes_long(in))
			break;
		kl_sink_clear(&out);
		rc = (is_client ? plugin->step : plugin->accept_step)(
			session, &call, &in, &out.out, &state, &err);
		fuzz_must(rc == 0 || (err.code == rc && err.text[0] != '\0'));
		fuzz_must(strstr(err.text, PASSWORD) == NULL);
	}
	fuzz_must(rc != 0 || state == KLAMM_SASL_SEND); /* nobody has proved anything */
	plugin->session_free(session);
	kl_sink_free(&out);
	return 0;
}
