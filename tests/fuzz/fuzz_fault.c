/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults in words, as the dev broker takes them from its command line and over the
 * wire. */
#include "broker/faults.h"
#include "tests/fuzz/fuzz.h"

/* What is printed makes the same fault, and is printed the same. */
static void print_again(const struct klamm_broker_fault *spec)
{
	struct kl_buf text = {0}, text2 = {0};
	struct kl_dev_fault *fault = NULL;
	struct klamm_error err = {0};
	kl_dev_fault_print(spec, &text);
	fuzz_must(kl_dev_fault_parse((const char *)text.data, text.len, &fault, &err) ==
		  0);
	kl_dev_fault_print(&fault->spec, &text2);
	fuzz_must(text.len == text2.len &&
		  memcmp(text.data, text2.data, text.len) == 0);
	kl_dev_fault_unref(fault);
	kl_buf_free(&text);
	kl_buf_free(&text2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct kl_dev_fault *fault = NULL;
	struct klamm_error err = {0};
	int rc = kl_dev_fault_parse((const char *)data, size, &fault, &err);
	if (rc == 0) {
		print_again(&fault->spec);
		kl_dev_fault_unref(fault);
	} else {
		fuzz_must(rc == KLAMM_ERR_INVALID_ARGUMENT && err.text[0] != '\0');
	}
	return 0;
}
