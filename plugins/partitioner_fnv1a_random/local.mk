EXTRA_DIST += %D%/doc.md
partitioner_fnv1a_random_sources = %D%/partitioner_fnv1a_random.c

if BUILTIN_partitioner_fnv1a_random
libklamm_la_SOURCES += $(partitioner_fnv1a_random_sources)
endif

if SHARED_partitioner_fnv1a_random
plugin_LTLIBRARIES += plugins/partitioner_fnv1a_random.la
plugins_partitioner_fnv1a_random_la_SOURCES = $(partitioner_fnv1a_random_sources)
plugins_partitioner_fnv1a_random_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_partitioner_fnv1a_random_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
