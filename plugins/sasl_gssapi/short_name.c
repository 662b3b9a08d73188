/* SPDX-License-Identifier: BSD-2-Clause */
#include "short_name.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

/* What any name may become, and how long a pattern may look at one: it is the operator's,
 * the name a client's. */
#define USER_MAX  1024
#define STEPS_MAX 100000
#define PARTS_MAX 2 /* behind the realm */

struct rule {
	bool is_default;
	unsigned parts; /* as many has the name; others are not for this rule */
	char *format;   /* "$1.$2@$0", where $0 is the realm */
	pcre2_code *whole, *from; /* NULL: none */
	struct kl_text to;        /* as PCRE2 writes it */
	bool repeat, lower, upper;
	struct rule *next;
};

struct kl_gss_rules {
	struct rule *first;
	pcre2_match_context *limits;
};

static int out_of_memory(struct klamm_error *err)
{
	return klamm_fail(err, KLAMM_ERR_NO_MEMORY, "out of memory for rules");
}

/* --- reading rules --- */

struct reader {
	const char *p, *end; /* of one rule */
	struct rule *rule;
	const char *why; /* what is wrong with it, or NULL */
	bool no_memory;
};

static bool take(struct reader *r, const char *word)
{
	size_t n = strlen(word);
	if ((size_t)(r->end - r->p) < n || memcmp(r->p, word, n) != 0)
		return false;
	r->p += n;
	return true;
}

/* All up to the character, which is passed. */
static char *take_until(struct reader *r, char stop)
{
	const char *at = memchr(r->p, stop, (size_t)(r->end - r->p));
	if (at == NULL) {
		r->why = "something is not closed";
		return NULL;
	}
	char *text = strndup(r->p, (size_t)(at - r->p));
	r->no_memory |= text == NULL;
	r->p = at + 1;
	return text;
}

