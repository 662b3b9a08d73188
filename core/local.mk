lib_LTLIBRARIES += libklamm.la
libklamm_la_SOURCES =
libklamm_la_LIBADD = $(OPENSSL_LIBS) $(PCRE2_LIBS)
# nodelete: a name look-up may run on after the last client was closed.
libklamm_la_LDFLAGS = $(AM_LDFLAGS) -version-info 0:0:0 -no-undefined \
	-Wl,--exclude-libs,ALL -Wl,-Bsymbolic -Wl,-z,nodelete \
	-Wl,--version-script=%D%/klamm.map
libklamm_la_DEPENDENCIES = %D%/klamm.map

include core/os/local.mk
include core/base/local.mk
include core/conf/local.mk
include core/proto/local.mk
include core/record/local.mk
include core/net/local.mk
include core/metrics/local.mk
include core/broker/local.mk
include core/producer/local.mk
include core/consumer/local.mk
include core/admin/local.mk

libklamm_la_SOURCES += \
	%D%/host.c %D%/host.h \
	%D%/plugin.c %D%/plugin.h \
	%D%/plugin_check.c \
	%D%/plugin_open.c \
	%D%/version.c
