check_PROGRAMS += %D%/test_plugins
TESTS += %D%/test_plugins
EXTRA_DIST += %D%/assignors.txt
%C%_test_plugins_CFLAGS = $(UNIT_CFLAGS) $(IDN_CFLAGS)
%C%_test_plugins_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSHIPPED='"$(klamm_shared_plugins) $(klamm_builtin_plugins)"' \
	-DBROKEN='"$(abs_builddir)/%D%/broken/.libs"' \
	-DEXAMPLE='"$(abs_builddir)/%D%/example/.libs"'
%C%_test_plugins_LDADD = $(UNIT_LIBS) $(OPENSSL_LIBS) $(IDN_LIBS)
%C%_test_plugins_SOURCES = \
	%D%/loaded.c %D%/loaded.h \
	%D%/test_assignor_cases.c \
	%D%/test_assignors.c \
	%D%/test_codecs.c \
	%D%/test_host.c \
	%D%/test_partitioners.c \
	%D%/test_sasl_plain.c \
	%D%/test_sasl_scram.c \
	%D%/test_serializers.c

if HAVE_KRB5
%C%_test_plugins_SOURCES += %D%/test_sasl_gssapi.c \
	plugins/sasl_gssapi/layer.c plugins/sasl_gssapi/layer.h \
	plugins/sasl_gssapi/short_name.c plugins/sasl_gssapi/short_name.h
%C%_test_plugins_CFLAGS += $(KRB5_CFLAGS)
%C%_test_plugins_LDADD += $(KRB5_LIBS) $(PCRE2_LIBS)
endif

if SHARED_MODULES
%C%_test_plugins_SOURCES += %D%/test_loader.c

# Modules that the loader must refuse, each for a reason of its own; newer is sound. -rpath
# makes libtool build a shared object of something that is never installed.
BROKEN_CFLAGS = $(CFLAGS_OF_PLUGINS)
BROKEN_LDFLAGS = -module -avoid-version -shared -rpath /nowhere $(AM_LDFLAGS)
check_LTLIBRARIES += \
	%D%/example/partitioner_region.la \
	%D%/broken/codec_kind.la \
	%D%/broken/codec_abi.la \
	%D%/broken/codec_copied.la \
	%D%/broken/codec_head.la \
	%D%/broken/codec_member.la \
	%D%/broken/codec_shorter.la \
	%D%/broken/codec_nameless.la \
	%D%/broken/codec_called.la \
	%D%/broken/codec_undefined.la \
	%D%/broken/codec_symbol.la \
	%D%/broken/codec_rows.la \
	%D%/broken/codec_outside.la \
	%D%/broken/codec_newer.la
# The manual's example sees the installed headers only.
%C%_example_partitioner_region_la_SOURCES = docs/plugin-example/partitioner_region.c
%C%_example_partitioner_region_la_CPPFLAGS = -I$(top_srcdir)/include
%C%_example_partitioner_region_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_example_partitioner_region_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_kind_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_kind_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_kind
%C%_broken_codec_kind_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_kind_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_abi_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_abi_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_abi
%C%_broken_codec_abi_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_abi_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_copied_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_copied_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_copied
%C%_broken_codec_copied_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_copied_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_head_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_head_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_head
%C%_broken_codec_head_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_head_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_member_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_member_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_member
%C%_broken_codec_member_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_member_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_shorter_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_shorter_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_shorter
%C%_broken_codec_shorter_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_shorter_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_nameless_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_nameless_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_nameless
%C%_broken_codec_nameless_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_nameless_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_called_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_called_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_called
%C%_broken_codec_called_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_called_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_undefined_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_undefined_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_undefined
%C%_broken_codec_undefined_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_undefined_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_symbol_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_symbol_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_symbol
%C%_broken_codec_symbol_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_symbol_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_rows_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_rows_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_rows
%C%_broken_codec_rows_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_rows_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_outside_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_outside_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_outside
%C%_broken_codec_outside_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_outside_la_LDFLAGS = $(BROKEN_LDFLAGS)
%C%_broken_codec_newer_la_SOURCES = %D%/broken/broken.c
%C%_broken_codec_newer_la_CPPFLAGS = $(AM_CPPFLAGS) -DCASE_newer
%C%_broken_codec_newer_la_CFLAGS = $(BROKEN_CFLAGS)
%C%_broken_codec_newer_la_LDFLAGS = $(BROKEN_LDFLAGS)
endif

# What asks web servers, and a web server that does as it is told.
if HAVE_CURL
check_PROGRAMS += %D%/test_http
TESTS += %D%/test_http
%C%_test_http_CFLAGS = $(UNIT_CFLAGS) $(CURL_CFLAGS)
%C%_test_http_LDADD = kit/libkit.la $(UNIT_LIBS) $(HTTP_LIBS)
%C%_test_http_SOURCES = $(http_sources) \
	tests/client/certs.c tests/client/certs.h \
	%D%/test_http.c \
	%D%/web.c %D%/web.h

check_PROGRAMS += %D%/test_oauth
TESTS += %D%/test_oauth
%C%_test_oauth_CFLAGS = $(UNIT_CFLAGS) $(CURL_CFLAGS) $(JSONC_CFLAGS)
%C%_test_oauth_CPPFLAGS = $(AM_CPPFLAGS) -DSHIPPED='""'
%C%_test_oauth_LDADD = $(UNIT_LIBS) $(HTTP_LIBS) $(JSONC_LIBS)
%C%_test_oauth_SOURCES = $(aws_sources) $(http_sources) $(sasl_oauthbearer_sources) \
	%D%/loaded.c %D%/loaded.h \
	%D%/oauth.c %D%/oauth.h \
	tests/client/certs.c tests/client/certs.h \
	%D%/test_oauth_client.c \
	%D%/test_oauth_reach.c \
	%D%/test_oauth_server.c \
	%D%/web.c %D%/web.h
endif
