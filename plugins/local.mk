# A plugin is a folder: its source, a page about it, and its lines. One more is one more line
# here and in m4/klamm-plugins.m4.
EXTRA_DIST += \
	%D%/common/assign.h \
	%D%/common/aws/answers.c \
	%D%/common/aws/aws.c \
	%D%/common/aws/aws.h \
	%D%/common/aws/aws_int.h \
	%D%/common/aws/chain.c \
	%D%/common/aws/credentials.h \
	%D%/common/aws/metadata.c \
	%D%/common/aws/profile.c \
	%D%/common/aws/proof.c \
	%D%/common/aws/proof.h \
	%D%/common/aws/profile.h \
	%D%/common/aws/region.c \
	%D%/common/aws/region.h \
	%D%/common/aws/sigv4.c \
	%D%/common/aws/sigv4.h \
	%D%/common/aws/sts.c \
	%D%/common/aws/token.c \
	%D%/common/aws/token.h \
	%D%/common/charset.h \
	%D%/common/flat_json.h \
	%D%/common/http.c \
	%D%/common/http.h \
	%D%/common/http_error.c \
	%D%/common/http_int.h \
	%D%/common/http_memory.c \
	%D%/common/key_hash.h \
	%D%/common/number.h \
	%D%/common/racks.h \
	%D%/common/room.h \
	%D%/common/scram.h \
	%D%/common/scram_client.h \
	%D%/common/scram_crypt.h \
	%D%/common/scram_message.h \
	%D%/common/scram_prepare.h \
	%D%/common/scram_server.h \
	%D%/common/sticky.h \
	%D%/common/sticky_assign.h \
	%D%/common/sticky_equal.h \
	%D%/common/sticky_general.h \
	%D%/common/sticky_heap.h \
	%D%/common/text.h \
	%D%/common/utf8.h

# For plugins that ask web servers: their sources, and what they are linked with.
http_sources = \
	plugins/common/http.c plugins/common/http.h \
	plugins/common/http_error.c plugins/common/http_int.h \
	plugins/common/http_memory.c
HTTP_LIBS = $(CURL_LIBS) $(OPENSSL_LIBS)

# For those that are somebody to Amazon's services; with http_sources.
aws_sources = \
	plugins/common/aws/answers.c \
	plugins/common/aws/aws.c plugins/common/aws/aws.h plugins/common/aws/aws_int.h \
	plugins/common/aws/chain.c \
	plugins/common/aws/credentials.h \
	plugins/common/aws/metadata.c \
	plugins/common/aws/profile.c plugins/common/aws/profile.h \
	plugins/common/aws/proof.c plugins/common/aws/proof.h \
	plugins/common/aws/region.c plugins/common/aws/region.h \
	plugins/common/aws/sigv4.c plugins/common/aws/sigv4.h \
	plugins/common/aws/sts.c \
	plugins/common/aws/token.c plugins/common/aws/token.h

# Once in the library, whichever of them are built in.
if BUILTIN_HTTP
libklamm_la_SOURCES += $(http_sources)
libklamm_la_LIBADD += $(CURL_LIBS)
AM_CPPFLAGS += $(CURL_CFLAGS)
endif
if BUILTIN_AWS
libklamm_la_SOURCES += $(aws_sources)
endif

include plugins/assignor_cooperative_sticky/local.mk
include plugins/assignor_range/local.mk
include plugins/assignor_roundrobin/local.mk
include plugins/assignor_sticky/local.mk
include plugins/codec_gzip/local.mk
include plugins/codec_lz4/local.mk
include plugins/codec_snappy/local.mk
include plugins/codec_zstd/local.mk
include plugins/metrics_jsonl/local.mk
include plugins/partitioner_consistent/local.mk
include plugins/partitioner_consistent_random/local.mk
include plugins/partitioner_fnv1a/local.mk
include plugins/partitioner_fnv1a_random/local.mk
include plugins/partitioner_murmur2/local.mk
include plugins/partitioner_random/local.mk
include plugins/partitioner_roundrobin/local.mk
include plugins/sasl_aws_msk_iam/local.mk
include plugins/sasl_gssapi/local.mk
include plugins/sasl_oauthbearer/local.mk
include plugins/sasl_plain/local.mk
include plugins/sasl_scram_sha_256/local.mk
include plugins/sasl_scram_sha_512/local.mk
include plugins/serializer_bytes/local.mk
include plugins/serializer_double/local.mk
include plugins/serializer_float/local.mk
include plugins/serializer_int16/local.mk
include plugins/serializer_int32/local.mk
include plugins/serializer_int64/local.mk
include plugins/serializer_json/local.mk
include plugins/serializer_string/local.mk
include plugins/serializer_uuid/local.mk

# libtool wants a .la for each module while building; installed, nobody reads it.
install-data-hook:
	@for la in $(plugin_LTLIBRARIES); do \
		rm -f "$(DESTDIR)$(plugindir)/`basename $$la`"; \
	done

# Without its .la libtool's own uninstall leaves the module behind.
uninstall-hook:
	@for la in $(plugin_LTLIBRARIES); do \
		rm -f "$(DESTDIR)$(plugindir)/`basename $$la .la`.so"; \
	done
