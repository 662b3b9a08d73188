EXTRA_DIST += %D%/doc.md
partitioner_murmur2_sources = %D%/partitioner_murmur2.c

if BUILTIN_partitioner_murmur2
libklamm_la_SOURCES += $(partitioner_murmur2_sources)
endif

if SHARED_partitioner_murmur2
plugin_LTLIBRARIES += plugins/partitioner_murmur2.la
plugins_partitioner_murmur2_la_SOURCES = $(partitioner_murmur2_sources)
plugins_partitioner_murmur2_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_partitioner_murmur2_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
