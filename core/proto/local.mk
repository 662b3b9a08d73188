libklamm_la_SOURCES += \
	%D%/decode.c \
	%D%/encode.c \
	%D%/engine.h \
	%D%/frame.c %D%/frame.h \
	%D%/gen/api.h \
	%D%/gen/messages.c %D%/gen/messages.h \
	%D%/json.c \
	%D%/message.c %D%/msg.h \
	%D%/packet.c %D%/packet.h \
	%D%/random.c \
	%D%/tables.h \
	%D%/versions.c %D%/versions.h
