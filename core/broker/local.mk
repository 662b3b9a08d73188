libklamm_la_SOURCES += \
	%D%/backoff.h \
	%D%/cluster.c %D%/cluster.h \
	%D%/node.c %D%/node.h %D%/node_int.h \
	%D%/node_connect.c %D%/node_old.c %D%/node_request.c \
	%D%/request.h \
	%D%/resolve.c %D%/resolve.h
