EXTRA_DIST += %D%/doc.md
serializer_int32_sources = %D%/serializer_int32.c

if BUILTIN_serializer_int32
libklamm_la_SOURCES += $(serializer_int32_sources)
endif

if SHARED_serializer_int32
plugin_LTLIBRARIES += plugins/serializer_int32.la
plugins_serializer_int32_la_SOURCES = $(serializer_int32_sources)
plugins_serializer_int32_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_int32_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
