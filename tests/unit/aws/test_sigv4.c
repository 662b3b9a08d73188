/* SPDX-License-Identifier: BSD-2-Clause */
/* Signature Version 4: the cases of the test suite that awslabs/aws-c-auth carries (38,
 * each signed in the query and in headers), and the vectors for MSK. */
#include <string.h>

#include "core/base/base.h"
#include "plugins/common/aws/sigv4.h"
#include "tests/unit/unit.h"

#define UNRESERVED "-._~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
#define SECRET     "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
#define TOKEN                                                                            \
	"AQoDYXdzEPT//////////wEXAMPLEtc764bNrC9SAPBSM22wDOk4x4HIZ8j4FZTwdQWLWsKWHGBu"  \
	"FqwAeMicRXmxfpSPfIeoIYRqTflfKD8YUuwthAx7mSEI/qkPpKPi/kMcGdQrmGdeehM4IC1NtBmU"  \
	"pp2wUE8phUZampKsburEDy0KPkyQDYwT7WZ0wq5VSXDvp75YU9HFvlRd8Tx6q6fE8YQcHNVXAkiY"  \
	"9q6d+xo0rKwT38xVqr7ZD0u0iPPkUL64lIZbqBAz+scqKmlzm8FDrypNC9Yjc8fPOLn9FX9KSYvK"  \
	"Tr4rvx3iSIlTJabIQwj2ICCR/oLxBA=="

