EXTRA_DIST += %D%/doc.md
sasl_scram_sha_256_sources = %D%/sasl_scram_sha_256.c

if BUILTIN_sasl_scram_sha_256
libklamm_la_SOURCES += $(sasl_scram_sha_256_sources)
libklamm_la_LIBADD += $(IDN_LIBS)
AM_CPPFLAGS += $(IDN_CFLAGS)
endif

if SHARED_sasl_scram_sha_256
plugin_LTLIBRARIES += plugins/sasl_scram_sha_256.la
plugins_sasl_scram_sha_256_la_SOURCES = $(sasl_scram_sha_256_sources)
plugins_sasl_scram_sha_256_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(IDN_CFLAGS)
plugins_sasl_scram_sha_256_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_sasl_scram_sha_256_la_LIBADD = $(CRYPTO_LIBS) $(IDN_LIBS)
endif
