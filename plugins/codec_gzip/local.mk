EXTRA_DIST += %D%/doc.md
codec_gzip_sources = %D%/codec_gzip.c

if BUILTIN_codec_gzip
libklamm_la_SOURCES += $(codec_gzip_sources)
libklamm_la_LIBADD += $(ZLIB_LIBS)
AM_CPPFLAGS += $(ZLIB_CFLAGS)
endif

if SHARED_codec_gzip
plugin_LTLIBRARIES += plugins/codec_gzip.la
plugins_codec_gzip_la_SOURCES = $(codec_gzip_sources)
plugins_codec_gzip_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(ZLIB_CFLAGS)
plugins_codec_gzip_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_codec_gzip_la_LIBADD = $(ZLIB_LIBS)
endif
