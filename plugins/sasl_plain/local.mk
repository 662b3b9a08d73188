EXTRA_DIST += %D%/doc.md
sasl_plain_sources = %D%/sasl_plain.c

if BUILTIN_sasl_plain
libklamm_la_SOURCES += $(sasl_plain_sources)
endif

if SHARED_sasl_plain
plugin_LTLIBRARIES += plugins/sasl_plain.la
plugins_sasl_plain_la_SOURCES = $(sasl_plain_sources)
plugins_sasl_plain_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_sasl_plain_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
