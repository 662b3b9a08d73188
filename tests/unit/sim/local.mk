check_PROGRAMS += %D%/test_sim
TESTS += %D%/test_sim
%C%_test_sim_CFLAGS = $(UNIT_CFLAGS)
%C%_test_sim_LDADD = $(UNIT_LIBS)
%C%_test_sim_SOURCES = \
	%D%/test_copies.c \
	%D%/test_history.c \
	%D%/test_owners.c \
	%D%/test_txns.c \
	tests/sim/copies.c tests/sim/copies.h \
	tests/sim/history.c tests/sim/history.h \
	tests/sim/owners.c tests/sim/owners.h \
	tests/sim/txns.c tests/sim/txns.h
