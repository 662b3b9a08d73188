EXTRA_DIST += %D%/doc.md
assignor_sticky_sources = %D%/assignor_sticky.c

if BUILTIN_assignor_sticky
libklamm_la_SOURCES += $(assignor_sticky_sources)
endif

if SHARED_assignor_sticky
plugin_LTLIBRARIES += plugins/assignor_sticky.la
plugins_assignor_sticky_la_SOURCES = $(assignor_sticky_sources)
plugins_assignor_sticky_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_assignor_sticky_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
