check_PROGRAMS += %D%/test_admin
TESTS += %D%/test_admin
%C%_test_admin_CFLAGS = $(UNIT_CFLAGS)
%C%_test_admin_LDADD = libklamm-broker.la $(UNIT_LIBS)
%C%_test_admin_SOURCES = \
	%D%/pair.c %D%/pair.h \
	%D%/peer.c %D%/peer.h \
	%D%/test_groups.c \
	%D%/test_groups_broker.c \
	%D%/test_groups_offsets.c \
	%D%/test_records.c \
	%D%/test_topics.c
