/* SPDX-License-Identifier: BSD-2-Clause */
/* Configuration files: Java's .properties with klamm's keys, sections and includes.
 * Input: a byte of which bit 0 makes it a Java file, bit 1 chooses profile "p" and bit 2 has
 * the text be a sasl.jaas.config instead; then the text. A file may include files of its
 * folder, which include each other. */

#include "core/conf/conf.h"
#include "core/conf/jaas.h"
#include "core/conf/properties.h"
#include "tests/fuzz/fuzz.h"

static const struct {
	const char *name, *text;
} files[] = {
	{"a", "client.id = a\n[profile p]\nlinger.ms = 5\n"},
	{"b", "include = a\ninclude = b\n"},
	{"c", "nonsense\n"},
	/* a chain that is too long */
	{"e0", "include = e1\n"},
	{"e1", "include = e2\n"},
	{"e2", "include = e3\n"},
	{"e3", "include = e4\n"},
	{"e4", "include = e5\n"},
	{"e5", "include = e6\n"},
	{"e6", "include = e7\n"},
	{"e7", "include = e8\n"},
	{"e8", "include = e9\n"},
	{"e9", "include = e10\n"},
};

static const char *file_of(const char *name)
{
	static char path[200];
	snprintf(path, sizeof(path), "%s/%s", fuzz_folder(), name);
	return path;
}

static void make_files(void)
{
	static bool made;
	for (size_t i = 0; !made && i < kl_countof(files); i++)
		fuzz_write(file_of(files[i].name), files[i].text,
			   strlen(files[i].text));
	made = true;
}

/* Other files are not the input's to choose: some never end. */
static bool reads_others(const uint8_t *data, size_t size)
{
	static const char *const ways[] = {"dev", "proc", "sys", "env:", "\\"};
	if (memmem(data, size, "file:", 5) != NULL)
		return true;
	bool found = false;
	for (size_t i = 0; i < kl_countof(ways); i++)
		found |= memmem(data, size, ways[i], strlen(ways[i])) != NULL;
	return found && memmem(data, size, "include", 7) != NULL;
}

static void on_issue(void *arg, const struct klamm_conf_issue *issue)
{
	size_t *errors = arg;
	fuzz_must(issue->text != NULL && issue->text[0] != '\0' && issue->line >= 0);
	*errors += issue->is_error != 0;
}

static void read_pairs(const char *text, size_t len, bool sections)
{
	struct kl_properties r;
	int32_t line = 0;
	kl_properties_init(&r, text, len);
	r.sections = sections;
	while (kl_properties_next(&r)) {
		fuzz_must(r.line > line && r.key.len + r.value.len <= len * 2);
		line = r.line;
	}
	fuzz_must(!kl_properties_failed(&r));
	kl_properties_free(&r);
}

static void check_roles(const struct klamm_conf *conf)
{
	static const int32_t roles[] = {KLAMM_ROLE_PRODUCER, KLAMM_ROLE_CONSUMER,
					KLAMM_ROLE_ADMIN};
	for (size_t i = 0; i < kl_countof(roles); i++) {
		struct klamm_error err;
		size_t errors = 0;
		int rc = klamm_conf_check(conf, roles[i], on_issue, &errors, &err);
		fuzz_must((rc == 0) == (errors == 0));
	}
}

static void read_jaas(const char *text, size_t len)
{
	char *copy = strndup(text, len);
	struct kl_jaas jaas;
	struct kl_buf why = {0};
	fuzz_must(copy != NULL);
	if (kl_jaas_parse(copy, &jaas, &why)) {
		fuzz_must(jaas.module != NULL && jaas.count <= KL_JAAS_OPTIONS);
		for (size_t i = 0; i < jaas.count; i++)
			fuzz_must(jaas.options[i].name != NULL &&
				  jaas.options[i].value != NULL);
		KL_AUTO(kl_wipe_buf) struct kl_buf value = {0};
		kl_jaas_value(&jaas, "sasl.username", &value);
		kl_jaas_value(&jaas, "sasl.oauthbearer.config", &value);
		fuzz_must(!value.failed);
	} else {
		fuzz_must(why.len > 0);
	}
	kl_jaas_free(&jaas);
	kl_buf_free(&why);
	free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t how = fuzz_take(&data, &size);
	const char *text = (const char *)data;
	if (how & 4) {
		read_jaas(text, size);
		return 0;
	}
	if (reads_others(data, size))
		return -1;
	make_files();
	read_pairs(text, size, how & 1);
	struct klamm_conf *conf;
	struct klamm_error err;
	size_t errors = 0;
	fuzz_must(klamm_conf_new(&conf, NULL) == 0);
	fuzz_must(!(how & 2) || klamm_conf_profile(conf, "p", &err) == 0);
	int rc = klamm_conf_load_text(conf, file_of(how & 1 ? "d.properties" : "d"),
				      text, size, on_issue, &errors, &err);
	fuzz_must((rc == 0) == (errors == 0));
	fuzz_must(rc == 0 || (rc == KLAMM_ERR_CONFIG && err.text[0] != '\0'));
	check_roles(conf);
	klamm_conf_free(conf);
	return 0;
}
