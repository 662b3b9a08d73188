/* SPDX-License-Identifier: BSD-2-Clause */
/* The option table: every key that klamm knows, in rows_*.c. Parser, range errors,
 * explain, manual and samples derive from it. Constant data, any thread. */
#ifndef KL_TABLE_H
#define KL_TABLE_H

#include <klamm/plugin.h>

#include "core/base/arena.h"
#include "core/base/base.h"
#include "core/base/buf.h"
#include "core/conf/settings.h"

/* What setting the key does today. A feature that lands changes this column. */
enum kl_status {
	KL_STATUS_WORKS = 0,
	KL_STATUS_JVM,	   /* accepted and noted: only a JVM has a use for it */
	KL_STATUS_OTHER,   /* accepted and noted: belongs to another kind of client */
	KL_STATUS_INSTEAD, /* only the default is accepted: to ignore it would change what
			    * happens, and `instead` says how the same is had here, or why
			    * it is not */
};

struct kl_conf_row {
	/* As in a plugin's own table. offset is into struct kl_settings, where 0 (the
	 * role) says that the engine does not read the key. An ENUM's number is its
	 * word's place in range, or values[place]. A LIST becomes a struct kl_strlist.
	 */
	struct klamm_option option;
	int32_t roles;	/* enum klamm_role, or-ed */
	int32_t status; /* enum kl_status */
	int32_t kind;	/* enum klamm_kind whose plugins the value names; 0 = none */
	const char *consumer_def, *admin_def; /* where they differ from option.def */
	const char *also;   /* KL_STATUS_JVM, _OTHER: values that go unnoted: "a b" */
	const char *words;  /* other spellings of values: "smallest=earliest ..." */
	const char *unit;   /* "ms", "bytes", "seconds" */
	const char *reader; /* plugins that read it; NULL = the core */
	const char *owner;  /* KL_STATUS_OTHER, _INSTEAD: whose key it is; Kafka's if NULL */
	const char *instead; /* the same: "set buffer.memory"; OTHER may have none */
	const char *example; /* for samples, where there is no default */
	const int32_t *values;
	/* Instead of range: false says why ("must be ..."). */
	bool (*check)(const char *text, struct kl_buf *why);
	/* Instead of the type's own way into the settings. NO_MEMORY. */
	int (*fill)(const struct kl_conf_row *row, const char *text,
		    struct kl_settings *settings, struct kl_arena *arena);
};

/* Encodings of text as Java spells them: those that plugins/common/charset.h has, and other
 * names that Java takes for them. */
#define KL_ENCODINGS "UTF-8|ISO-8859-1|US-ASCII|UTF-16|UTF-16BE|UTF-16LE"
#define KL_ENCODING_WORDS                                                                   \
	"UTF8=UTF-8 latin1=ISO-8859-1 l1=ISO-8859-1 ISO8859_1=ISO-8859-1 "                  \
	"ISO8859-1=ISO-8859-1 ISO_8859-1=ISO-8859-1 ASCII=US-ASCII UTF16=UTF-16 "           \
	"UTF_16=UTF-16 UTF_16BE=UTF-16BE UTF_16LE=UTF-16LE"

/* Another name of a key, whose values have to be translated. */
struct kl_conf_alias {
	const char *name, *key;
	int64_t scale;	   /* so many units of the key are one of the alias; 0 = the same */
	const char *words; /* values that mean something else, as in a row */
	const char *unit;  /* of the alias, with scale */
};

struct kl_conf_rows {
	const struct kl_conf_row *v;
	size_t n;
	const char *title; /* of their chapter in manual and samples */
};
extern const struct kl_conf_rows kl_conf_common_rows, kl_conf_producer_rows,
	kl_conf_consumer_rows, kl_conf_tls_rows, kl_conf_sasl_rows, kl_conf_oauth_rows,
	kl_conf_aws_rows, kl_conf_klamm_rows, kl_conf_others_rows, kl_conf_librdkafka_rows;

/* Rows by number, in the order of the table; the count never changes. */
size_t kl_conf_row_count(void);
const struct kl_conf_row *kl_conf_row(size_t i);

/* The same rows by groups; NULL behind the last one. */
const struct kl_conf_rows *kl_conf_group(size_t g);

/* The row of a key or an alias, its number in *index_out (may be NULL); NULL = none.
 * '_' in key stands for '.', '-' or '_': bootstrap_servers. */
const struct kl_conf_row *kl_conf_find(const char *key, size_t *index_out);

/* Does key spell this name? */
bool kl_conf_same_name(const char *name, size_t len, const char *key);

/* Translated names: by number, NULL behind the last one; and by name, NULL = none.
 * kl_conf_find() finds their rows. */
const struct kl_conf_alias *kl_conf_alias(size_t i);
const struct kl_conf_alias *kl_conf_find_alias(const char *name);
/* The text in the key's own terms. False says why it has none. */
bool kl_conf_translate(const struct kl_conf_alias *alias, const char *text,
		       struct kl_buf *out, struct kl_buf *why);

/* What stands for text in "smallest=earliest largest=latest", or text itself. */
struct klamm_span kl_conf_word(const char *words, struct klamm_span text);

/* The i-th of the names in a space separated list, with its length; NULL at the end. */
const char *kl_word(const char *words, size_t i, size_t *len_out);

/* Can the value of the key be a plugin's own option:
 * [key.|value.]<kind>.<name>.<option>? */
bool kl_conf_is_plugin_key(const char *key);

/* The default for one role, or for the first that the row has. */
const char *kl_conf_default(const struct kl_conf_row *row, int32_t role);

/* The nearest name or alias, *distance_out edits away; NULL when none is near. out
 * holds the text. */
const char *kl_conf_nearest(const char *key, struct kl_buf *out, size_t *distance_out);

/* What is stored for a text: trimmed, other spellings replaced, lists as "a,b",
 * enumerations as in range. False says why it is not a value of this row ("must be
 * 0..10"). */
bool kl_conf_normal(const struct kl_conf_row *row, const char *text,
		    struct kl_buf *normal, struct kl_buf *why);

/* The name of the plugin that a Java or kafka-python class stands for. False: not the
 * name of a plugin either. */
bool kl_plugin_name(int32_t kind, const char *text, size_t len, struct kl_buf *name,
		    struct kl_buf *why);
const char *kl_kind_name(int32_t kind); /* "codec" */

/* Columns check and fill. */
bool kl_check_servers(const char *text, struct kl_buf *why);
bool kl_check_jaas(const char *text, struct kl_buf *why);
bool kl_check_nonempty(const char *text, struct kl_buf *why);
bool kl_check_instance_id(const char *text, struct kl_buf *why);
bool kl_check_identification(const char *text, struct kl_buf *why);
bool kl_check_proxy(const char *text, struct kl_buf *why);
bool kl_check_release(const char *text, struct kl_buf *why);
bool kl_check_offset_reset(const char *text, struct kl_buf *why);
int kl_fill_endpoints(const struct kl_conf_row *row, const char *text,
		      struct kl_settings *settings, struct kl_arena *arena);
int kl_fill_offset_reset(const struct kl_conf_row *row, const char *text,
			 struct kl_settings *settings, struct kl_arena *arena);

#endif
