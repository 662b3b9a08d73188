EXTRA_DIST += %D%/doc.md
assignor_range_sources = %D%/assignor_range.c

if BUILTIN_assignor_range
libklamm_la_SOURCES += $(assignor_range_sources)
endif

if SHARED_assignor_range
plugin_LTLIBRARIES += plugins/assignor_range.la
plugins_assignor_range_la_SOURCES = $(assignor_range_sources)
plugins_assignor_range_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_assignor_range_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
