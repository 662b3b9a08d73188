EXTRA_DIST += %D%/doc.md
partitioner_roundrobin_sources = %D%/partitioner_roundrobin.c

if BUILTIN_partitioner_roundrobin
libklamm_la_SOURCES += $(partitioner_roundrobin_sources)
endif

if SHARED_partitioner_roundrobin
plugin_LTLIBRARIES += plugins/partitioner_roundrobin.la
plugins_partitioner_roundrobin_la_SOURCES = $(partitioner_roundrobin_sources)
plugins_partitioner_roundrobin_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_partitioner_roundrobin_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
