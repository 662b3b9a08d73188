libklamm_la_SOURCES += \
	%D%/batch.c \
	%D%/consumer.c %D%/consumer.h \
	%D%/decode.c \
	%D%/fetcher.c \
	%D%/offsets.c \
	%D%/results.c \
	%D%/subscription.c \
	%D%/value.c
