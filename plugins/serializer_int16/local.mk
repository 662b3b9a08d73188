EXTRA_DIST += %D%/doc.md
serializer_int16_sources = %D%/serializer_int16.c

if BUILTIN_serializer_int16
libklamm_la_SOURCES += $(serializer_int16_sources)
endif

if SHARED_serializer_int16
plugin_LTLIBRARIES += plugins/serializer_int16.la
plugins_serializer_int16_la_SOURCES = $(serializer_int16_sources)
plugins_serializer_int16_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_int16_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
