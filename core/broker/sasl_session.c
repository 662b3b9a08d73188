/* SPDX-License-Identifier: BSD-2-Clause */
#include "core/broker/sasl_session.h"

#include <stdlib.h>

#include "core/base/buf.h"
#include "core/base/error.h"

/* Whoever comes second, of a worker that is through with its step and an owner that has
 * no use for the session any more, ends the plugin's session: the loop may not be
 * stepped again. */
enum {
	RUNNING,
	RETURNED,
	ABANDONED,
};

struct kl_sasl_session {
	struct kl_job step_job, end_job;
	struct klamm_loop *loop;
	struct kl_instance *instance;
	kl_sasl_credential_fn credential;
	void *credential_arg;
	kl_sasl_fn done;
	void *owner;
	unsigned jobs; /* that are out */
	bool running;  /* the step: what is below belongs to the worker */
	bool telling;  /* the owner is being called */
	bool freed;    /* by its owner */
	atomic_int meeting;

	struct klamm_sasl_peer peer;
	struct klamm_sasl_server server;
	void *session; /* the plugin's */
	bool made;
	struct klamm_call call;
	int32_t cancelled;
	struct kl_buf in;
	bool has_in;
	struct kl_sink out;
	int32_t state;
	int64_t lifetime_ms;
	char *user;
	int code;
	struct klamm_error err;
	char host[];
};

/* --- on a worker --- */

static const struct klamm_sasl_plugin *plugin_of(const struct kl_sasl_session *s)
{
	return &s->instance->plugin->sasl;
}

static bool is_server(const struct kl_sasl_session *s)
{
	return s->credential != NULL;
}

static int credential(const struct klamm_sasl_server *server, const char *user,
		      const char *what, struct klamm_out *out)
{
	struct kl_sasl_session *s = server->arg;
	return s->credential(s->credential_arg, user, what, out);
}

static int identify(const struct klamm_sasl_server *server, const char *user,
		    int64_t lifetime_ms)
{
	struct kl_sasl_session *s = server->arg;
	char *copy = strdup(user);
	if (copy == NULL)
		return KLAMM_ERR_NO_MEMORY;
	free(s->user);
	s->user = copy;
	s->lifetime_ms = lifetime_ms;
	return 0;
}

static int begin(struct kl_sasl_session *s)
{
	const struct klamm_sasl_plugin *plugin = plugin_of(s);
	void *self = s->instance->self;
	int rc = is_server(s)
			 ? plugin->accept_new(self, &s->peer, &s->server, &s->session,
					      &s->err)
			 : plugin->session_new(self, &s->peer, &s->session, &s->err);
	s->made = rc == 0;
	return rc;
}

static int step(struct kl_sasl_session *s)
{
	const struct klamm_sasl_plugin *plugin = plugin_of(s);
	struct klamm_span in = {0};
	if (s->has_in)
		in = (struct klamm_span){kl_buf_text(&s->in), s->in.len};
	int rc = is_server(s) ? plugin->accept_step(s->session, &s->call, &in,
						    &s->out.out, &s->state, &s->err)
			      : plugin->step(s->session, &s->call, &in, &s->out.out,
					     &s->state, &s->err);
	if (rc != 0)
		return rc;
	if (s->state < KLAMM_SASL_SEND || s->state > KLAMM_SASL_DONE)
		return kl_error(&s->err, KLAMM_ERR_PLUGIN,
				"the plugin leads to %d, which is no state", s->state);
	if (s->state == KLAMM_SASL_DONE && is_server(s) && s->user == NULL)
		return kl_error(&s->err, KLAMM_ERR_PLUGIN,
				"the plugin is done and has not said with whom");
	if (s->state == KLAMM_SASL_DONE && !is_server(s) &&
	    plugin->session_lifetime != NULL)
		s->lifetime_ms = plugin->session_lifetime(s->session);
	return 0;
}

/* On a worker, or in the loop when there is nothing to free. */
static void end(struct kl_sasl_session *s)
{
	if (s->made)
		plugin_of(s)->session_free(s->session);
	kl_plugin_release(s->instance);
}

static void run_step(struct kl_job *job, unsigned worker)
{
	struct kl_sasl_session *s = kl_container(job, struct kl_sasl_session, step_job);
	kl_error_clear(&s->err);
	s->state = -1;
	s->code = s->made ? 0 : begin(s);
	if (s->code == 0)
		s->code = step(s);
	if (s->code != 0 && s->err.code == 0)
		kl_error(&s->err, s->code, "the plugin fails with %s and says no more",
			 klamm_err_name(s->code));
	if (s->in.data != NULL)
		explicit_bzero(s->in.data, s->in.cap);
	if (atomic_exchange(&s->meeting, RETURNED) == ABANDONED)
		end(s);
}

static void run_end(struct kl_job *job, unsigned worker)
{
	end(kl_container(job, struct kl_sasl_session, end_job));
}

