# Programs over the public interface alone; scripts/demo runs the first. They are installed as
# documentation, and tests/embed/installed compiles them there.
noinst_PROGRAMS += examples/copy examples/forward examples/group examples/roundtrip
examples_copy_SOURCES = %D%/copy.c
examples_copy_LDADD = libklamm.la
examples_forward_SOURCES = %D%/forward.c
examples_forward_LDADD = libklamm.la
examples_group_SOURCES = %D%/group.c
examples_group_LDADD = libklamm.la
examples_roundtrip_SOURCES = %D%/roundtrip.c
examples_roundtrip_LDADD = libklamm.la

exampledir = $(docdir)/examples
dist_example_DATA = \
	%D%/copy.c \
	%D%/forward.c \
	%D%/group.c \
	%D%/test_with_broker.c \
	%D%/test_with_broker.py \
	docs/plugin-example/partitioner_region.c
