/* SPDX-License-Identifier: BSD-2-Clause */
/* What proxies answer, and addresses of proxies.
 * Input: a byte of which bit 0 has the rest be a text of klamm.proxy.url, bits 1 and 2 choose
 * the proxy, bits 6 and 7 the broker, and the others how many bytes come at once; then the
 * rest. */
#include "core/net/proxy.h"
#include "tests/fuzz/fuzz.h"

static const char *const urls[] = {"socks5://a", "socks5://user:hunter2@a", "http://a:1",
				   "http://user:hunter2@a:1"};
static const char *const brokers[] = {"kafka", "10.0.0.7", "fd00::7", "no name"};

static void read_url(const uint8_t *data, size_t size)
{
	char *text = strndup((const char *)data, size);
	struct kl_proxy_url url;
	struct kl_buf why = {0};
	fuzz_must(text != NULL);
	if (kl_proxy_url_parse(text, &url, &why))
		fuzz_must(url.host[0] != '\0' && url.port != 0 && why.len == 0 &&
			  (url.user[0] == '\0') == (url.password[0] == '\0'));
	else
		fuzz_must(why.len > 0);
	kl_buf_free(&why);
	free(text);
}

static void listen_to(const char *text, const char *broker, const uint8_t *data, size_t size,
		      size_t step)
{
	struct kl_proxy_url url;
	struct kl_proxy_talk talk;
	struct klamm_error err;
	size_t wants;
	fuzz_must(kl_proxy_url_parse(text, &url, NULL));
	bool good = kl_proxy_begin(&talk, &url, broker, 9092, &err);
	fuzz_must(good == (strchr(broker, ' ') == NULL));
	while (good && size > 0 && (wants = kl_proxy_wants(&talk)) > 0) {
		size_t n = kl_min(kl_min(wants, size), step);
		fuzz_must(talk.in.len <= KL_PROXY_HEAD_MAX && talk.out.len < 4096);
		if (!kl_proxy_take(&talk, data, n, &err)) {
			fuzz_must(err.stage == KLAMM_STAGE_PROXY &&
				  strstr(err.text, "hunter2") == NULL);
			break;
		}
		data += n;
		size -= n;
	}
	kl_proxy_end(&talk);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = fuzz_take(&data, &size);
	if (how & 1)
		read_url(data, size);
	else
		listen_to(urls[how >> 1 & 3], brokers[how >> 6], data, size,
			  (how >> 3 & 7) + 1u);
	return 0;
}
