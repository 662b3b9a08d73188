# Programs that read what anyone may send. With --enable-fuzz they are libFuzzer's (`make fuzz`,
# scripts/campaign fuzz); otherwise driver.c runs each over its corpus in corpora.test.
FUZZ_TARGETS = \
	%D%/fuzz_assign \
	%D%/fuzz_aws \
	%D%/fuzz_batch \
	%D%/fuzz_codec \
	%D%/fuzz_config \
	%D%/fuzz_fault \
	%D%/fuzz_gssapi \
	%D%/fuzz_jks \
	%D%/fuzz_json \
	%D%/fuzz_proxy \
	%D%/fuzz_record \
	%D%/fuzz_request \
	%D%/fuzz_response \
	%D%/fuzz_scram \
	%D%/fuzz_store \
	%D%/fuzz_wire
if HAVE_CURL
FUZZ_TARGETS += %D%/fuzz_oauth
endif
CFLAGS_OF_FUZZ = $(AM_CFLAGS) $(JSONC_CFLAGS)
LDADD_OF_FUZZ = libklamm.la $(JSONC_LIBS)
SOURCES_OF_FUZZ = %D%/fuzz.h %D%/folder.c %D%/loaded.c %D%/message.c
if FUZZ
LDFLAGS_OF_FUZZ = $(AM_LDFLAGS) -fsanitize=fuzzer
else
LDFLAGS_OF_FUZZ = $(AM_LDFLAGS)
SOURCES_OF_FUZZ += %D%/driver.c
TESTS += %D%/corpora.test
endif
EXTRA_DIST += %D%/corpora.test %D%/corpus %D%/coverage %D%/ignored

check_PROGRAMS += $(FUZZ_TARGETS)
.PHONY: fuzz
# One after the other: "all" is a make of its own, and both would make the same files at once.
fuzz: all
	$(MAKE) $(AM_MAKEFLAGS) $(FUZZ_TARGETS)

%C%_fuzz_assign_SOURCES = %D%/fuzz_assign.c $(SOURCES_OF_FUZZ)
%C%_fuzz_assign_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_assign_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_assign_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_aws_SOURCES = %D%/fuzz_aws.c $(SOURCES_OF_FUZZ) \
	plugins/common/aws/answers.c plugins/common/aws/profile.c plugins/common/aws/proof.c \
	plugins/common/aws/region.c plugins/common/aws/sigv4.c \
	plugins/sasl_aws_msk_iam/payload.c
%C%_fuzz_aws_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_aws_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_aws_LDADD = $(LDADD_OF_FUZZ) $(OPENSSL_LIBS)
%C%_fuzz_batch_SOURCES = %D%/fuzz_batch.c $(SOURCES_OF_FUZZ)
%C%_fuzz_batch_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_batch_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_batch_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_codec_SOURCES = %D%/fuzz_codec.c $(SOURCES_OF_FUZZ)
%C%_fuzz_codec_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_codec_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_codec_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_config_SOURCES = %D%/fuzz_config.c $(SOURCES_OF_FUZZ)
%C%_fuzz_config_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_config_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_config_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_fault_SOURCES = %D%/fuzz_fault.c $(SOURCES_OF_FUZZ)
%C%_fuzz_fault_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_fault_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_fault_LDADD = libklamm-broker.la $(LDADD_OF_FUZZ)
%C%_fuzz_gssapi_SOURCES = %D%/fuzz_gssapi.c $(SOURCES_OF_FUZZ) \
	plugins/sasl_gssapi/layer.c plugins/sasl_gssapi/layer.h \
	plugins/sasl_gssapi/short_name.c plugins/sasl_gssapi/short_name.h
%C%_fuzz_gssapi_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_gssapi_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_gssapi_LDADD = $(LDADD_OF_FUZZ) $(PCRE2_LIBS)
%C%_fuzz_jks_SOURCES = %D%/fuzz_jks.c $(SOURCES_OF_FUZZ)
%C%_fuzz_jks_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_jks_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_jks_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_json_SOURCES = %D%/fuzz_json.c $(SOURCES_OF_FUZZ)
%C%_fuzz_json_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_json_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_json_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_oauth_SOURCES = %D%/fuzz_oauth.c $(SOURCES_OF_FUZZ) $(aws_sources) $(http_sources) \
	$(sasl_oauthbearer_sources)
%C%_fuzz_oauth_CFLAGS = $(CFLAGS_OF_FUZZ) $(CURL_CFLAGS)
%C%_fuzz_oauth_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_oauth_LDADD = $(LDADD_OF_FUZZ) $(HTTP_LIBS)
%C%_fuzz_proxy_SOURCES = %D%/fuzz_proxy.c $(SOURCES_OF_FUZZ)
%C%_fuzz_proxy_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_proxy_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_proxy_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_record_SOURCES = %D%/fuzz_record.c $(SOURCES_OF_FUZZ) \
	cli/io.c cli/reader.c cli/tell.c cli/value.c cli/words.c
%C%_fuzz_record_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_record_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_record_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_request_SOURCES = %D%/fuzz_request.c $(SOURCES_OF_FUZZ)
%C%_fuzz_request_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_request_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_request_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_response_SOURCES = %D%/fuzz_response.c $(SOURCES_OF_FUZZ)
%C%_fuzz_response_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_response_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_response_LDADD = $(LDADD_OF_FUZZ)
%C%_fuzz_scram_SOURCES = %D%/fuzz_scram.c $(SOURCES_OF_FUZZ)
%C%_fuzz_scram_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_scram_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_scram_LDADD = $(LDADD_OF_FUZZ) $(OPENSSL_LIBS)
%C%_fuzz_store_SOURCES = %D%/fuzz_store.c $(SOURCES_OF_FUZZ)
%C%_fuzz_store_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_store_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_store_LDADD = libklamm-broker.la $(LDADD_OF_FUZZ)
%C%_fuzz_wire_SOURCES = %D%/fuzz_wire.c $(SOURCES_OF_FUZZ) \
	cli/io.c cli/tell.c cli/value.c cli/wire.c cli/words.c
%C%_fuzz_wire_CFLAGS = $(CFLAGS_OF_FUZZ)
%C%_fuzz_wire_LDFLAGS = $(LDFLAGS_OF_FUZZ)
%C%_fuzz_wire_LDADD = $(LDADD_OF_FUZZ)
