libklamm_la_SOURCES += \
	%D%/arena.c %D%/arena.h \
	%D%/base.h \
	%D%/bug.h \
	%D%/buf.c %D%/buf.h \
	%D%/crc32.c %D%/crc32.h \
	%D%/crc32c.c %D%/crc32c.h \
	%D%/crc_slice.h \
	%D%/endian.h \
	%D%/error.c %D%/error.h \
	%D%/errtab.c %D%/errtab.h \
	%D%/gen/errtab.c \
	%D%/heap.c %D%/heap.h \
	%D%/list.h \
	%D%/log.h \
	%D%/option.c %D%/option.h \
	%D%/option_range.c \
	%D%/order.c %D%/order.h \
	%D%/sink.c %D%/sink.h \
	%D%/slab.c %D%/slab.h \
	%D%/text.c %D%/text.h \
	%D%/value.c %D%/value.h \
	%D%/wide.h
