check_PROGRAMS += %D%/check
%C%_check_CFLAGS = $(AM_CFLAGS) $(JSONC_CFLAGS)
%C%_check_LDADD = libklamm.la $(JSONC_LIBS)
%C%_check_SOURCES = %D%/check.c
TESTS += %D%/recorded.test
EXTRA_DIST += \
	%D%/Oracle.java \
	%D%/pom.xml \
	%D%/recorded.test \
	%D%/recorded.txt \
	%D%/run
