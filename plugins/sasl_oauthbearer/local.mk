EXTRA_DIST += %D%/doc.md
sasl_oauthbearer_sources = \
	%D%/accept.c %D%/accept.h \
	%D%/assertion.c \
	%D%/azure.c \
	%D%/check.c %D%/check.h \
	%D%/file.c \
	%D%/json.c %D%/json.h \
	%D%/jwt.c %D%/jwt.h \
	%D%/keep.c \
	%D%/keys.c %D%/keys.h \
	%D%/message.c \
	%D%/msk.c \
	%D%/msk_check.c \
	%D%/oauth.h \
	%D%/oidc.c \
	%D%/options.c \
	%D%/reach.c %D%/reach.h \
	%D%/sasl_oauthbearer.c \
	%D%/token.c

if BUILTIN_sasl_oauthbearer
libklamm_la_SOURCES += $(sasl_oauthbearer_sources)
libklamm_la_LIBADD += $(JSONC_LIBS)
AM_CPPFLAGS += $(JSONC_CFLAGS)
endif

if SHARED_sasl_oauthbearer
plugin_LTLIBRARIES += plugins/sasl_oauthbearer.la
plugins_sasl_oauthbearer_la_SOURCES = $(sasl_oauthbearer_sources) $(aws_sources) $(http_sources)
plugins_sasl_oauthbearer_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(CURL_CFLAGS) $(JSONC_CFLAGS)
plugins_sasl_oauthbearer_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_sasl_oauthbearer_la_LIBADD = $(HTTP_LIBS) $(JSONC_LIBS)
endif
