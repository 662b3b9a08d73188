# The conformance kit: in the command line, for everybody, and in the tests, for our own.
noinst_LTLIBRARIES += %D%/libkit.la
%C%_libkit_la_SOURCES = \
	%D%/kit.h %D%/inside.h \
	%D%/assignor.c \
	%D%/checks.c \
	%D%/codec.c \
	%D%/common.c \
	%D%/elf.c \
	%D%/memory.c \
	%D%/metrics.c \
	%D%/partitioner.c \
	%D%/run.c \
	%D%/sasl.c \
	%D%/sasl_peer.c %D%/sasl_peer.h \
	%D%/serializer.c
