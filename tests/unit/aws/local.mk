# The parts of plugins that are somebody to Amazon's services, and those of SASL AWS_MSK_IAM.
if HAVE_CURL
check_PROGRAMS += %D%/test_aws
TESTS += %D%/test_aws
%C%_test_aws_CFLAGS = $(UNIT_CFLAGS) $(CURL_CFLAGS)
%C%_test_aws_CPPFLAGS = $(AM_CPPFLAGS) \
	-DSHIPPED='"$(klamm_shared_plugins) $(klamm_builtin_plugins)"'
%C%_test_aws_LDADD = $(UNIT_LIBS) $(HTTP_LIBS)
%C%_test_aws_SOURCES = \
	$(aws_sources) $(http_sources) \
	plugins/sasl_aws_msk_iam/payload.c plugins/sasl_aws_msk_iam/verify.c \
	%D%/test_chain.c \
	%D%/test_options.c \
	%D%/test_payload.c \
	%D%/test_profile.c \
	%D%/test_sigv4.c \
	%D%/world.c %D%/world.h \
	tests/unit/plugins/loaded.c tests/unit/plugins/loaded.h \
	tests/unit/plugins/web.c tests/unit/plugins/web.h

# For tests/interop, which compares what it prints with what others sign.
check_PROGRAMS += %D%/sign
%C%_sign_CFLAGS = $(AM_CFLAGS)
%C%_sign_LDADD = libklamm.la $(OPENSSL_LIBS)
%C%_sign_SOURCES = %D%/sign.c \
	plugins/common/aws/proof.c plugins/common/aws/sigv4.c plugins/common/aws/token.c \
	plugins/sasl_aws_msk_iam/payload.c
endif
