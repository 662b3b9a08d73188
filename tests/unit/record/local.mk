check_PROGRAMS += %D%/test_record
TESTS += %D%/test_record
%C%_test_record_CFLAGS = $(UNIT_CFLAGS)
%C%_test_record_LDADD = $(UNIT_LIBS)
%C%_test_record_SOURCES = \
	%D%/record.c %D%/record.h \
	%D%/test_legacy.c \
	%D%/test_legacy_write.c \
	%D%/test_read.c \
	%D%/test_vectors.c \
	%D%/test_write.c
EXTRA_DIST += %D%/old.txt %D%/v2.txt
