EXTRA_DIST += %D%/doc.md
codec_lz4_sources = %D%/codec_lz4.c

if BUILTIN_codec_lz4
libklamm_la_SOURCES += $(codec_lz4_sources)
libklamm_la_LIBADD += $(LZ4_LIBS)
AM_CPPFLAGS += $(LZ4_CFLAGS)
endif

if SHARED_codec_lz4
plugin_LTLIBRARIES += plugins/codec_lz4.la
plugins_codec_lz4_la_SOURCES = $(codec_lz4_sources)
plugins_codec_lz4_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(LZ4_CFLAGS)
plugins_codec_lz4_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_codec_lz4_la_LIBADD = $(LZ4_LIBS)
endif
