# TLS between clients and the dev broker, and with peers that mean harm.
check_PROGRAMS += %D%/test_tls
TESTS += %D%/test_tls
%C%_test_tls_CFLAGS = $(UNIT_CFLAGS)
%C%_test_tls_LDADD = libklamm-broker.la $(UNIT_LIBS) $(OPENSSL_LIBS)
%C%_test_tls_SOURCES = \
	tests/client/certs.c tests/client/certs.h \
	tests/client/script.c tests/client/script.h \
	tests/client/world.c tests/client/world.h \
	%D%/ask.c %D%/ask.h \
	%D%/test_hostile.c \
	%D%/test_options.c \
	%D%/test_proxy.c \
	%D%/test_records.c \
	%D%/test_stage.c
