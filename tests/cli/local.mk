CLI_TESTS = \
	%D%/aws.test \
	%D%/bench.test \
	%D%/broker.test \
	%D%/completion.test \
	%D%/config.test \
	%D%/copy.test \
	%D%/fault.test \
	%D%/forward_example.test \
	%D%/group.test \
	%D%/group_consume.test \
	%D%/group_example.test \
	%D%/manual.test \
	%D%/metrics.test \
	%D%/oauth.test \
	%D%/plugin.test \
	%D%/raised.test \
	%D%/records.test \
	%D%/removed.test \
	%D%/sasl.test \
	%D%/scram.test \
	%D%/tls.test \
	%D%/topic.test \
	%D%/transactions.test \
	%D%/usage.test \
	%D%/wire.test
TESTS += $(CLI_TESTS)
EXTRA_DIST += $(CLI_TESTS) %D%/memory.test %D%/tap.sh %D%/broker.sh %D%/token_server.py

# The command line as one file that finds its libraries without its environment.
check_PROGRAMS += %D%/raised
%C%_raised_SOURCES =
%C%_raised_LDFLAGS = $(AM_LDFLAGS) -no-install
%C%_raised_LDADD = $(cli_klamm_OBJECTS) $(cli_klamm_LDADD)
%C%_raised_DEPENDENCIES = $(cli_klamm_OBJECTS) $(cli_klamm_DEPENDENCIES)

# And one in which memory runs out; ThreadSanitizer has a malloc() of its own.
if !TSAN
TESTS += %D%/memory.test
check_PROGRAMS += %D%/starved
%C%_starved_SOURCES = %D%/starved.c tests/real_malloc.h
%C%_starved_LDFLAGS = $(AM_LDFLAGS) -no-install
%C%_starved_LDADD = $(cli_klamm_OBJECTS) $(cli_klamm_LDADD)
%C%_starved_DEPENDENCIES = $(cli_klamm_OBJECTS) $(cli_klamm_DEPENDENCIES)
endif
