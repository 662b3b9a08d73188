libklamm_la_SOURCES += \
	%D%/loop.c %D%/loop.h \
	%D%/task.h \
	%D%/work.c %D%/work.h
