EXTRA_DIST += %D%/doc.md
sasl_aws_msk_iam_sources = %D%/sasl_aws_msk_iam.c \
	%D%/payload.c %D%/payload.h \
	%D%/verify.c %D%/verify.h

if BUILTIN_sasl_aws_msk_iam
libklamm_la_SOURCES += $(sasl_aws_msk_iam_sources)
endif

if SHARED_sasl_aws_msk_iam
plugin_LTLIBRARIES += plugins/sasl_aws_msk_iam.la
plugins_sasl_aws_msk_iam_la_SOURCES = $(sasl_aws_msk_iam_sources) $(aws_sources) $(http_sources)
plugins_sasl_aws_msk_iam_la_CFLAGS = $(CFLAGS_OF_PLUGINS) $(CURL_CFLAGS)
plugins_sasl_aws_msk_iam_la_LDFLAGS = $(LDFLAGS_OF_PLUGINS)
plugins_sasl_aws_msk_iam_la_LIBADD = $(HTTP_LIBS)
endif
