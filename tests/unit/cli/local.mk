check_PROGRAMS += %D%/test_cli
TESTS += %D%/test_cli
%C%_test_cli_CFLAGS = $(UNIT_CFLAGS) $(JSONC_CFLAGS)
%C%_test_cli_LDADD = $(UNIT_LIBS) $(JSONC_LIBS)
%C%_test_cli_SOURCES = \
	%D%/test_bench.c \
	%D%/test_lines.c \
	%D%/test_place.c \
	%D%/test_records.c \
	%D%/test_table.c \
	%D%/test_value.c \
	%D%/test_wire.c \
	cli/bench.c cli/format.c cli/io.c cli/place.c \
	cli/reader.c cli/table.c cli/tell.c cli/value.c cli/wire.c cli/words.c
