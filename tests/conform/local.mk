# The conformance kit: on every plugin of this build, and on wrong ones.
check_PROGRAMS += %D%/test_conform
TESTS += %D%/test_conform
%C%_test_conform_CFLAGS = $(UNIT_CFLAGS)
%C%_test_conform_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSHIPPED='"$(klamm_shared_plugins) $(klamm_builtin_plugins)"' \
	-DUNIT_PLUGINS='"$(abs_top_builddir)/plugins/.libs"' \
	-DBROKEN='"$(abs_builddir)/%D%/broken"'
%C%_test_conform_LDADD = kit/libkit.la libklamm-broker.la $(UNIT_LIBS) $(OPENSSL_LIBS)
%C%_test_conform_SOURCES = \
	tests/client/certs.c tests/client/certs.h \
	%D%/test_canary.c \
	%D%/test_guest.c \
	%D%/test_ours.c \
	%D%/test_snapshots.c
EXTRA_DIST += %D%/broken/broken.c

if SHARED_MODULES
%C%_test_conform_SOURCES += %D%/test_broken.c

# As their authors would build them: with the public headers and no libtool.
BROKEN_PLUGINS = \
	%D%/broken/assignor_nobody.so \
	%D%/broken/assignor_outside.so \
	%D%/broken/assignor_twice.so \
	%D%/broken/codec_abi.so \
	%D%/broken/codec_bomb.so \
	%D%/broken/codec_chatty.so \
	%D%/broken/codec_crash.so \
	%D%/broken/codec_hang.so \
	%D%/broken/codec_head.so \
	%D%/broken/codec_leak.so \
	%D%/broken/codec_limit.so \
	%D%/broken/codec_member.so \
	%D%/broken/codec_overlap.so \
	%D%/broken/codec_second.so \
	%D%/broken/codec_swallow.so \
	%D%/broken/codec_trip.so \
	%D%/broken/codec_undefined.so \
	%D%/broken/metrics_keeps.so \
	%D%/broken/metrics_monotonic.so \
	%D%/broken/metrics_stride.so \
	%D%/broken/partitioner_range.so \
	%D%/broken/partitioner_unstable.so \
	%D%/broken/sasl_proof.so \
	%D%/broken/sasl_secret.so \
	%D%/broken/serializer_concurrent.so \
	%D%/broken/serializer_null.so
check_DATA += $(BROKEN_PLUGINS)
MOSTLYCLEANFILES += $(BROKEN_PLUGINS)
$(BROKEN_PLUGINS): %D%/broken/broken.c
	$(AM_V_CC)$(MKDIR_P) %D%/broken && umask 022 && \
	$(CC) -I$(top_srcdir)/include -std=gnu11 -Wall -Wextra -fPIC -fvisibility=hidden \
		$(SAN_CFLAGS) $(CFLAGS) -DCASE_`basename $@ .so | sed 's/[a-z]*_//'` \
		-shared -o $@ $(top_srcdir)/%D%/broken/broken.c
endif
