/* SPDX-License-Identifier: BSD-2-Clause */
/* The library in a program of others: what forks, and what signals are for. */
#include <klamm/broker.h>
#include <klamm/klamm.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/os/os.h"
#include "tests/unit/unit.h"

static struct klamm_error err;
static struct klamm_broker *broker;
static struct klamm_producer *producer;
static struct klamm_consumer *consumer;
static struct klamm_admin *admin;

#define OK(call) ck_assert_msg((call) == 0, "%s", err.text)

static void up(void)
{
	struct klamm_broker_options options = {.size = sizeof(options)};
	struct klamm_conf *conf;
	struct klamm_topic_partition partition = {.topic = "t", .partition = 0};
	OK(klamm_broker_new(&options, &broker, &err));
	OK(klamm_broker_create_topic(broker, "t", 1, &err));
	OK(klamm_conf_new(&conf, &err));
	OK(klamm_conf_set(conf, "bootstrap.servers", klamm_broker_address(broker), &err));
	OK(klamm_conf_set(conf, "auto.offset.reset", "earliest", &err));
	OK(klamm_producer_new(conf, NULL, &producer, &err));
	OK(klamm_consumer_new(conf, NULL, &consumer, &err));
	OK(klamm_admin_new(conf, NULL, &admin, &err));
	OK(klamm_consumer_assign(consumer, &partition, 1, &err));
	klamm_conf_free(conf);
}

static void down(void)
{
	OK(klamm_producer_close(producer, 30000, &err));
	OK(klamm_consumer_close(consumer, 30000, &err));
	klamm_admin_free(admin);
	klamm_broker_free(broker);
}

static int send_one(void)
{
	struct klamm_record record = KLAMM_RECORD_INIT;
	record.value = (struct klamm_span){"hello", 5};
	return klamm_producer_send_to(producer, "t", &record, NULL, &err);
}

static int list_groups(void)
{
	struct klamm_group_list *list = NULL;
	int rc = klamm_admin_list_groups(admin, NULL, 5000, &list, &err);
	klamm_group_list_free(list);
	return rc;
}

static int poll_once(void)
{
	struct klamm_batch *batch = NULL;
	int rc = klamm_consumer_poll(consumer, 10000, &batch, &err);
	bool got = rc == 0 && batch != NULL;
	klamm_batch_unref(batch);
	return rc != 0 ? rc : got ? 0 : KLAMM_ERR_TIMED_OUT;
}

static void works(void)
{
	OK(send_one());
	OK(klamm_producer_flush(producer, 30000, NULL, &err));
	OK(poll_once());
	OK(list_groups());
}

/* Each call says so, at once: 0, or the number of the one that does not. */
static int try_all_in_child(void)
{
	alarm(20);
	int rcs[] = {
		send_one(),
		klamm_producer_flush(producer, 1000, NULL, &err),
		klamm_producer_close(producer, 1000, &err),
		poll_once(),
		klamm_consumer_close(consumer, 1000, &err),
		list_groups(),
	};
	for (size_t i = 0; i < kl_countof(rcs); i++)
		if (rcs[i] != KLAMM_ERR_FORKED)
			return (int)i + 1;
	return 0;
}

START_TEST(a_forked_child_is_told_and_the_parent_goes_on)
{
	works();
	OK(send_one()); /* something is under way */
	pid_t child = fork();
	if (child == 0)
		_exit(try_all_in_child());
	int status;
	ck_assert_int_eq(waitpid(child, &status, 0), child);
	ck_assert_int_eq(status, 0);
	OK(klamm_producer_flush(producer, 30000, NULL, &err));
	OK(poll_once());
	works();
}
END_TEST

static void read_all(struct sigaction all[static 65])
{
	for (int i = 1; i < 65; i++)
		if (sigaction(i, NULL, &all[i]) != 0)
			all[i] = (struct sigaction){0};
}

START_TEST(signals_are_the_programs)
{
	struct sigaction before[65], after[65];
	sigset_t mask_before, mask_after;
	read_all(before);
	pthread_sigmask(SIG_SETMASK, NULL, &mask_before);
	up();
	works();
	read_all(after);
	down();
	pthread_sigmask(SIG_SETMASK, NULL, &mask_after);
	for (int i = 1; i < 65; i++) {
		ck_assert_ptr_eq(before[i].sa_handler, after[i].sa_handler);
		ck_assert_int_eq(before[i].sa_flags, after[i].sa_flags);
		ck_assert_int_eq(sigismember(&mask_before, i), sigismember(&mask_after, i));
	}
}
END_TEST

static volatile sig_atomic_t raised;

static void note(int signal)
{
	raised = 1;
}

static void pipe_up(void)
{
	signal(SIGPIPE, note);
}

/* A peer that is gone is an error of the call. */
START_TEST(a_peer_that_is_gone_raises_no_signal)
{
	struct kl_os *os = kl_os_real();
	struct kl_sock *listener, *near, *far;
	struct kl_addr addr;
	char text[] = "hello";
	ck_assert_int_eq(os->sock_listen(os, NULL, 0, &listener, &addr), 0);
	ck_assert_int_eq(os->sock_connect(os, &addr, &(struct kl_sock_opts){0}, &near), 0);
	int64_t end = os->now(os) + 10 * KL_SECOND;
	while (os->sock_accept(listener, &far, NULL) == -EAGAIN && os->now(os) < end)
		usleep(1000);
	os->sock_reset(far);
	ssize_t n = 0;
	while (n >= 0 || n == -EAGAIN || n == -ECONNRESET) {
		ck_assert_int_lt(os->now(os), end);
		n = os->sock_sendv(near, &(struct iovec){text, sizeof(text)}, 1);
		usleep(1000);
	}
	ck_assert_int_eq(n, -EPIPE);
	ck_assert(!raised);
	os->sock_close(near);
	os->sock_close(listener);
}
END_TEST

/* The same for a whole client, whose broker goes and comes back. */
START_TEST(a_broker_that_goes_raises_no_signal)
{
	works();
	for (int i = 0; i < 3; i++) {
		klamm_broker_stop(broker);
		for (int j = 0; j < 20; j++) {
			send_one();
			usleep(1000);
		}
		OK(klamm_broker_node_start(broker, 1, &err));
		works();
	}
	ck_assert(!raised);
}
END_TEST

static void noted_up(void)
{
	pipe_up();
	up();
}

UNIT_SUITE(guest)
{
	Suite *s = suite_create("guest");
	unit_add_fixture(s, a_forked_child_is_told_and_the_parent_goes_on, up, down);
	unit_add(s, signals_are_the_programs);
	unit_add_fixture(s, a_peer_that_is_gone_raises_no_signal, pipe_up, NULL);
	unit_add_fixture(s, a_broker_that_goes_raises_no_signal, noted_up, down);
	return s;
}
