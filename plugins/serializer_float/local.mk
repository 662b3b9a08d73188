EXTRA_DIST += %D%/doc.md
serializer_float_sources = %D%/serializer_float.c

if BUILTIN_serializer_float
libklamm_la_SOURCES += $(serializer_float_sources)
endif

if SHARED_serializer_float
plugin_LTLIBRARIES += plugins/serializer_float.la
plugins_serializer_float_la_SOURCES = $(serializer_float_sources)
plugins_serializer_float_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_float_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