/* --- in the loop --- */

static void free_sink(struct kl_sink *sink)
{
	if (sink->out.data != NULL)
		explicit_bzero(sink->out.data, sink->out.cap);
	kl_sink_free(sink);
}

static void destroy_if_over(struct kl_sasl_session *s)
{
	if (!s->freed || s->telling || s->jobs > 0)
		return; /* with no job out, what is freed has ended, too */
	free_sink(&s->out);
	kl_wipe_buf(&s->in);
	free(s->user);
	free(s);
}

static void ended(struct kl_job *job)
{
	struct kl_sasl_session *s = kl_container(job, struct kl_sasl_session, end_job);
	s->jobs--;
	destroy_if_over(s);
}

/* The owner may begin the next step in the call, or free the session. */
static void tell(struct kl_sasl_session *s)
{
	struct kl_sink out;
	kl_sink_init(&out, KL_SASL_TOKEN_MAX, NULL);
	out.out.data = s->out.out.data;
	out.out.len = s->out.out.len;
	out.out.cap = s->out.out.cap;
	out.out.flags = s->out.out.flags;
	kl_sink_init(&s->out, KL_SASL_TOKEN_MAX, NULL);
	struct klamm_error err = s->err;
	struct kl_sasl_result result = {
		.code = s->code,
		.err = &err,
		.state = s->state,
		.out = {(const char *)out.out.data, out.out.len},
		.is_silent = (out.out.flags & KLAMM_OUT_NULL) != 0,
		.lifetime_ms = s->lifetime_ms,
		.user = s->user,
	};
	s->telling = true;
	s->done(s->owner, &result);
	s->telling = false;
	free_sink(&out);
	destroy_if_over(s);
}

static void stepped(struct kl_job *job)
{
	struct kl_sasl_session *s = kl_container(job, struct kl_sasl_session, step_job);
	s->jobs--;
	s->running = false;
	if (s->freed)
		destroy_if_over(s);
	else
		tell(s);
}

struct kl_sasl_session *kl_sasl_session_new(struct klamm_loop *loop,
					    const struct kl_sasl_session_spec *spec)
{
	size_t len = strlen(spec->host);
	struct kl_sasl_session *s = calloc(1, sizeof(*s) + len + 1);
	if (s == NULL)
		return NULL;
	memcpy(s->host, spec->host, len + 1);
	s->loop = loop;
	s->instance = spec->instance;
	s->credential = spec->credential;
	s->credential_arg = spec->credential_arg;
	s->done = spec->done;
	s->owner = spec->owner;
	s->lifetime_ms = -1;
	s->peer = (struct klamm_sasl_peer){
		.size = sizeof(s->peer),
		.host = s->host,
		.port = spec->port,
		.flags = spec->flags,
	};
	s->server = (struct klamm_sasl_server){
		.size = sizeof(s->server),
		.arg = s,
		.credential = credential,
		.identify = identify,
	};
	s->in.is_secret = true;
	kl_sink_init(&s->out, KL_SASL_TOKEN_MAX, NULL);
	kl_plugin_hold(s->instance);
	return s;
}

bool kl_sasl_session_step(struct kl_sasl_session *s, const void *in, size_t len,
			  int64_t wait_ms)
{
	kl_buf_clear(&s->in);
	s->has_in = in != NULL;
	/* At once, so that growing leaves no copy behind; and one more, for the NUL. */
	if (s->has_in && kl_buf_reserve(&s->in, len + 1) != NULL)
		kl_buf_put(&s->in, in, len);
	if (s->in.failed)
		return false;
	s->call = (struct klamm_call){
		.size = sizeof(s->call),
		.wait_ms = wait_ms,
		.cancelled = &s->cancelled,
	};
	atomic_store(&s->meeting, RUNNING);
	s->running = true;
	s->jobs++;
	s->step_job.run = run_step;
	s->step_job.done = stepped;
	kl_pool_submit(&s->loop->blocking, &s->step_job);
	return true;
}

/* true: the worker that runs a step ends the session. */
static bool leave_to_worker(struct kl_sasl_session *s)
{
	if (!s->running)
		return false;
	if (kl_pool_cancel(&s->loop->blocking, &s->step_job)) {
		s->jobs--; /* it had not begun */
		return false;
	}
	return atomic_exchange(&s->meeting, ABANDONED) == RUNNING;
}

void kl_sasl_session_free(struct kl_sasl_session *s)
{
	if (s == NULL)
		return;
	s->freed = true;
	__atomic_store_n(&s->cancelled, 1, __ATOMIC_RELEASE);
	if (leave_to_worker(s))
		return;
	if (s->made) {
		s->jobs++;
		s->end_job.run = run_end;
		s->end_job.done = ended;
		kl_pool_submit(&s->loop->blocking, &s->end_job);
		return;
	}
	end(s);
	destroy_if_over(s);
}
