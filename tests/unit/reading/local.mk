# What a consumer makes of the bytes that brokers keep.
check_PROGRAMS += %D%/test_reading
TESTS += %D%/test_reading
%C%_test_reading_CFLAGS = $(UNIT_CFLAGS)
%C%_test_reading_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSHIPPED='"$(klamm_shared_plugins) $(klamm_builtin_plugins)"'
%C%_test_reading_LDADD = $(UNIT_LIBS)
%C%_test_reading_SOURCES = \
	tests/client/script.c tests/client/script.h \
	tests/unit/record/record.c tests/unit/record/record.h \
	%D%/reading.c %D%/reading.h \
	%D%/test_committed.c \
	%D%/test_old.c
EXTRA_DIST += %D%/old-brokers.txt
