# The consumer through its public interface, against the dev broker or a scripted peer.
check_PROGRAMS += %D%/test_consumer
TESTS += %D%/test_consumer
%C%_test_consumer_CFLAGS = $(UNIT_CFLAGS)
%C%_test_consumer_LDADD = libklamm-broker.la $(UNIT_LIBS)
%C%_test_consumer_SOURCES = \
	tests/client/script.c tests/client/script.h \
	tests/client/world.c tests/client/world.h \
	%D%/coordinator.c %D%/coordinator.h \
	%D%/keeper.c %D%/keeper.h \
	%D%/member.c %D%/member.h \
	%D%/store.c %D%/store.h \
	%D%/test_assign.c \
	%D%/test_classic.c \
	%D%/test_commit.c \
	%D%/test_commit_auto.c \
	%D%/test_commit_later.c \
	%D%/test_commit_old.c \
	%D%/test_commit_start.c \
	%D%/test_committed.c \
	%D%/test_fetch.c \
	%D%/test_followers.c \
	%D%/test_groups.c \
	%D%/test_member.c \
	%D%/test_member_end.c \
	%D%/test_member_options.c \
	%D%/test_memory.c \
	%D%/test_modern.c \
	%D%/test_modern_member.c \
	%D%/test_poll.c \
	%D%/test_records.c \
	%D%/test_seek.c \
	%D%/test_sessions.c \
	%D%/test_truncation.c
