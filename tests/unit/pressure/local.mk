check_PROGRAMS += %D%/test_pressure
TESTS += %D%/test_pressure
%C%_test_pressure_CFLAGS = $(UNIT_CFLAGS)
%C%_test_pressure_LDADD = libklamm-broker.la $(UNIT_LIBS)
%C%_test_pressure_SOURCES = %D%/test_pressure.c
