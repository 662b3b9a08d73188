# The broker inside of other programs: the examples, from this tree and installed.
check_PROGRAMS += examples/test_with_broker
TESTS += examples/test_with_broker
examples_test_with_broker_SOURCES = examples/test_with_broker.c
examples_test_with_broker_LDADD = libklamm-broker.la libklamm.la
EXTRA_DIST += %D%/installed %D%/python.test

# A sanitizer's run-time would have to be in Python before the library.
if !SANITIZED
if HAVE_PYTHON
if SHARED_MODULES
TESTS += %D%/python.test
endif
endif
endif

installcheck-local:
	CC='$(CC)' DESTDIR='$(DESTDIR)' bindir='$(bindir)' libdir='$(libdir)' \
		docdir='$(docdir)' $(abs_top_srcdir)/%D%/installed
