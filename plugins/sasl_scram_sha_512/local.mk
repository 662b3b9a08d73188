EXTRA_DIST += %D%/doc.md
sasl_scram_sha_512_sources = %D%/sasl_scram_sha_512.c

if BUILTIN_sasl_scram_sha_512
libklamm_la_SOURCES += $(sasl_scram_sha_512_sources)
libklamm_la_LIBADD += $(IDN_LIBS)
AM_CPPFLAGS += $(IDN_CFLAGS)
endif

if SHARED_sasl_scram_sha_512
plugin_LTLIBRARIES += plugins/sasl_scram_sha_512.la
plugins_sasl_scram_sha_512_la_SOURCES = $(sasl_scram_sha_512_sources)
plugins_sasl_scram_sha_512_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(IDN_CFLAGS)
plugins_sasl_scram_sha_512_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_sasl_scram_sha_512_la_LIBADD = $(CRYPTO_LIBS) $(IDN_LIBS)
endif
