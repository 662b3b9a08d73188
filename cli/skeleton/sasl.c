/* sasl @NAME@: how a client proves who it is. The reference is <klamm/sasl.h>. */
#include <klamm/sasl.h>

#include <stdlib.h>

/* This one sends the password, which only a broker with the same mechanism takes. */

struct self {
	const struct klamm_host *host;
};

static const struct klamm_option options[] = {
	{.name = "sasl.password", .type = KLAMM_OPTION_STRING, .flags = KLAMM_OPTION_SECRET,
	 .doc = "The secret that is shared with the broker."},
	{NULL},
};

struct session {
	struct self *self;
	bool is_sent;
};

static int my_open(const struct klamm_host *host, const void *conf, void **self_out,
		   struct klamm_error *err)
{
	struct self *self = calloc(1, sizeof(*self));
	if (self == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	self->host = host;
	*self_out = self;
	return 0;
}

static void my_close(void *self)
{
	free(self);
}

static int my_session_new(void *self, const struct klamm_sasl_peer *peer, void **session_out,
			  struct klamm_error *err)
{
	struct session *session = calloc(1, sizeof(*session));
	if (session == NULL)
		return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory");
	session->self = self;
	*session_out = session;
	return 0;
}

static int my_step(void *session_, const struct klamm_call *call, const struct klamm_span *in,
		   struct klamm_out *out, int32_t *state_out, struct klamm_error *err)
{
	struct session *session = session_;
	const struct klamm_host *host = session->self->host;
	if (session->is_sent) {
		*state_out = KLAMM_SASL_DONE;
		return 0;
	}
	/* Read where it is needed and wiped at once: it is nowhere in memory afterwards. */
	char *password;
	int rc = host->secret_read(host, "sasl.password", &password, err);
	if (rc != 0)
		return rc;
	size_t n = strlen(password);
	if (klamm_out_append(out, password, n) != 0)
		rc = klamm_out_error(out, n, err);
	host->secret_wipe(host, password);
	session->is_sent = true;
	*state_out = KLAMM_SASL_SEND_LAST;
	return rc;
}

static void my_session_free(void *session)
{
	free(session);
}

KLAMM_PLUGIN(sasl, @NAME@) = {
	.head = {
		KLAMM_PLUGIN_HEAD(sasl, "@NAME@", "a shared secret"),
		.options = options,
		.option_size = sizeof(options[0]),
		.open = my_open,
		.close = my_close,
	},
	.mechanism = "@WIRE@",
	.session_new = my_session_new,
	.step = my_step,
	.session_free = my_session_free,
};
