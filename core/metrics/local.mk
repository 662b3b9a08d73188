libklamm_la_SOURCES += \
	%D%/meter.c %D%/meter.h \
	%D%/metrics.c %D%/metrics.h \
	%D%/net.c \
	%D%/reporters.c %D%/reporters.h \
	%D%/snapshot.c %D%/snapshot.h
