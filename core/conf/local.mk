libklamm_la_SOURCES += \
	%D%/aliases.c \
	%D%/check.c \
	%D%/conf.c %D%/conf.h \
	%D%/dump.c \
	%D%/endpoint.c \
	%D%/expand.c \
	%D%/explain.c \
	%D%/issues.c \
	%D%/jaas.c %D%/jaas.h \
	%D%/lint.c \
	%D%/load.c \
	%D%/object.h \
	%D%/profile.c \
	%D%/properties.c %D%/properties.h \
	%D%/proxy_url.c %D%/proxy_url.h \
	%D%/release.c \
	%D%/reset.c \
	%D%/role_plugin.c %D%/role_plugin.h \
	%D%/rows_common.c \
	%D%/rows_consumer.c \
	%D%/rows_klamm.c \
	%D%/rows_librdkafka.c \
	%D%/rows_aws.c \
	%D%/rows_oauth.c \
	%D%/rows_others.c \
	%D%/rows_producer.c \
	%D%/rows_sasl.c \
	%D%/rows_tls.c \
	%D%/sample.c \
	%D%/set.c \
	%D%/ssl_ctx.c \
	%D%/settings.c %D%/settings.h \
	%D%/suggest.c \
	%D%/table.c %D%/table.h \
	%D%/token.c \
	%D%/value.c
