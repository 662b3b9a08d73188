# Meters by Kafka's rules, reporters in virtual time, and what clients count.
check_PROGRAMS += %D%/test_metrics
TESTS += %D%/test_metrics
%C%_test_metrics_CFLAGS = $(UNIT_CFLAGS) $(JSONC_CFLAGS)
%C%_test_metrics_LDADD = libklamm-broker.la core/os/libsim.la kit/libkit.la $(UNIT_LIBS) \
	$(OPENSSL_LIBS) $(JSONC_LIBS)
%C%_test_metrics_SOURCES = \
	tests/client/script.c tests/client/script.h \
	tests/client/world.c tests/client/world.h \
	%D%/reporter.c %D%/reporter.h \
	%D%/test_clients.c \
	%D%/test_jsonl.c \
	%D%/test_meter.c \
	%D%/test_options.c \
	%D%/test_reporters.c