static const struct {
	const char *what;
	const char *method, *path; /* NULL: GET, / */
	bool keep_path;
	const char *token;
	struct kl_aws_pair query[3], headers[4];
	const char *body; /* its hash is a header, too, where headers are signed */
	const char *in_query, *in_headers;
} cases[] = {
	{.what = "a header three times",
	 .headers = {{"My-Header1", "value2"},
		     {"My-Header1", "value2"},
		     {"My-Header1", "value1"}},
	 .in_query = "3349ee0b81b4b589da0ff28a395c3591e04de515651dd74f298fa992d1507a97",
	 .in_headers =
		 "c9d5ea9f3f72853aea855b47ea873832890dbdd183b4468f858259531a5138ea"},
	{.what = "a header over three lines",
	 .headers = {{"My-Header1", "value1\n  value2\n     value3"}},
	 .in_query = "e6f5def831211aca02987a44b96826706278c7bc078112ae0263659c5b2f2d56",
	 .in_headers =
		 "cfd34249e4b1c8d6b91ef74165d41a32e5fab3306300901bb65a51a73575eefd"},
	{.what = "values of a header stay in their order",
	 .headers = {{"My-Header1", "value4"},
		     {"My-Header1", "value1"},
		     {"My-Header1", "value3"},
		     {"My-Header1", "value2"}},
	 .in_query = "313720e71ca6202fdcfa9b20f88de01a4eb0638a83c833b1c184359a4eda864e",
	 .in_headers =
		 "08c7e5a9acfcfeb3ab6b2185e75ce8b1deb5e634ec47601a50643f830c755c01"},
	{.what = "blanks around values and in them",
	 .headers = {{"My-Header1", " value1"}, {"My-Header2", " \"a   b   c\""}},
	 .in_query = "e7bb0fd515e125e1aec2ecc4c0c17484fb06f6846b927c35e46005dd3df3acd4",
	 .in_headers =
		 "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736"},
	{.what = "back to the top",
	 .path = "/example/..",
	 .in_query = "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
	 .in_headers =
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.what = "back twice",
	 .path = "/example1/example2/../..",
	 .in_query = "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
	 .in_headers =
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.what = "back twice, left as it is",
	 .path = "/example1/example2/../..",
	 .keep_path = true,
	 .in_query = "b45db0bfd1cf15003493b733e33aa208dd981bd0e63037a6ed953f71d2118a16",
	 .in_headers =
		 "dc33e0856fd4baca4d7aa2146c38958283844764f38c74252a333df5e613003b"},
	{.what = "back to the top, left as it is",
	 .path = "/example/..",
	 .keep_path = true,
	 .in_query = "cbcb213b928a077e43275df47b500f1dfaa864ab3f5a18f6b95f4ff0938167ee",
	 .in_headers =
		 "eca7ead57bb5aa5c8e28007acd4ff04e1ff9a0ff3b237ec1554a184887ff9282"},
	{.what = "a dot",
	 .path = "/./",
	 .in_query = "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
	 .in_headers =
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.what = "a dot, left as it is",
	 .path = "/./",
	 .keep_path = true,
	 .in_query = "a9b13e8f3484d9505bf1a6f347219f8f35b0fe8f128ceea597efc146a3dfe90c",
	 .in_headers =
		 "68714168e6557f8f2de0ef956fc24dc2593a4bd2961f8df51898d8a134695145"},
	{.what = "two slashes",
	 .path = "//",
	 .in_query = "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
	 .in_headers =
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.what = "a dot before a name",
	 .path = "/./example",
	 .in_query = "35034b1a0bdd969f346975386daf8aedfd4976573b8348cf4f67eaa41c5857de",
	 .in_headers =
		 "ef75d96142cf21edca26f06005da7988e4f8dc83a165a80865db7089db637ec5"},
	{.what = "a dot before a name, left as it is",
	 .path = "/./example",
	 .keep_path = true,
	 .in_query = "72b11f16d9530b18204bfb71f2d6ab085894c0ed8d352730a6e76234c58b5e10",
	 .in_headers =
		 "beb03f223f7deae4146464f06e29eebbee9c8afbe15c290cf07aa8b119e14cff"},
	{.what = "two slashes, left as they are",
	 .path = "//",
	 .keep_path = true,
	 .in_query = "b2a9542809db687769200f56a844a03f2bd0291d6eb90232d5101c6a579446cd",
	 .in_headers =
		 "c88bcd3d312d75078c0cd961d6deae3f4c754924b01669efcfcb439fd5e5b76e"},
	{.what = "slashes around a name",
	 .path = "//example//",
	 .in_query = "c1834e8fb0307243711f0f907f6ab7311ed300d87f13792d7ee4da89ab93e082",
	 .in_headers =
		 "9a624bd73a37c9a373b5312afbebe7a714a789de108f0bdfe846570885f57e84"},
	{.what = "slashes around a name, left as they are",
	 .path = "//example//",
	 .keep_path = true,
	 .in_query = "822a5a9ba28072c5ab2bb4a6307d0c88276d40e49fec6b724c03fb4d4ba60fc2",
	 .in_headers =
		 "87cca117541a147f6df867677d98a7d80dff226d2bfca9e4ffa899665623c7e5"},
	{.what = "a space in the path",
	 .path = "/example space/",
	 .in_query = "7a1f416954786484c9824d93c1f26ef64acb9b1b6c9154d08c9f07d0e394abf6",
	 .in_headers =
		 "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{.what = "a space in a path left as it is",
	 .path = "/example space/",
	 .keep_path = true,
	 .in_query = "7a1f416954786484c9824d93c1f26ef64acb9b1b6c9154d08c9f07d0e394abf6",
	 .in_headers =
		 "652487583200325589f1fba4c7e578f72c47cb61beeca81406b39ddec1366741"},
	{.what = "a path of what is never encoded",
	 .path = "/" UNRESERVED,
	 .in_query = "95968482db1b9e0fadef6efc1bd24689f77c77d9ef56919c96a28cc92e0d6005",
	 .in_headers =
		 "07ef7494c76fa4850883e2b006601f940f8a34d404d0cfa977f52a65bbf5f24f"},
	{.what = "a path beyond ASCII",
	 .path = "/\xe1\x88\xb4",
	 .in_query = "10eae3f14a260bd3911cc6d008d3c576d143b05b62f09782a7a4b37f52178e44",
	 .in_headers =
		 "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"},
	{.what = "nothing special",
	 .in_query = "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
	 .in_headers =
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.what = "one parameter",
	 .query = {{"Param1", "value1"}},
	 .in_query = "49096700cbbaa5753443850f40df10f904fc2fdb544dc9512203cc77c471a9de",
	 .in_headers =
		 "a67d582fa61cc504c4bae71f336f98b97f1ea3c7a6bfe1b6e45aec72011b9aeb"},
	{.what = "a question mark and no more",
	 .in_query = "e93c787ed7f371d5c6b165c1b38ede9550f4dce4144713e844b25b7192d3865d",
	 .in_headers =
		 "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"},
	{.what = "parameters in the order of what is encoded",
	 .query = {{"Param-3", "Value3"},
		   {"Param", "Value2"},
		   {"\xe1\x88\xb4", "Value1"}},
	 .in_query = "c5f1848ceec943ac2ca68ee720460c23aaae30a2300586597ada94c4a65e4787",
	 .in_headers =
		 "371d3713e185cc334048618a97f809c9ffe339c62934c032af5a0e595648fcac"},
	{.what = "parameters by their names",
	 .query = {{"Param2", "value2"}, {"Param1", "value1"}},
	 .in_query = "86012e2c9ad4d77369f5d81c11f75158aae4f895a085212cc6d3f923d300bed5",
	 .in_headers =
		 "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"},
	{.what = "a parameter of what is never encoded",
	 .query = {{UNRESERVED, UNRESERVED}},
	 .in_query = "8e76a88a7433637b12778d5592799b29ad21ecd6cf6325051c21d86f0acda2bf",
	 .in_headers =
		 "9c3e54bfcdf0b19771a7f523ee5669cdf59bc7cc0884027167c21bb143a40197"},
	{.what = "a parameter beyond ASCII",
	 .query = {{"\xe1\x88\xb4", "bar"}},
	 .in_query = "0bdd809b1519ac4f0c1dc3540e2cc46bd0c7f778eda408b2ebf3b913d21ff600",
	 .in_headers =
		 "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"},
	{.what = "temporary credentials",
	 .token = "6e86291e8372ff2a2260956d9b8aae1d763fbf315fa00fa31553b73ebf194267",
	 .in_query = "7ff2b50b376cb4d151970630573d6291dc128cc5c2a12ffb237f73cc53f67b6c",
	 .in_headers =
		 "07ec1639c89043aa0e3e2de82b96708f198cceab042d4a97044c66dd9f74e7f8"},
	{.what = "POST",
	 .method = "POST",
	 .in_query = "2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b",
	 .in_headers =
		 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{.what = "POST with a header",
	 .method = "POST",
	 .headers = {{"My-Header1", "value1"}},
	 .in_query = "c09d07e0d55871f10f2a6d350d994acf6825a3cae70673d7def55616e6119dd7",
	 .in_headers =
		 "c5410059b04c1ee005303aed430f6e6645f61f4dc9e1461ec8f8916fdf18852c"},
	{.what = "POST, a value in capitals",
	 .method = "POST",
	 .headers = {{"My-Header1", "VALUE1"}},
	 .in_query = "0698bc9e4f7f9139065ba2909c0e99da257e8e2a42492a097bcd46d792391fed",
	 .in_headers =
		 "cdbc9802e29d2942e5e10b5bccfdd67c5f22c7c4e8ae67b53629efa58b974b7d"},
	{.what = "a token that is added after signing",
	 .method = "POST",
	 .in_query = "2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b",
	 .in_headers =
		 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{.what = "a token that is signed",
	 .method = "POST",
	 .token = TOKEN,
	 .in_query = "46c2e3c63c1dbe7d39f8ada16fe7f001c1f56c5791441565323677f96308871c",
	 .in_headers =
		 "85d96828115b5dc0cfc3bd16ad9e210dd772bbebba041836c64533a82be05ead"},
	{.what = "POST, once more",
	 .method = "POST",
	 .in_query = "2ce6e6d2e0cf2f9d1b55fafec88cd20574c31dc2e7631979f71ba2310083e95b",
	 .in_headers =
		 "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"},
	{.what = "POST with a parameter",
	 .method = "POST",
	 .query = {{"Param1", "value1"}},
	 .in_query = "a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682",
	 .in_headers =
		 "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{.what = "POST with a query",
	 .method = "POST",
	 .query = {{"Param1", "value1"}},
	 .in_query = "a9ef26247f293bffe40eeff86a0480ba8c14d31503b2e0c3399e3a16bf1a3682",
	 .in_headers =
		 "28038455d6de14eafc1f9222cf5aa6f1a96197d7deb8263271d420d138af7f11"},
	{.what = "a form",
	 .method = "POST",
	 .headers = {{"Content-Type", "application/x-www-form-urlencoded"},
		     {"Content-Length", "13"}},
	 .body = "Param1=value1",
	 .in_query = "89a40deed0f26f9461242825a082d2222717248abc7ab41f552ad84a94ad46e9",
	 .in_headers =
		 "d3875051da38690788ef43de4db0d8f280229d82040bfac253562e56c3f20e0b"},
	{.what = "a form that names its encoding",
	 .method = "POST",
	 .headers = {{"Content-Type",
		      "application/x-www-form-urlencoded; charset=utf-8"},
		     {"Content-Length", "13"}},
	 .body = "Param1=value1",
	 .in_query = "0dbeb9b026c7b6675f266b8427efec9b4fa8b1f6ef1477d717aea231106eab4d",
	 .in_headers =
		 "328d1b9eaadca9f5818ef05e8392801e091653bafec24fcab71e7344e7f51422"},
};

static size_t count(const struct kl_aws_pair *pairs, size_t max)
{
	size_t n = 0;
	while (n < max && pairs[n].name != NULL)
		n++;
	return n;
}

START_TEST(signs_as_the_suite_says)
{
	struct kl_aws_pair headers[6] = {{"Host", "example.amazonaws.com"}};
	size_t n = count(cases[_i].headers, kl_countof(cases[_i].headers));
	memcpy(headers + 1, cases[_i].headers, n * sizeof(headers[0]));
	struct kl_aws_request request = {
		.method = cases[_i].method != NULL ? cases[_i].method : "GET",
		.path = cases[_i].path != NULL ? cases[_i].path : "/",
		.keep_path = cases[_i].keep_path,
		.query = cases[_i].query,
		.query_count = count(cases[_i].query, kl_countof(cases[_i].query)),
		.headers = headers,
		.header_count = 1 + n,
	};
	if (cases[_i].body != NULL)
		request.body =
			(struct klamm_span){cases[_i].body, strlen(cases[_i].body)};
	struct kl_aws_signer signer = {
		.key_id = "AKIDEXAMPLE",
		.secret = SECRET,
		.token = cases[_i].token,
		.region = "us-east-1",
		.service = "service",
		.time = "20150830T123600Z",
	};
	struct klamm_error err;
	char signature[KL_AWS_SIGNATURE];
	ck_assert_int_eq(kl_aws_sign_query(&signer, &request, "3600", signature, &err),
			 0);
	ck_assert_msg(strcmp(signature, cases[_i].in_query) == 0, "%s: %s in the query",
		      cases[_i].what, signature);

	if (cases[_i].body != NULL)
		headers[request.header_count++] = (struct kl_aws_pair){
			"X-Amz-Content-Sha256",
			"9095672bbd1f56dfc5b65f3e153adc8731a4a654192329106275f4c7b24d0b6e"};
	KL_TEXT_AUTO authorization = {0};
	ck_assert_int_eq(kl_aws_sign_headers(&signer, &request, &authorization, &err),
			 0);
	const char *at = strstr(kl_text_get(&authorization), "Signature=");
	ck_assert_ptr_nonnull(at);
	ck_assert_msg(strcmp(at + 10, cases[_i].in_headers) == 0, "%s: %s",
		      cases[_i].what, kl_text_get(&authorization));
}
END_TEST

START_TEST(says_what_it_signed)
{
	static const struct kl_aws_pair headers[] = {{"My-Header1", "value1"},
						     {"Host", "example.amazonaws.com"},
						     {"my-header1", "2"}};
	struct kl_aws_request request = {
		.method = "GET", .path = "/", .headers = headers, .header_count = 3};
	struct kl_aws_signer signer = {.key_id = "AKIDEXAMPLE",
				       .secret = SECRET,
				       .region = "us-east-1",
				       .service = "service",
				       .time = "20150830T123600Z"};
	KL_TEXT_AUTO text = {0};
	struct klamm_error err;
	ck_assert_int_eq(kl_aws_sign_headers(&signer, &request, &text, &err), 0);
	static const char begin[] =
		"AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/"
		"aws4_request, SignedHeaders=host;my-header1;x-amz-date, Signature=";
	ck_assert_uint_eq(text.len, sizeof(begin) - 1 + 64);
	ck_assert(strncmp(text.p, begin, sizeof(begin) - 1) == 0);
}
END_TEST

/* What a client of MSK signs. */
static const struct {
	const char *token, *signature;
} msk[] = {
	{NULL, "0fa42ae3d5693777942a7a4028b564f0b372bafa2f71c1a19ad60680e6cb994b"},
	{"XXXXX", "b0619c50b7ecb4a7f6f92bd5f733770df5710e97b25146f97015c0b1db783b05"},
};

START_TEST(signs_for_msk)
{
	char time[KL_AWS_TIME], signature[KL_AWS_SIGNATURE];
	kl_aws_time(1629321911000, time);
	ck_assert_str_eq(time, "20210818T212511Z");
	static const struct kl_aws_pair action = {"Action", "kafka-cluster:Connect"},
					host = {"host", "localhost"};
	struct kl_aws_request request = {.method = "GET",
					 .path = "/",
					 .query = &action,
					 .query_count = 1,
					 .headers = &host,
					 .header_count = 1};
	struct kl_aws_signer signer = {
		.key_id = "XXXXXXXXXXXXXXXXXXXX",
		.secret = "XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX",
		.token = msk[_i].token,
		.region = "us-east-1",
		.service = "kafka-cluster",
		.time = time};
	struct klamm_error err;
	ck_assert_int_eq(kl_aws_sign_query(&signer, &request, "900", signature, &err),
			 0);
	ck_assert_str_eq(signature, msk[_i].signature);
}
END_TEST

START_TEST(takes_no_more_than_it_has_room_for)
{
	struct kl_aws_pair many[100];
	for (size_t i = 0; i < kl_countof(many); i++)
		many[i] = (struct kl_aws_pair){"a", "b"};
	struct kl_aws_request request = {.method = "GET",
					 .path = "/",
					 .query = many,
					 .query_count = 100,
					 .headers = many,
					 .header_count = 1};
	struct kl_aws_signer signer = {.key_id = "k",
				       .secret = "s",
				       .region = "r",
				       .service = "s",
				       .time = "20150830T123600Z"};
	char signature[KL_AWS_SIGNATURE];
	KL_TEXT_AUTO text = {0};
	struct klamm_error err;
	ck_assert_int_eq(kl_aws_sign_query(&signer, &request, "900", signature, &err),
			 KLAMM_ERR_LIMIT);
	request.query_count = 1;
	request.header_count = 100;
	ck_assert_int_eq(kl_aws_sign_headers(&signer, &request, &text, &err),
			 KLAMM_ERR_LIMIT);
}
END_TEST

START_TEST(reads_times)
{
	static const char *const bad[] = {"",
					  "20210818",
					  "20210818T212511",
					  "20210818T212511z",
					  "20210231T000000Z",
					  "20210818T252511Z",
					  " 2021818T212511Z",
					  "20210818T212511Z ",
					  "2021-08-18T21:25:11Z"};
	int64_t ms;
	ck_assert(kl_aws_time_read("20210818T212511Z", &ms));
	ck_assert_int_eq(ms, 1629321911000);
	for (size_t i = 0; i < kl_countof(bad); i++)
		ck_assert_msg(!kl_aws_time_read(bad[i], &ms), "%s", bad[i]);
}
END_TEST

UNIT_SUITE(sigv4)
{
	Suite *s = suite_create("sigv4");
	_Static_assert(kl_countof(cases) == 38, "the whole suite");
	unit_add_loop(s, signs_as_the_suite_says, (int)kl_countof(cases));
	unit_add(s, says_what_it_signed);
	unit_add_loop(s, signs_for_msk, (int)kl_countof(msk));
	unit_add(s, takes_no_more_than_it_has_room_for);
	unit_add(s, reads_times);
	return s;
}
