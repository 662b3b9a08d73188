EXTRA_DIST += %D%/doc.md
serializer_json_sources = %D%/serializer_json.c \
	%D%/json.h %D%/json_read.c %D%/json_write.c

if BUILTIN_serializer_json
libklamm_la_SOURCES += $(serializer_json_sources)
endif

if SHARED_serializer_json
plugin_LTLIBRARIES += plugins/serializer_json.la
plugins_serializer_json_la_SOURCES = $(serializer_json_sources)
plugins_serializer_json_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_serializer_json_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
endif
