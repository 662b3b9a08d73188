check_PROGRAMS += %D%/test_conf
TESTS += %D%/test_conf
%C%_test_conf_CFLAGS = $(UNIT_CFLAGS)
%C%_test_conf_LDADD = $(UNIT_LIBS)
%C%_test_conf_SOURCES = \
	%D%/fixture.c %D%/fixture.h \
	%D%/test_conf.c \
	%D%/test_jaas.c \
	%D%/test_librdkafka.c \
	%D%/test_load.c \
	%D%/test_profile.c \
	%D%/test_properties.c \
	%D%/test_settings.c \
	%D%/test_table.c \
	%D%/test_token.c
EXTRA_DIST += %D%/kafka-keys.tsv %D%/librdkafka-keys.tsv
