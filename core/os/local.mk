libklamm_la_SOURCES += \
	%D%/os.c %D%/os.h \
	%D%/real.c
