check_PROGRAMS += %D%/test_admin
TESTS += %D%/test_admin
%C%_test_admin_CFLAGS = $(UNIT_CFLAGS)
%C%_test_admin_LDADD = $(UNIT_LIBS)
%C%_test_admin_SOURCES = \
	%D%/peer.c %D%/peer.h \
	%D%/test_topics.c
