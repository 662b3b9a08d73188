EXTRA_DIST += %D%/doc.md
serializer_double_sources = %D%/serializer_double.c

if BUILTIN_serializer_double
libklamm_la_SOURCES += $(serializer_double_sources)
endif

if SHARED_serializer_double
plugin_LTLIBRARIES += plugins/serializer_double.la
plugins_serializer_double_la_SOURCES = $(serializer_double_sources)
plugins_serializer_double_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_double_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
