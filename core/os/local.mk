libklamm_la_SOURCES += \
	%D%/module.c %D%/module.h \
	%D%/os.c %D%/os.h \
	%D%/real.c
