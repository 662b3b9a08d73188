# Scenarios of the simulation: many seeds, each in a process of its own. They run on a copy of
# client and broker in which bugs can be planted (core/base/bug.h).
check_LTLIBRARIES += %D%/libcopy.la
%C%_libcopy_la_SOURCES = $(libklamm_la_SOURCES) $(libklamm_broker_la_SOURCES)
%C%_libcopy_la_CPPFLAGS = $(AM_CPPFLAGS) -DKL_BUGS
%C%_libcopy_la_LIBADD = $(libklamm_la_LIBADD)

check_PROGRAMS += %D%/sim
%C%_sim_SOURCES = \
	%D%/bugs.c %D%/bugs.h \
	%D%/commits.c \
	%D%/copies.c %D%/copies.h \
	%D%/crash.c \
	%D%/cuts.c \
	%D%/exact.c %D%/exact.h \
	%D%/exact_client.c \
	%D%/exact_copy.c \
	%D%/exact_group.c \
	%D%/exact_read.c \
	%D%/exact_send.c \
	%D%/exact_trouble.c \
	%D%/exact_txn.c \
	%D%/frames.c \
	%D%/groups.c %D%/groups.h \
	%D%/groups_audit.c \
	%D%/groups_member.c \
	%D%/groups_trouble.c \
	%D%/history.c %D%/history.h \
	%D%/keyed.c %D%/keyed.h \
	%D%/main.c \
	%D%/owners.c %D%/owners.h \
	%D%/records.c %D%/records.h \
	%D%/records_broker.c \
	%D%/records_consume.c \
	%D%/records_payload.c \
	%D%/records_plan.c \
	%D%/records_produce.c \
	%D%/scenario.c %D%/scenario.h \
	%D%/txn_work.c %D%/txn_work.h \
	%D%/txns.c %D%/txns.h
%C%_sim_CPPFLAGS = $(AM_CPPFLAGS) -DKL_BUGS \
	-DSIM_PLUGINS='"$(abs_top_builddir)/plugins/.libs"'
%C%_sim_LDADD = core/os/libsim.la %D%/libcopy.la

# In this one libc's malloc() and its kin are ours.
check_PROGRAMS += %D%/torture
%C%_torture_SOURCES = \
	%D%/bugs.c %D%/bugs.h \
	%D%/torture.c %D%/torture.h \
	%D%/torture_admin.c %D%/torture_clients.c \
	%D%/torture_group.c %D%/torture_members.c \
	%D%/torture_memory.c %D%/torture_memory.h tests/real_malloc.h \
	%D%/torture_session.c
%C%_torture_CPPFLAGS = $(%C%_sim_CPPFLAGS)
%C%_torture_LDADD = $(%C%_sim_LDADD)

check_PROGRAMS += %D%/torture_assign
%C%_torture_assign_SOURCES = \
	%D%/torture_assign.c \
	%D%/torture_memory.c %D%/torture_memory.h tests/real_malloc.h
%C%_torture_assign_CPPFLAGS = $(%C%_sim_CPPFLAGS)
%C%_torture_assign_LDADD = $(%C%_sim_LDADD)

dist_check_SCRIPTS += %D%/bugs.test
TESTS += %D%/sim %D%/bugs.test
if !TSAN
# It stands in for malloc(), as ThreadSanitizer does.
TESTS += %D%/torture %D%/torture_assign
endif
