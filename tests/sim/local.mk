# Scenarios of the simulation: many seeds, each in a process of its own.
check_PROGRAMS += %D%/sim
%C%_sim_SOURCES = \
	%D%/crash.c \
	%D%/frames.c \
	%D%/history.c %D%/history.h \
	%D%/main.c \
	%D%/scenario.c %D%/scenario.h
%C%_sim_LDADD = core/os/libsim.la libklamm-broker.la libklamm.la
TESTS += %D%/sim
