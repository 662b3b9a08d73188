libklamm_la_SOURCES += \
	%D%/conn.c %D%/conn.h \
	%D%/hosted.c \
	%D%/loop.c %D%/loop.h \
	%D%/task.h \
	%D%/work.c %D%/work.h
