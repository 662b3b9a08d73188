EXTRA_DIST += %D%/doc.md
serializer_uuid_sources = %D%/serializer_uuid.c

if BUILTIN_serializer_uuid
libklamm_la_SOURCES += $(serializer_uuid_sources)
endif

if SHARED_serializer_uuid
plugin_LTLIBRARIES += plugins/serializer_uuid.la
plugins_serializer_uuid_la_SOURCES = $(serializer_uuid_sources)
plugins_serializer_uuid_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_uuid_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
