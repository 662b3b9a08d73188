/* SPDX-License-Identifier: BSD-2-Clause */
/* Amazon's files. */
#include <stdlib.h>
#include <unistd.h>

#include "core/base/base.h"
#include "plugins/common/aws/profile.h"
#include "plugins/common/aws/region.h"
#include "tests/unit/aws/world.h"
#include "tests/unit/unit.h"

static struct kl_aws_profile profile;
static struct klamm_error err;

static int parse(const char *text, const char *name, bool is_config)
{
	return kl_aws_profile_parse(&profile, text, strlen(text), name, is_config);
}

static void says(enum kl_aws_property property, const char *want)
{
	const char *got = kl_aws_property(&profile, property);
	if (want == NULL)
		ck_assert_ptr_null(got);
	else
		ck_assert_str_eq(got != NULL ? got : "(not set)", want);
}

static void down(void)
{
	kl_aws_profile_free(&profile);
}

static const struct {
	const char *text, *name;
	bool is_config;
	const char
		*region; /* NULL: there is no such profile, or it says nothing of it */
	bool found;
} files[] = {
	{"[default]\nregion = us-east-1\n", "default", true, "us-east-1", true},
	{"[profile default]\nregion=a\n[default]\nregion=b\n", "default", true, "a",
	 true},
	{"[default]\nregion=b\n[profile default]\nregion=a\n", "default", true, "a",
	 true},
	{"[profile dev]\nregion=a", "dev", true, "a", true},
	{"[ profile\t dev ] ; mine\nregion=a", "dev", true, "a", true},
	{"[dev]\nregion=a", "dev", true, NULL, false},
	{"[dev]\nregion=a", "dev", false, "a", true},
	{"[profile dev]\nregion=a", "dev", false, NULL, false},
	{"[profile dev]\nregion=a", "dev", false, NULL, false},
	{"[dev]\nREGION=a", "dev", false, "a", true},
	{"[dev]\r\nregion = a\r\n", "dev", false, "a", true},
	{"[dev]\nregion = a # near\n", "dev", false, "a", true},
	{"[dev]\nregion = a#b;c\n", "dev", false, "a#b;c", true},
	{"[dev]\nregion = a=b\n", "dev", false, "a=b", true},
	{"# x\n; y\n\n[dev]\n # z\nregion=a\n", "dev", false, "a", true},
	{"[dev]\ns3 =\n  region = no\n  x = y\nregion = a\n", "dev", false, "a", true},
	{"[dev]\nregion=a\n[other]\nregion=b\n[dev]\nregion=c\n", "dev", false, "c",
	 true},
	{"[dev]\nregion=a\n[other]\nregion=b\n", "dev", false, "a", true},
	{"[dev]\nregion=\n", "dev", false, NULL, true},
	{"[dev]\n", "dev", false, NULL, true},
	{"", "dev", false, NULL, false},
	{"[sso-session dev]\nregion=b\n", "dev", true, NULL, false},
	{"[profiledev]\nregion=b\n[profile]\nregion=b\n", "dev", true, NULL, false},
};

START_TEST(reads_a_file)
{
	ck_assert_int_eq(parse(files[_i].text, files[_i].name, files[_i].is_config), 0);
	says(KL_AWS_REGION_NAME, files[_i].region);
	ck_assert_int_eq(profile.found, files[_i].found);
}
END_TEST

static const struct {
	const char *text;
	int line;
} broken[] = {
	{"region = a\n", 1},        {"[dev]\nregion\n", 2}, {"[dev\nregion=a", 1},
	{"[dev]\n\n= secret\n", 3}, {"[dev] x\n", 1},       {"[dev]\n   \nsecret", 3},
	{"  [dev]\nregion=a\n", 1},
};

/* A file that cannot be read says nothing at all. */
START_TEST(names_the_line_that_is_wrong)
{
	KL_TEXT_AUTO text = {0};
	kl_text_add(&text, broken[_i].text);
	ck_assert_int_eq(parse(text.p, "dev", false), broken[_i].line);
	says(KL_AWS_REGION_NAME, NULL);
	ck_assert(!profile.found);
	world_write("credentials", broken[_i].text);
	ck_assert_int_eq(kl_aws_profile_read("dev", &profile, &err), KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "/.aws/credentials: line "));
	ck_assert_ptr_null(strstr(err.text, "secret"));
}
END_TEST

