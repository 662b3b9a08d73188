/* SPDX-License-Identifier: BSD-2-Clause */
/* Loops and framed connections over a bad network: clients send frames of all sizes, the
 * server sends each back. On every connection the answers are the frames, whole and in
 * order; a connection that breaks is replaced; when the weather clears, all is answered. */
#include <stdlib.h>

#include "core/net/conn.h"
#include "tests/sim/scenario.h"

#define PORT 9092
#define CLIENTS 3
#define FRAMES 60 /* to be answered, by each client */
#define FRAME_MAX 100000
#define WINDOW 8 /* frames on their way */
#define STORM (60 * KL_SECOND)
#define LIMIT (1200 * KL_SECOND)
/* As the engine's request.timeout.ms: silence on a connection for so long ends it. */
#define PATIENCE (30 * KL_SECOND)

/* On its way; in a list of whoever sends, until sent or the connection is gone. */
struct frame {
	struct kl_list link;
	struct kl_out out;
	struct kl_buf bytes;
};

static void frame_free(struct frame *f)
{
	kl_list_remove(&f->link);
	kl_buf_free(&f->bytes);
	free(f);
}

static void frame_sent(struct kl_out *out, struct kl_conn *conn)
{
	frame_free(kl_container(out, struct frame, out));
}

static void frames_free(struct kl_list *frames)
{
	struct frame *f;
	while ((f = kl_list_first(frames, struct frame, link)) != NULL)
		frame_free(f);
}

/* n zero bytes behind the size, to be filled by the caller. */
static uint8_t *frame_send(struct kl_conn *conn, struct kl_list *frames, size_t n)
{
	struct frame *f = calloc(1, sizeof(*f));
	if (f == NULL)
		abort();
	kl_buf_i32(&f->bytes, (int32_t)n);
	uint8_t *p = kl_buf_extend(&f->bytes, n);
	if (f->bytes.failed)
		abort();
	f->out.one = (struct iovec){f->bytes.data, f->bytes.len};
	f->out.iov = &f->out.one;
	f->out.iov_count = 1;
	f->out.left = f->bytes.len;
	f->out.sent = frame_sent;
	kl_list_push(frames, &f->link);
	kl_conn_send(conn, &f->out);
	return p;
}

static size_t frame_max(struct kl_conn *conn)
{
	return FRAME_MAX;
}

/* --- the server --- */

struct side {
	struct scenario_run *run;
	struct kl_sim *sim;
	struct kl_os *os;
	struct klamm_loop *loop;
	struct kl_slab_pool *slabs;
	struct kl_watch listener;
	struct kl_list peers;
	unsigned done; /* clients */
};

struct peer {
	struct kl_conn conn;
	struct kl_list link;
	struct kl_list frames;
	struct kl_task bury;
};

static void peer_end(struct peer *peer)
{
	kl_conn_close(&peer->conn, false);
	frames_free(&peer->frames);
	kl_list_remove(&peer->link);
	free(peer);
}

static void peer_frame(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p, size_t n)
{
	struct peer *peer = kl_container(conn, struct peer, conn);
	uint8_t *to = frame_send(conn, &peer->frames, n);
	if (n > 0)
		memcpy(to, p, n);
}

static void peer_bury(struct kl_task *task)
{
	peer_end(kl_container(task, struct peer, bury));
}

static void peer_closed(struct kl_conn *conn, const struct klamm_error *err)
{
	struct peer *peer = kl_container(conn, struct peer, conn);
	kl_list_remove(&peer->link);
	peer->bury.fn = peer_bury;
	kl_loop_post(conn->loop, &peer->bury);
}

static const struct kl_conn_ops peer_ops = {
	.frame_max = frame_max,
	.frame = peer_frame,
	.closed = peer_closed,
};

