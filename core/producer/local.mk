libklamm_la_SOURCES += \
	%D%/answer.c \
	%D%/batch.c \
	%D%/convert.c %D%/convert.h \
	%D%/drain.c \
	%D%/figures.c %D%/figures.h \
	%D%/identity.c %D%/identity.h \
	%D%/linger.c \
	%D%/memory.c \
	%D%/outcome.c %D%/outcome.h \
	%D%/partition.h \
	%D%/produce.c \
	%D%/producer.c %D%/producer.h \
	%D%/send.c \
	%D%/sender.c %D%/sender.h \
	%D%/sequence.c %D%/sequence.h \
	%D%/serialize.c %D%/serialize.h \
	%D%/split.c %D%/split.h \
	%D%/sticky.c \
	%D%/topic.c \
	%D%/txn.c %D%/txn.h \
	%D%/txn_call.c \
	%D%/txn_offsets.c \
	%D%/txn_request.c \
	%D%/unread.c
