# Plugins made outside of the tree.
OUTSIDE_TESTS = %D%/outside.test
if SHARED_MODULES
TESTS += $(OUTSIDE_TESTS)
endif
EXTRA_DIST += $(OUTSIDE_TESTS) \
	%D%/assignor_weighted.c \
	%D%/codec_ultra.c \
	%D%/compile.sh \
	%D%/outside.conf \
	%D%/partitioner_firstbyte.c