static void server_accept(struct kl_watch *watch, uint32_t events)
{
	struct side *s = kl_container(watch, struct side, listener);
	struct kl_sock *sock;
	while (s->os->sock_accept(watch->sock, &sock, NULL) == 0) {
		struct peer *peer = calloc(1, sizeof(*peer));
		if (peer == NULL || kl_conn_start(&peer->conn, s->loop, &peer_ops, s->slabs,
						  sock, false, NULL) != 0)
			abort();
		kl_list_init(&peer->frames);
		kl_list_push(&s->peers, &peer->link);
	}
}

static void server_open(struct side *s)
{
	kl_list_init(&s->peers);
	s->slabs = kl_slab_pool_new(0, 0, NULL, NULL);
	if (s->slabs == NULL || kl_loop_new(s->os, NULL, &s->loop, NULL) != 0 ||
	    s->os->sock_listen(s->os, NULL, PORT, &s->listener.sock, NULL) != 0)
		abort();
	s->listener.fn = server_accept;
	if (kl_watch_set(s->loop, &s->listener, KL_IN) != 0 ||
	    klamm_loop_start(s->loop, NULL) != 0)
		abort();
}

static void server_stop(void *arg)
{
	struct side *s = arg;
	struct kl_sock *sock = s->listener.sock;
	kl_watch_forget(s->loop, &s->listener);
	s->os->sock_close(sock);
	struct peer *peer;
	while ((peer = kl_list_first(&s->peers, struct peer, link)) != NULL)
		peer_end(peer);
}

/* Made and torn down by a thread of its own, as an application would. */
static void server_main(void *arg)
{
	struct side *s = arg;
	server_open(s);
	while (s->done < CLIENTS)
		kl_sim_sleep(s->sim, 100 * KL_MS);
	kl_loop_call(s->loop, server_stop, s);
	klamm_loop_free(s->loop);
	kl_slab_pool_free(s->slabs);
}

/* --- a client, its loop stepped by its own thread --- */

struct client {
	struct scenario_run *run;
	struct kl_sim *sim;
	struct kl_os *os;
	struct side *server;
	struct klamm_loop *loop;
	struct kl_slab_pool *slabs;
	struct kl_conn conn;
	struct kl_list frames;
	uint8_t id;
	bool open;
	unsigned sent, answered; /* sent: on this connection, and answered before it */
	unsigned breaks;
};

/* Sizes and contents follow from the number, so that an answer can be checked alone. */
static size_t size_of(unsigned number)
{
	static const size_t sizes[] = {1, 3, 4, 100, 4092, 65531, 65532, 65533, 99999, 700};
	return sizes[number % kl_countof(sizes)];
}

static uint8_t byte_of(const struct client *c, unsigned number, size_t i)
{
	return (uint8_t)(number * 7 + i + i / 256 + c->id);
}

static void client_fill(struct client *c)
{
	while (c->open && c->sent < FRAMES && c->sent - c->answered < WINDOW) {
		size_t n = size_of(c->sent);
		uint8_t *p = frame_send(&c->conn, &c->frames, n);
		for (size_t i = 0; i < n; i++)
			p[i] = byte_of(c, c->sent, i);
		c->sent++;
	}
}

static void client_opened(struct kl_conn *conn)
{
	client_fill(kl_container(conn, struct client, conn));
}

static void client_frame(struct kl_conn *conn, struct kl_slab *slab, const uint8_t *p,
			 size_t n)
{
	struct client *c = kl_container(conn, struct client, conn);
	bool good = n == size_of(c->answered);
	for (size_t i = 0; good && i < n; i++)
		good = p[i] == byte_of(c, c->answered, i);
	if (!good)
		kl_buf_printf(&c->run->why,
			      "client %u: answer %u of %zu bytes is not its frame\n", c->id,
			      c->answered, n);
	c->answered++;
	client_fill(c);
}

static void client_closed(struct kl_conn *conn, const struct klamm_error *err)
{
	struct client *c = kl_container(conn, struct client, conn);
	c->open = false;
	c->breaks++;
	frames_free(&c->frames);
	if (err->code == 0 || err->text[0] == '\0')
		kl_buf_printf(&c->run->why, "client %u: closed without a word\n", c->id);
}

