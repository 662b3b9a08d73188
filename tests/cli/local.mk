CLI_TESTS = %D%/usage.test %D%/config.test
TESTS += $(CLI_TESTS)
EXTRA_DIST += $(CLI_TESTS) %D%/tap.sh