static pcre2_code *take_pattern(struct reader *r, char stop, uint32_t options)
{
	char *text = take_until(r, stop);
	int code;
	size_t at;
	if (text == NULL)
		return NULL;
	pcre2_code *pattern = pcre2_compile((PCRE2_SPTR)text, PCRE2_ZERO_TERMINATED,
					    options, &code, &at, NULL);
	free(text);
	if (pattern == NULL && code == PCRE2_ERROR_NOMEMORY)
		r->no_memory = true;
	else if (pattern == NULL)
		r->why = "a pattern of it is no regular expression";
	return pattern;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static void take_parts(struct reader *r)
{
	if (r->p == r->end || !is_digit(*r->p))
		r->why = "[ must be followed by a number of parts";
	for (; r->p < r->end && is_digit(*r->p); r->p++)
		if (r->rule->parts <= PARTS_MAX)
			r->rule->parts = r->rule->parts * 10 + (unsigned)(*r->p - '0');
	if (r->why == NULL && !take(r, ":"))
		r->why = "a colon must follow the number of parts";
}

/* Each $ stands before the number of a part that is there. */
static void check_format(struct reader *r)
{
	for (const char *p = strchr(r->rule->format, '$'); p != NULL; p = strchr(p, '$')) {
		const char *digits = ++p;
		unsigned part = 0;
		for (; is_digit(*p); p++)
			part = part <= PARTS_MAX ? part * 10 + (unsigned)(*p - '0') : part;
		if (p == digits || part > r->rule->parts)
			r->why = "its format names a part that is not there";
	}
}

/* What stands for a match: in Java $1 and \c, in PCRE2 ${1} and $$. A number ends where no
 * group has a longer one. */
static void take_replacement(struct reader *r, const char *text)
{
	uint32_t groups;
	struct kl_text *to = &r->rule->to;
	pcre2_pattern_info(r->rule->from, PCRE2_INFO_CAPTURECOUNT, &groups);
	for (const char *p = text; *p != '\0'; p++) {
		if (*p == '$' && is_digit(p[1])) {
			uint32_t group = (uint32_t)(*++p - '0');
			while (is_digit(p[1]) &&
			       group * 10 + (uint32_t)(p[1] - '0') <= groups)
				group = group * 10 + (uint32_t)(*++p - '0');
			if (group > groups)
				r->why = "it names a group that its pattern does not have";
			kl_text_printf(to, "${%u}", group);
			continue;
		}
		if (*p == '$' || (*p == '\\' && p[1] == '\0'))
			r->why = "a $ without a number, or a \\ at the end, in what it "
				 "puts for a match";
		else if (*p == '\\')
			p++;
		if (*p == '$')
			kl_text_char(to, '$');
		kl_text_char(to, *p);
	}
	r->no_memory |= to->failed;
}

static void take_change(struct reader *r)
{
	r->rule->from = take_pattern(r, '/', 0);
	if (r->rule->from == NULL)
		return;
	char *to = take_until(r, '/');
	if (to != NULL)
		take_replacement(r, to);
	free(to);
	r->rule->repeat = take(r, "g");
}

static void take_rule(struct reader *r)
{
	struct rule *rule = r->rule;
	if (take(r, "DEFAULT")) {
		rule->is_default = true;
		return;
	}
	if (!take(r, "RULE:[")) {
		r->why = "a rule is DEFAULT, or begins with RULE:[";
		return;
	}
	take_parts(r);
	if (r->why == NULL && (rule->format = take_until(r, ']')) != NULL)
		check_format(r);
	if (rule->format == NULL || r->why != NULL)
		return;
	if (take(r, "("))
		rule->whole = take_pattern(r, ')', PCRE2_ANCHORED | PCRE2_ENDANCHORED);
	if (r->why == NULL && !r->no_memory && take(r, "s/"))
		take_change(r);
	take(r, "/");
	rule->lower = take(r, "L");
	rule->upper = !rule->lower && take(r, "U");
}

static void free_rule(struct rule *rule)
{
	free(rule->format);
	pcre2_code_free(rule->whole);
	pcre2_code_free(rule->from);
	kl_text_free(&rule->to);
	free(rule);
}

void kl_gss_rules_free(struct kl_gss_rules *rules)
{
	if (rules == NULL)
		return;
	while (rules->first != NULL) {
		struct rule *next = rules->first->next;
		free_rule(rules->first);
		rules->first = next;
	}
	pcre2_match_context_free(rules->limits);
	free(rules);
}

static int add_rule(struct rule ***last, const char *p, size_t n, struct klamm_error *err)
{
	struct rule *rule = calloc(1, sizeof(*rule));
	if (rule == NULL)
		return out_of_memory(err);
	**last = rule;
	*last = &rule->next;
	struct reader r = {.p = p, .end = p + n, .rule = rule};
	take_rule(&r);
	if (r.no_memory)
		return out_of_memory(err);
	if (r.why == NULL && r.p < r.end)
		r.why = "something is left behind it";
	return r.why == NULL ? 0
			     : klamm_fail(err, KLAMM_ERR_CONFIG,
					  "sasl.kerberos.principal.to.local.rules: %.*s: %s",
					  (int)(n < 150 ? n : 150), p, r.why);
}

/* One after the other, without the blanks around it. */
static int read_rules(const char *list, struct kl_gss_rules *rules, struct klamm_error *err)
{
	struct rule **last = &rules->first;
	int rc = 0;
	while (rc == 0) {
		list += strspn(list, " \t");
		size_t n = strcspn(list, ","), len = n;
		while (len > 0 && (list[len - 1] == ' ' || list[len - 1] == '\t'))
			len--;
		rc = add_rule(&last, list, len, err);
		list += n;
		if (*list++ == '\0')
			break;
	}
	return rc;
}

int kl_gss_rules_new(const char *list, struct kl_gss_rules **rules_out,
		     struct klamm_error *err)
{
	struct kl_gss_rules *rules = calloc(1, sizeof(*rules));
	if (rules == NULL)
		return out_of_memory(err);
	rules->limits = pcre2_match_context_create(NULL);
	int rc = rules->limits != NULL ? 0 : out_of_memory(err);
	if (rc == 0) {
		pcre2_set_match_limit(rules->limits, STEPS_MAX);
		rc = read_rules(list != NULL && *list != '\0' ? list : "DEFAULT", rules,
				err);
	}
	if (rc != 0) {
		kl_gss_rules_free(rules);
		return rc;
	}
	*rules_out = rules;
	return 0;
}

/* --- applying them --- */

/* The realm first, then the parts before it. */
struct name {
	struct klamm_span v[1 + PARTS_MAX];
	unsigned parts;
};

/* The only one of its kind, or NULL. */
static const char *only(const char *p, size_t n, char c)
{
	const char *found = memchr(p, c, n);
	return found != NULL && found == memrchr(p, c, n) ? found : NULL;
}

static bool read_name(const char *principal, size_t len, struct name *name)
{
	const char *at = only(principal, len, '@');
	if (at == NULL || memchr(principal, '\\', len) != NULL ||
	    memchr(principal, '\0', len) != NULL)
		return false;
	size_t first = (size_t)(at - principal);
	*name = (struct name){.parts = 1};
	name->v[0] = (struct klamm_span){at + 1, len - first - 1};
	const char *slash = memchr(principal, '/', len);
	if (slash != NULL) {
		if (slash > at || only(principal, len, '/') == NULL)
			return false;
		name->v[2] = (struct klamm_span){slash + 1, (size_t)(at - slash) - 1};
		first = (size_t)(slash - principal);
		name->parts = 2;
	}
	name->v[1] = (struct klamm_span){principal, first};
	return name->v[0].len > 0 && first > 0;
}

static void put_format(const char *format, const struct name *name, struct kl_text *to)
{
	for (; *format != '\0'; format++) {
		if (*format != '$') {
			kl_text_char(to, *format);
			continue;
		}
		unsigned part = 0;
		for (; is_digit(format[1]); format++)
			part = part * 10 + (unsigned)(format[1] - '0');
		kl_text_put(to, name->v[part].data, name->v[part].len);
	}
}

/* 1: it does; 0: it does not; else a code of PCRE2. */
static int matches(const struct kl_gss_rules *rules, const pcre2_code *pattern,
		   const struct kl_text *text)
{
	pcre2_match_data *data = pcre2_match_data_create(1, NULL);
	if (data == NULL)
		return PCRE2_ERROR_NOMEMORY;
	int rc = pcre2_match(pattern, (PCRE2_SPTR)kl_text_get(text), text->len, 0, 0, data,
			     rules->limits);
	pcre2_match_data_free(data);
	return rc == PCRE2_ERROR_NOMATCH ? 0 : rc < 0 ? rc : 1;
}

/* 1: it did, to `to`. */
static int change(const struct kl_gss_rules *rules, const struct rule *rule,
		  const struct kl_text *base, struct kl_text *to)
{
	size_t n = USER_MAX + 1;
	uint32_t options = PCRE2_SUBSTITUTE_UNSET_EMPTY;
	if (rule->repeat)
		options |= PCRE2_SUBSTITUTE_GLOBAL;
	if (!kl_text_reserve(to, n))
		return PCRE2_ERROR_NOMEMORY;
	int rc = pcre2_substitute(rule->from, (PCRE2_SPTR)kl_text_get(base), base->len, 0,
				  options, NULL, rules->limits,
				  (PCRE2_SPTR)kl_text_get(&rule->to), rule->to.len,
				  (PCRE2_UCHAR *)to->p, &n);
	to->len = rc < 0 ? 0 : n;
	return rc < 0 ? rc : 1;
}

static void change_case(const struct rule *rule, struct kl_text *text)
{
	for (size_t i = 0; i < text->len; i++) {
		char c = text->p[i];
		if (rule->lower && c >= 'A' && c <= 'Z')
			text->p[i] = (char)(c + ('a' - 'A'));
		else if (rule->upper && c >= 'a' && c <= 'z')
			text->p[i] = (char)(c - ('a' - 'A'));
	}
}

/* 1: the name is in user; 0: the rule does not apply; else a code of PCRE2. */
static int apply(const struct kl_gss_rules *rules, const struct rule *rule,
		 const struct name *name, const char *realm, struct kl_text *user)
{
	KL_TEXT_AUTO base = {0};
	if (rule->is_default) {
		bool ours = name->v[0].len == strlen(realm) &&
			    memcmp(name->v[0].data, realm, name->v[0].len) == 0;
		if (ours)
			kl_text_put(user, name->v[1].data, name->v[1].len);
		return ours;
	}
	if (rule->parts != name->parts)
		return 0;
	put_format(rule->format, name, &base);
	int rc = base.failed ? PCRE2_ERROR_NOMEMORY : 1;
	if (rc == 1 && rule->whole != NULL)
		rc = matches(rules, rule->whole, &base);
	if (rc != 1)
		return rc;
	if (rule->from != NULL)
		rc = change(rules, rule, &base, user);
	else
		kl_text_put(user, kl_text_get(&base), base.len);
	change_case(rule, user);
	return rc;
}

/* A rule that applied has the last word, as in Kafka. */
static const char *check_user(const struct kl_text *user)
{
	if (user->failed)
		return "out of memory";
	if (user->len == 0)
		return "the rule leaves nothing of it";
	if (user->len > USER_MAX)
		return "the rule makes it too long";
	return memchr(user->p, '/', user->len) != NULL ||
			       memchr(user->p, '@', user->len) != NULL
		       ? "what the rule makes of it is no simple name"
		       : NULL;
}

const char *kl_gss_rules_apply(const struct kl_gss_rules *rules, const char *principal,
			       size_t len, const char *realm, struct kl_text *user)
{
	struct name name;
	if (!read_name(principal, len, &name))
		return "it is not PRIMARY@REALM or PRIMARY/INSTANCE@REALM";
	for (const struct rule *rule = rules->first; rule != NULL; rule = rule->next) {
		int rc = apply(rules, rule, &name, realm, user);
		if (rc == 1)
			return check_user(user);
		if (rc == PCRE2_ERROR_NOMEMORY)
			return "out of memory, or the rule makes it too long";
		if (rc != 0)
			return "a rule's pattern takes too long for it";
	}
	return "no rule applies";
}
