# Not built by `make`: make bench/record && bench/record
EXTRA_PROGRAMS += %D%/record
%C%_record_SOURCES = %D%/record.c
%C%_record_LDADD = libklamm.la
