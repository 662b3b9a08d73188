libklamm_la_SOURCES += \
	%D%/conn.c %D%/conn.h %D%/conn_int.h \
	%D%/conn_proxy.c \
	%D%/conn_tls.c \
	%D%/hosted.c \
	%D%/hosted_store.c \
	%D%/jks.c \
	%D%/loop.c %D%/loop.h \
	%D%/pem.c \
	%D%/proxy.c %D%/proxy.h \
	%D%/task.h \
	%D%/tls.c %D%/tls.h %D%/tls_int.h \
	%D%/tls_explain.c \
	%D%/tls_session.c \
	%D%/tls_source.c %D%/tls_source.h \
	%D%/tls_store.c %D%/tls_store.h \
	%D%/tls_suites.c %D%/tls_suites.h \
	%D%/work.c %D%/work.h
