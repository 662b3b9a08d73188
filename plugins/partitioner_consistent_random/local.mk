EXTRA_DIST += %D%/doc.md
partitioner_consistent_random_sources = %D%/partitioner_consistent_random.c

if BUILTIN_partitioner_consistent_random
libklamm_la_SOURCES += $(partitioner_consistent_random_sources)
libklamm_la_LIBADD += $(ZLIB_LIBS)
AM_CPPFLAGS += $(ZLIB_CFLAGS)
endif

if SHARED_partitioner_consistent_random
plugin_LTLIBRARIES += plugins/partitioner_consistent_random.la
plugins_partitioner_consistent_random_la_SOURCES = $(partitioner_consistent_random_sources)
plugins_partitioner_consistent_random_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(ZLIB_CFLAGS)
plugins_partitioner_consistent_random_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_partitioner_consistent_random_la_LIBADD = $(ZLIB_LIBS)
endif
