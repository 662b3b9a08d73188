EXTRA_DIST += %D%/doc.md
codec_snappy_sources = %D%/codec_snappy.c %D%/pack.c %D%/pack.h

if BUILTIN_codec_snappy
libklamm_la_SOURCES += $(codec_snappy_sources)
libklamm_la_LIBADD += $(SNAPPY_LIBS)
endif

if SHARED_codec_snappy
plugin_LTLIBRARIES += plugins/codec_snappy.la
plugins_codec_snappy_la_SOURCES = $(codec_snappy_sources)
plugins_codec_snappy_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_codec_snappy_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_codec_snappy_la_LIBADD = $(SNAPPY_LIBS)
endif
