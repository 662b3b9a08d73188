check_PROGRAMS += %D%/test_sim
TESTS += %D%/test_sim
%C%_test_sim_CFLAGS = $(UNIT_CFLAGS)
%C%_test_sim_LDADD = $(UNIT_LIBS)
%C%_test_sim_SOURCES = \
	%D%/test_history.c \
	tests/sim/history.c tests/sim/history.h
