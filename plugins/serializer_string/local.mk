EXTRA_DIST += %D%/doc.md
serializer_string_sources = %D%/serializer_string.c

if BUILTIN_serializer_string
libklamm_la_SOURCES += $(serializer_string_sources)
endif

if SHARED_serializer_string
plugin_LTLIBRARIES += plugins/serializer_string.la
plugins_serializer_string_la_SOURCES = $(serializer_string_sources)
plugins_serializer_string_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_string_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
