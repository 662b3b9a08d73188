EXTRA_DIST += %D%/doc.md
assignor_roundrobin_sources = %D%/assignor_roundrobin.c

if BUILTIN_assignor_roundrobin
libklamm_la_SOURCES += $(assignor_roundrobin_sources)
endif

if SHARED_assignor_roundrobin
plugin_LTLIBRARIES += plugins/assignor_roundrobin.la
plugins_assignor_roundrobin_la_SOURCES = $(assignor_roundrobin_sources)
plugins_assignor_roundrobin_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_assignor_roundrobin_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