START_TEST(takes_both_files)
{
	world_write("config", "[profile dev]\nregion=a\naws_access_key_id=OLD\n"
			      "aws_secret_access_key=old\naws_session_token=old\n");
	world_write("credentials", "[dev]\naws_access_key_id = NEW\n"
				   "aws_secret_access_key = new\n");
	ck_assert_int_eq(kl_aws_profile_read("dev", &profile, &err), 0);
	says(KL_AWS_REGION_NAME, "a");
	says(KL_AWS_KEY_ID, "NEW");
	says(KL_AWS_SECRET, "new");
	says(KL_AWS_TOKEN, NULL); /* it is another key's */
}
END_TEST

START_TEST(takes_files_that_variables_name)
{
	char config[500], credentials[500];
	strcpy(config, world_path("c1"));
	strcpy(credentials, world_path("c2"));
	world_write(config, "[default]\nregion=x\n");
	world_write(credentials, "[default]\naws_access_key_id=K\n");
	setenv("AWS_CONFIG_FILE", config, 1);
	setenv("AWS_SHARED_CREDENTIALS_FILE", credentials, 1);
	ck_assert_int_eq(kl_aws_profile_read("default", &profile, &err), 0);
	says(KL_AWS_REGION_NAME, "x");
	says(KL_AWS_KEY_ID, "K");
}
END_TEST

START_TEST(files_that_are_not_there_say_nothing)
{
	ck_assert_int_eq(kl_aws_profile_read("default", &profile, &err), 0);
	ck_assert(!profile.found);
	unsetenv("HOME");
	ck_assert_int_eq(kl_aws_profile_read("default", &profile, &err), 0);
	setenv("AWS_CONFIG_FILE", world.home, 1); /* a folder */
	ck_assert_int_eq(kl_aws_profile_read("default", &profile, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be read"));
	setenv("AWS_CONFIG_FILE", "/dev/zero", 1); /* no end */
	ck_assert_int_eq(kl_aws_profile_read("default", &profile, &err),
			 KLAMM_ERR_CONFIG);
	ck_assert_ptr_nonnull(strstr(err.text, "cannot be read"));
}
END_TEST

static const struct {
	const char *host, *region; /* NULL = none */
} hosts[] = {
	{"b-1.demo.abcde1.c2.kafka.us-east-1.amazonaws.com", "us-east-1"},
	{"b-1-public.demo.abcde1.c2.kafka.ap-southeast-2.amazonaws.com",
	 "ap-southeast-2"},
	{"boot-ab1cd.c3.kafka-serverless.eu-central-1.amazonaws.com", "eu-central-1"},
	{"b-1.demo.abcde1.c2.kafka.cn-northwest-1.amazonaws.com.cn", "cn-northwest-1"},
	{"b-1.demo.kafka.us-gov-west-1.amazonaws.com", "us-gov-west-1"},
	{"b-1.demo.kafka.us-isob-east-1.sc2s.sgov.gov", "us-isob-east-1"},
	{"b-1.demo.kafka.eusc-de-east-1.amazonaws.eu", "eusc-de-east-1"},
	{"vpce-0a1b.vpce-svc-0c.me-central-1.vpce.amazonaws.com", "me-central-1"},
	{"my-us-east-1-kafka.example.com", "us-east-1"},
	{"my-eu-west-3.example.com", "eu-west-3"},
	{"localhost", NULL},
	{"127.0.0.1", NULL},
	{"kafka.example.com", NULL},
	{"us-east-", NULL},
	{"us-east", NULL},
	{"us-east-123", NULL},
	{"us-east-1x", NULL},
	{"xus-east-1", "xus-east-1"}, /* by its form it could be one */
	{"broker-east-1.example.com", NULL},
	{"a-b-c-d-e-f-g-1", NULL},
	{"", NULL},
	{"-", NULL},
	{"us-aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-east-1", NULL},
};

START_TEST(finds_regions_in_names)
{
	char region[KL_AWS_REGION] = "";
	bool found = kl_aws_region_of_host(hosts[_i].host, region);
	ck_assert_msg(found == (hosts[_i].region != NULL), "%s: %s", hosts[_i].host,
		      region);
	if (found)
		ck_assert_str_eq(region, hosts[_i].region);
}
END_TEST

UNIT_SUITE(profile)
{
	Suite *s = suite_create("profile");
	unit_add_case(s, "reads_a_file", reads_a_file, NULL, down,
		      (int)kl_countof(files));
	unit_add_case(s, "names_the_line_that_is_wrong", names_the_line_that_is_wrong,
		      world_up, world_down, (int)kl_countof(broken));
	unit_add_fixture(s, takes_both_files, world_up, world_down);
	unit_add_fixture(s, takes_files_that_variables_name, world_up, world_down);
	unit_add_fixture(s, files_that_are_not_there_say_nothing, world_up, world_down);
	unit_add_loop(s, finds_regions_in_names, (int)kl_countof(hosts));
	return s;
}
