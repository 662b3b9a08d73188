libklamm_la_SOURCES += \
	%D%/batch.h \
	%D%/batch_read.c %D%/batch_read.h \
	%D%/batch_write.c %D%/batch_write.h \
	%D%/legacy_lz4.c %D%/legacy_lz4.h \
	%D%/legacy_read.c %D%/legacy_read.h \
	%D%/legacy_write.c %D%/legacy_write.h \
	%D%/record_iter.c %D%/record_iter.h
