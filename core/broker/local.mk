libklamm_la_SOURCES += \
	%D%/backoff.h \
	%D%/cluster.c %D%/cluster.h \
	%D%/node.c %D%/node.h \
	%D%/request.h \
	%D%/resolve.c %D%/resolve.h
