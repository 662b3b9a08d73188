CLI_TESTS = \
	%D%/broker.test \
	%D%/config.test \
	%D%/records.test \
	%D%/topic.test \
	%D%/usage.test
TESTS += $(CLI_TESTS)
EXTRA_DIST += $(CLI_TESTS) %D%/tap.sh %D%/broker.sh
