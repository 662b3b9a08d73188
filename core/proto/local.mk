libklamm_la_SOURCES += \
	%D%/gen/api.h \
	%D%/gen/messages.c %D%/gen/messages.h \
	%D%/message.c %D%/msg.h \
	%D%/tables.h
