# Programs over the public interface alone; scripts/demo runs the first.
noinst_PROGRAMS += examples/roundtrip examples/copy examples/group
examples_roundtrip_SOURCES = %D%/roundtrip.c
examples_roundtrip_LDADD = libklamm.la
examples_copy_SOURCES = %D%/copy.c
examples_copy_LDADD = libklamm.la
examples_group_SOURCES = %D%/group.c
examples_group_LDADD = libklamm.la
