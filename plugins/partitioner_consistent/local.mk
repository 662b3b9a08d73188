EXTRA_DIST += %D%/doc.md
partitioner_consistent_sources = %D%/partitioner_consistent.c

if BUILTIN_partitioner_consistent
libklamm_la_SOURCES += $(partitioner_consistent_sources)
libklamm_la_LIBADD += $(ZLIB_LIBS)
AM_CPPFLAGS += $(ZLIB_CFLAGS)
endif

if SHARED_partitioner_consistent
plugin_LTLIBRARIES += plugins/partitioner_consistent.la
plugins_partitioner_consistent_la_SOURCES = $(partitioner_consistent_sources)
plugins_partitioner_consistent_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(ZLIB_CFLAGS)
plugins_partitioner_consistent_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_partitioner_consistent_la_LIBADD = $(ZLIB_LIBS)
endif
