# Nodes and the cluster against a scripted peer.
check_PROGRAMS += %D%/test_broker
TESTS += %D%/test_broker
%C%_test_broker_CFLAGS = $(UNIT_CFLAGS)
%C%_test_broker_LDADD = $(UNIT_LIBS)
%C%_test_broker_SOURCES = \
	tests/client/script.c tests/client/script.h \
	%D%/auth_bench.c %D%/auth_bench.h \
	%D%/bench.c %D%/bench.h \
	%D%/probe.c %D%/probe.h \
	%D%/test_auth.c \
	%D%/test_auth_again.c \
	%D%/test_auth_hostile.c \
	%D%/test_auth_mechanism.c \
	%D%/test_auth_old.c \
	%D%/test_backoff.c \
	%D%/test_cluster.c \
	%D%/test_coordinator.c \
	%D%/test_hostile.c \
	%D%/test_node.c \
	%D%/test_old.c \
	%D%/test_resolve.c
