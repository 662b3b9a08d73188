libklamm_la_SOURCES += \
	%D%/conf.h \
	%D%/settings.h
