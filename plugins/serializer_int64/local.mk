EXTRA_DIST += %D%/doc.md
serializer_int64_sources = %D%/serializer_int64.c

if BUILTIN_serializer_int64
libklamm_la_SOURCES += $(serializer_int64_sources)
endif

if SHARED_serializer_int64
plugin_LTLIBRARIES += plugins/serializer_int64.la
plugins_serializer_int64_la_SOURCES = $(serializer_int64_sources)
plugins_serializer_int64_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_int64_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
