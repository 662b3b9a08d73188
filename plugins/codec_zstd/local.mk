EXTRA_DIST += %D%/doc.md
codec_zstd_sources = %D%/codec_zstd.c

if BUILTIN_codec_zstd
libklamm_la_SOURCES += $(codec_zstd_sources)
libklamm_la_LIBADD += $(ZSTD_LIBS)
AM_CPPFLAGS += $(ZSTD_CFLAGS)
endif

if SHARED_codec_zstd
plugin_LTLIBRARIES += plugins/codec_zstd.la
plugins_codec_zstd_la_SOURCES = $(codec_zstd_sources)
plugins_codec_zstd_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(ZSTD_CFLAGS)
plugins_codec_zstd_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_codec_zstd_la_LIBADD = $(ZSTD_LIBS)
endif
