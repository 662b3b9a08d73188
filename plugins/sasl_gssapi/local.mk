EXTRA_DIST += %D%/doc.md
sasl_gssapi_sources = \
	%D%/client.c \
	%D%/errand.c %D%/errand.h \
	%D%/layer.c %D%/layer.h \
	%D%/login.c %D%/login.h \
	%D%/principal.c %D%/principal.h \
	%D%/ready.c \
	%D%/sasl_gssapi.c \
	%D%/server.c \
	%D%/session.h \
	%D%/short_name.c %D%/short_name.h \
	%D%/tickets.c %D%/tickets.h \
	%D%/words.c %D%/words.h

if BUILTIN_sasl_gssapi
libklamm_la_SOURCES += $(sasl_gssapi_sources)
AM_CPPFLAGS += $(KRB5_CFLAGS)
libklamm_la_LIBADD += $(KRB5_LIBS)
endif

if SHARED_sasl_gssapi
plugin_LTLIBRARIES += plugins/sasl_gssapi.la
plugins_sasl_gssapi_la_SOURCES = $(sasl_gssapi_sources)
plugins_sasl_gssapi_la_CPPFLAGS = $(AM_CPPFLAGS) $(KRB5_CFLAGS)
plugins_sasl_gssapi_la_CFLAGS = $(CFLAGS_OF_PLUGINS)
plugins_sasl_gssapi_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_sasl_gssapi_la_LIBADD = $(KRB5_LIBS) $(PCRE2_LIBS)
endif
