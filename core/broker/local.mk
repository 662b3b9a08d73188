libklamm_la_SOURCES += \
	%D%/auth.c %D%/auth.h \
	%D%/backoff.h \
	%D%/cluster.c %D%/cluster.h %D%/cluster_int.h \
	%D%/cluster_ask.c %D%/cluster_brokers.c %D%/cluster_topics.c \
	%D%/coordinator.c %D%/coordinator.h \
	%D%/node.c %D%/node.h %D%/node_int.h \
	%D%/node_connect.c %D%/node_old.c %D%/node_request.c \
	%D%/reach.c %D%/reach.h \
	%D%/replicas.c %D%/replicas.h \
	%D%/request.h \
	%D%/resolve.c %D%/resolve.h \
	%D%/sasl_session.c %D%/sasl_session.h \
	%D%/topic_list.c %D%/topic_list.h
