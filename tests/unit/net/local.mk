check_PROGRAMS += %D%/test_net
TESTS += %D%/test_net
%C%_test_net_CFLAGS = $(UNIT_CFLAGS)
%C%_test_net_LDADD = $(UNIT_LIBS)
%C%_test_net_SOURCES = \
	%D%/test_conn.c \
	%D%/test_loop.c \
	%D%/test_work.c
