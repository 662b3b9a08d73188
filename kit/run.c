/* SPDX-License-Identifier: BSD-2-Clause */
/* One check in a child process: its sentence, or what became of the child. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kit/inside.h"

/* Shared by parent and child. */
struct page {
	enum kit_result result;
	bool is_done;
	char step[KIT_STEP], text[KIT_TEXT];
};

void kit_step(struct kit *k, const char *fmt, ...)
{
	va_list args;
	va_start(args, fmt);
	if (k->step != NULL)
		vsnprintf(k->step, KIT_STEP, fmt, args);
	va_end(args);
	memset(&k->err, 0, sizeof(k->err));
}

const char *kit_say(struct kit *k, const char *fmt, ...)
{
	char text[KIT_TEXT]; /* what there was may be among the arguments */
	va_list args;
	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	return strcpy(k->text, text);
}

const char *kit_skip(struct kit *k, const char *why)
{
	k->skipped = why;
	return NULL;
}

/* --- the child --- */

/* Sanitizers and the program have handlers of their own, which would hide the signal. */
static void plain_signals(void)
{
	static const int fatal[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP};
	for (size_t i = 0; i < kl_countof(fatal); i++)
		signal(fatal[i], SIG_DFL);
	setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static void run_child(const struct kit_subject *subject, const struct kit_check *check,
		      struct page *page, int output)
{
	struct kit k = {.subject = subject, .step = page->step};
	plain_signals();
	fflush(NULL);
	dup2(output, STDOUT_FILENO);
	dup2(output, STDERR_FILENO);
	const char *text = kit_begin(&k);
	if (text == NULL)
		text = check->run(&k);
	if (text == NULL && k.skipped == NULL)
		kit_end(&k);
	fflush(NULL);
	if (text == NULL)
		text = k.skipped;
	page->result = text == NULL ? KIT_GOOD : text == k.skipped ? KIT_SKIPPED : KIT_BAD;
	snprintf(page->text, sizeof(page->text), "%s", text != NULL ? text : "");
	__atomic_store_n(&page->is_done, true, __ATOMIC_RELEASE);
	_exit(0);
}

/* --- the parent --- */

/* The child's end of the pipe closes when it ends; false: it was ended by force. */
static bool await(pid_t pid, int fd, int32_t limit_ms, int *status_out)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};
	int n;
	do
		n = poll(&poll_fd, 1, limit_ms);
	while (n < 0 && errno == EINTR);
	if (n == 0)
		kill(pid, SIGKILL);
	while (waitpid(pid, status_out, 0) < 0 && errno == EINTR)
		continue;
	return n != 0;
}

static void judge(const struct page *page, bool in_time, int32_t limit_ms, int status,
		  struct kit_verdict *v)
{
	v->result = KIT_BAD;
	if (!in_time)
		snprintf(v->text, sizeof(v->text), "it hangs: %s has not returned after %g s",
			 page->step, limit_ms / 1000.0);
	else if (WIFSIGNALED(status))
		snprintf(v->text, sizeof(v->text), "it crashes: %s ended with signal %d (%s)",
			 page->step, WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (!page->is_done)
		snprintf(v->text, sizeof(v->text),
			 "it ends the process: %s never returned, exit status %d", page->step,
			 WEXITSTATUS(status));
	else {
		v->result = page->result;
		snprintf(v->text, sizeof(v->text), "%s", page->text);
	}
}

static void read_output(int fd, char text[static KIT_TEXT])
{
	ssize_t n = pread(fd, text, KIT_TEXT - 1, 0);
	text[n > 0 ? n : 0] = '\0';
}

static void cannot(struct kit_verdict *v, const char *what)
{
	v->result = KIT_BAD;
	snprintf(v->text, sizeof(v->text), "the kit cannot %s: %s", what, strerror(errno));
}

static void run_in(const struct kit_subject *subject, const struct kit_check *check,
		   struct page *page, int output, struct kit_verdict *v)
{
	int ends[2], status = 0;
	int32_t limit_ms = subject->limit_ms > 0 ? subject->limit_ms : KIT_LIMIT_MS;
	if (pipe2(ends, O_CLOEXEC) != 0) {
		cannot(v, "make a pipe");
		return;
	}
	fflush(NULL);
	pid_t pid = fork();
	if (pid == 0) {
		close(ends[0]);
		run_child(subject, check, page, output);
	}
	close(ends[1]);
	if (pid > 0) {
		bool in_time = await(pid, ends[0], limit_ms, &status);
		judge(page, in_time, limit_ms, status, v);
		read_output(output, v->output);
	} else {
		cannot(v, "start a process");
	}
	close(ends[0]);
}

void kit_run(const struct kit_subject *subject, const struct kit_check *check,
	     struct kit_verdict *verdict_out)
{
	*verdict_out = (struct kit_verdict){0};
	struct page *page = mmap(NULL, sizeof(*page), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int output = memfd_create("klamm-kit", MFD_CLOEXEC);
	if (page == MAP_FAILED || output < 0)
		cannot(verdict_out, "get memory");
	else
		run_in(subject, check, page, output, verdict_out);
	if (output >= 0)
		close(output);
	if (page != MAP_FAILED)
		munmap(page, sizeof(*page));
}

unsigned kit_run_all(const struct kit_subject *subject,
		     void (*fn)(void *arg, const struct kit_check *check,
				const struct kit_verdict *verdict),
		     void *arg)
{
	unsigned bad = 0;
	bool goes_on = true;
	for (size_t i = 0; kit_checks[i].name != NULL; i++) {
		const struct kit_check *check = &kit_checks[i];
		if (check->kind != 0 && check->kind != subject->kind)
			continue;
		struct kit_verdict v = {.result = KIT_SKIPPED,
					.text = "it does not load and open"};
		if (goes_on)
			kit_run(subject, check, &v);
		bad += v.result == KIT_BAD;
		if (i < KIT_NEEDED && v.result == KIT_BAD)
			goes_on = false;
		fn(arg, check, &v);
	}
	return bad;
}

unsigned kit_count(int32_t kind)
{
	unsigned n = 0;
	for (size_t i = 0; kit_checks[i].name != NULL; i++)
		n += kit_checks[i].kind == 0 || kit_checks[i].kind == kind;
	return n;
}
