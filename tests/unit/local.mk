# One program per folder of core/. A new test file is one line in its folder's local.mk.
check_LTLIBRARIES += %D%/libunit.la
%C%_libunit_la_SOURCES = %D%/unit.c %D%/unit.h
%C%_libunit_la_CFLAGS = $(UNIT_CFLAGS)
%C%_libunit_la_CPPFLAGS = $(AM_CPPFLAGS) -DUNIT_SRCDIR='"$(abs_top_srcdir)"' \
	-DUNIT_PLUGINS='"$(abs_top_builddir)/plugins/.libs"'
%C%_libunit_la_LIBADD = libklamm.la $(CHECK_LIBS)

UNIT_CFLAGS = $(AM_CFLAGS) $(CHECK_CFLAGS)
UNIT_LIBS = tests/unit/libunit.la libklamm.la $(CHECK_LIBS)

include tests/unit/admin/local.mk
include tests/unit/aws/local.mk
include tests/unit/base/local.mk
include tests/unit/broker/local.mk
include tests/unit/net/local.mk
include tests/unit/cli/local.mk
include tests/unit/conf/local.mk
include tests/unit/consumer/local.mk
include tests/unit/metrics/local.mk
include tests/unit/os/local.mk
include tests/unit/plugins/local.mk
include tests/unit/pressure/local.mk
include tests/unit/producer/local.mk
include tests/unit/proto/local.mk
include tests/unit/reading/local.mk
include tests/unit/record/local.mk
include tests/unit/sim/local.mk
include tests/unit/tls/local.mk
