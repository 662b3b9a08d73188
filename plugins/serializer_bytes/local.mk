EXTRA_DIST += %D%/doc.md
serializer_bytes_sources = %D%/serializer_bytes.c

if BUILTIN_serializer_bytes
libklamm_la_SOURCES += $(serializer_bytes_sources)
endif

if SHARED_serializer_bytes
plugin_LTLIBRARIES += plugins/serializer_bytes.la
plugins_serializer_bytes_la_SOURCES = $(serializer_bytes_sources)
plugins_serializer_bytes_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_bytes_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
