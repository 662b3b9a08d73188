CLI_TESTS = \
	%D%/aws.test \
	%D%/bench.test \
	%D%/broker.test \
	%D%/completion.test \
	%D%/config.test \
	%D%/copy.test \
	%D%/fault.test \
	%D%/group.test \
	%D%/group_consume.test \
	%D%/group_example.test \
	%D%/manual.test \
	%D%/metrics.test \
	%D%/plugin.test \
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
EXTRA_DIST += $(CLI_TESTS) %D%/tap.sh %D%/broker.sh
