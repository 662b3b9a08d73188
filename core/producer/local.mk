libklamm_la_SOURCES += \
	%D%/batch.c \
	%D%/linger.c \
	%D%/memory.c \
	%D%/outcome.c %D%/outcome.h \
	%D%/partition.h \
	%D%/producer.c %D%/producer.h \
	%D%/send.c \
	%D%/sender.c \
	%D%/serialize.c %D%/serialize.h \
	%D%/topic.c
