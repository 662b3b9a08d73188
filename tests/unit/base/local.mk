check_PROGRAMS += %D%/test_base
TESTS += %D%/test_base
%C%_test_base_CFLAGS = $(UNIT_CFLAGS)
%C%_test_base_LDADD = $(UNIT_LIBS)
%C%_test_base_SOURCES = \
	%D%/test_arena.c \
	%D%/test_buf.c \
	%D%/test_crc32.c \
	%D%/test_crc32c.c \
	%D%/test_endian.c \
	%D%/test_error.c \
	%D%/test_errtab.c \
	%D%/test_heap.c \
	%D%/test_list.c \
	%D%/test_option.c \
	%D%/test_sink.c \
	%D%/test_slab.c \
	%D%/test_text.c
EXTRA_DIST += %D%/varints.txt
