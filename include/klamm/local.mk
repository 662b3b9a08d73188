pkginclude_HEADERS += \
	%D%/admin.h \
	%D%/assignor.h \
	%D%/broker.h \
	%D%/codec.h \
	%D%/conf.h \
	%D%/consumer.h \
	%D%/errcodes.h \
	%D%/error.h \
	%D%/host.h \
	%D%/klamm.h \
	%D%/loop.h \
	%D%/metrics.h \
	%D%/partitioner.h \
	%D%/plugin.h \
	%D%/producer.h \
	%D%/sasl.h \
	%D%/serializer.h \
	%D%/tls.h \
	%D%/types.h \
	%D%/version.h
