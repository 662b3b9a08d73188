EXTRA_DIST += %D%/doc.md
partitioner_fnv1a_sources = %D%/partitioner_fnv1a.c

if BUILTIN_partitioner_fnv1a
libklamm_la_SOURCES += $(partitioner_fnv1a_sources)
endif

if SHARED_partitioner_fnv1a
plugin_LTLIBRARIES += plugins/partitioner_fnv1a.la
plugins_partitioner_fnv1a_la_SOURCES = $(partitioner_fnv1a_sources)
plugins_partitioner_fnv1a_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_partitioner_fnv1a_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