static const struct kl_conn_ops client_ops = {
	.opened = client_opened,
	.frame_max = frame_max,
	.frame = client_frame,
	.closed = client_closed,
};

static void client_connect(struct client *c)
{
	struct kl_addr addr;
	const char *why;
	struct kl_sock *sock;
	if (c->os->resolve(c->os, "server", PORT, &addr, 1, &why) != 1)
		return;
	if (c->os->sock_connect(c->os, &addr, NULL, &sock) != 0 ||
	    kl_conn_start(&c->conn, c->loop, &client_ops, c->slabs, sock, true, NULL) != 0)
		abort();
	c->open = true;
	c->sent = c->answered;
}

static void client_close(struct client *c)
{
	kl_conn_close(&c->conn, false);
	frames_free(&c->frames);
	c->open = false;
}

static void client_main(void *arg)
{
	struct client *c = arg;
	c->slabs = kl_slab_pool_new(0, 1 << 20, NULL, NULL);
	if (c->slabs == NULL || kl_loop_new(c->os, NULL, &c->loop, NULL) != 0)
		abort();
	while (c->answered < FRAMES) {
		if (!c->open)
			client_connect(c);
		int64_t begun = c->os->now(c->os);
		while (c->open && c->answered < FRAMES) {
			int64_t quiet_since = kl_max(begun, c->conn.last_used);
			kl_loop_step(c->loop, quiet_since + PATIENCE);
			if (c->open && c->os->now(c->os) >= quiet_since + PATIENCE &&
			    c->conn.last_used <= quiet_since)
				client_close(c);
		}
		if (c->answered < FRAMES)
			kl_sim_sleep(c->sim, 50 * KL_MS);
	}
	if (c->open)
		client_close(c);
	klamm_loop_free(c->loop);
	kl_slab_pool_free(c->slabs);
	c->server->done++;
}

/* --- the world --- */

static void frames_run(struct scenario_run *run)
{
	struct kl_sim *sim = scenario_world(run);
	struct kl_sim_node *here = kl_sim_node(sim, "client");
	struct kl_sim_node *there = kl_sim_node(sim, "server");
	struct side server = {.run = run, .sim = sim, .os = kl_sim_os(there)};
	struct client clients[CLIENTS];
	kl_sim_spawn(there, "server", server_main, &server);
	for (unsigned i = 0; i < CLIENTS; i++) {
		clients[i] = (struct client){.run = run,
					     .sim = sim,
					     .os = kl_sim_os(here),
					     .server = &server,
					     .id = (uint8_t)i};
		kl_list_init(&clients[i].frames);
		kl_sim_spawn(here, "client", client_main, &clients[i]);
	}
	struct kl_sim_target target = {there, PORT};
	if (!run->calm) {
		kl_sim_faults_draw(sim, false, kl_sim_faults(sim));
		kl_sim_chaos(sim, &(struct kl_sim_chaos){
					  .targets = &target,
					  .target_count = 1,
					  .client = here,
					  .kinds = KL_SIM_CHAOS_PORT | KL_SIM_CHAOS_RESET |
						   KL_SIM_CHAOS_LINK | KL_SIM_CHAOS_PAUSE,
					  .until = kl_sim_now(sim) + STORM,
					  .gap_us = 2 * KL_SECOND,
					  .outage_us = 5 * KL_SECOND,
				  });
	}
	unsigned breaks = 0;
	if (scenario_go(run, sim, LIMIT))
		for (unsigned i = 0; i < CLIENTS; i++)
			breaks += clients[i].breaks;
	kl_buf_printf(&run->note, "%u connections broke", breaks);
	kl_sim_free(sim);
}

const struct scenario scenario_frames = {
	.name = "frames",
	.summary = "loops and framed connections over a bad network",
	.run = frames_run,
};
