libklamm_la_SOURCES += \
	%D%/admin.c %D%/admin.h \
	%D%/describe.c \
	%D%/topics.c
