# The producer through its public interface, against the dev broker or a scripted peer.
check_PROGRAMS += %D%/test_producer
TESTS += %D%/test_producer
%C%_test_producer_CFLAGS = $(UNIT_CFLAGS)
%C%_test_producer_LDADD = libklamm-broker.la $(UNIT_LIBS)
%C%_test_producer_SOURCES = \
	tests/client/script.c tests/client/script.h \
	tests/client/world.c tests/client/world.h \
	%D%/caught.c %D%/caught.h \
	%D%/test_batching.c \
	%D%/test_change.c \
	%D%/test_codecs.c \
	%D%/test_convert.c \
	%D%/test_drain.c \
	%D%/test_end.c \
	%D%/test_idempotence.c \
	%D%/test_limits.c \
	%D%/test_loop.c \
	%D%/test_place.c \
	%D%/test_racks.c \
	%D%/test_reach.c \
	%D%/test_retry.c \
	%D%/test_send.c \
	%D%/test_split.c \
	%D%/test_transactions.c \
	%D%/test_unread.c
