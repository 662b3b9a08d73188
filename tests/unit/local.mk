# One program per folder of core/. A new test file is one line in its folder's local.mk.
check_LTLIBRARIES += %D%/libunit.la
%C%_libunit_la_SOURCES = %D%/unit.c %D%/unit.h
%C%_libunit_la_CFLAGS = $(UNIT_CFLAGS)
%C%_libunit_la_CPPFLAGS = $(AM_CPPFLAGS) -DUNIT_SRCDIR='"$(abs_top_srcdir)"' \
	-DUNIT_PLUGINS='"$(abs_top_builddir)/plugins/.libs"' \
	-DUNIT_LOCALES='"$(abs_builddir)/%D%/locale"'
%C%_libunit_la_LIBADD = libklamm.la $(CHECK_LIBS)

# A locale with a decimal comma: see unit_decimal_comma(). A system without the sources of
# locales has none for the tests, if it is not installed.
LOCALES = %D%/locale/de_DE.UTF-8
check_DATA += $(LOCALES)
$(LOCALES):
	$(AM_V_GEN)$(MKDIR_P) $(@D) && { localedef -i de_DE -f UTF-8 $@ >/dev/null 2>&1 || :; }
mostlyclean-local:
	rm -rf %D%/locale

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
