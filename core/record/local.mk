libklamm_la_SOURCES += \
	%D%/batch.h \
	%D%/batch_read.c %D%/batch_read.h \
	%D%/batch_write.c %D%/batch_write.h
