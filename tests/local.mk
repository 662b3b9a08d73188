# What every test sees: the plugins of this build, its folders, its compiler.
AM_TESTS_ENVIRONMENT = \
	KLAMM_PLUGIN_PATH='$(abs_top_builddir)/plugins/.libs'; export KLAMM_PLUGIN_PATH; \
	abs_top_srcdir='$(abs_top_srcdir)'; export abs_top_srcdir; \
	abs_top_builddir='$(abs_top_builddir)'; export abs_top_builddir; \
	CC='$(CC)'; export CC;
if SANITIZED
# A sanitizer's run-time looks functions up at their first call: see AM_LDFLAGS.
AM_TESTS_ENVIRONMENT += LD_BIND_NOW=1; export LD_BIND_NOW;
endif

# Everything speaks TAP: the Check programs and the scripts (*.test).
TEST_EXTENSIONS = .test
LOG_DRIVER = env AM_TAP_AWK='$(AWK)' $(SHELL) $(top_srcdir)/build-aux/tap-driver.sh
TEST_LOG_DRIVER = $(LOG_DRIVER)

include tests/lint/local.mk
include tests/kafka/local.mk
include tests/interop/local.mk

if HAVE_CHECK
include tests/unit/local.mk
include tests/broker/local.mk
include tests/conform/local.mk
endif

include tests/sim/local.mk
include tests/cli/local.mk
include tests/outside/local.mk
include tests/embed/local.mk
include tests/fuzz/local.mk
