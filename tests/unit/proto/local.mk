check_PROGRAMS += %D%/test_proto
TESTS += %D%/test_proto
%C%_test_proto_CFLAGS = $(UNIT_CFLAGS)
%C%_test_proto_LDADD = $(UNIT_LIBS)
%C%_test_proto_SOURCES = \
	%D%/test_damage.c \
	%D%/test_frame.c \
	%D%/test_json.c \
	%D%/test_message.c \
	%D%/test_rules.c \
	%D%/test_versions.c
EXTRA_DIST += %D%/frames.txt %D%/releases.txt
