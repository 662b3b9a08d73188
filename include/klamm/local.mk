pkginclude_HEADERS += \
	%D%/conf.h \
	%D%/consumer.h \
	%D%/errcodes.h \
	%D%/error.h \
	%D%/klamm.h \
	%D%/loop.h \
	%D%/producer.h \
	%D%/types.h
