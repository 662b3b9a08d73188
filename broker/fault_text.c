/* SPDX-License-Identifier: BSD-2-Clause */
/* Faults in words: "produce topic=t nth=3 error=NOT_LEADER_OR_FOLLOWER". The one grammar for
 * C, the command line and the setting klamm.fault. */
#include "broker/faults.h"

#include <stdio.h>
#include <strings.h>

#include "core/base/errtab.h"
#include "core/base/option.h"

/* What the words fill. */
struct words {
	const char *topic, *count, *error;
	int32_t partition, node, nth, every, drop, throttle, leader, coordinator, record;
	double probability;
	int64_t seed, delay, cut, lag, lose;
};

#define AT(member) offsetof(struct words, member)
#define INT(name_, member, range_)                                                      \
	{.name = name_, .type = KLAMM_OPTION_INT, .offset = AT(member), .range = range_}
#define LONG(name_, member, range_)                                                     \
	{.name = name_, .type = KLAMM_OPTION_LONG, .offset = AT(member), .range = range_}
#define TEXT(name_, member)                                                             \
	{.name = name_, .type = KLAMM_OPTION_STRING, .offset = AT(member)}

static const struct klamm_option rows[] = {
	TEXT("topic", topic),
	INT("partition", partition, "0.."),
	INT("node", node, "1.."),
	INT("nth", nth, "1.."),
	INT("every", every, "1.."),
	TEXT("count", count),
	{.name = "probability", .type = KLAMM_OPTION_DOUBLE, .offset = AT(probability),
	 .range = "0..1"},
	LONG("seed", seed, NULL),
	TEXT("error", error),
	LONG("delay", delay, "0..2147483647"),
	{.name = "drop", .type = KLAMM_OPTION_ENUM, .offset = AT(drop),
	 .range = "before|after"},
	LONG("cut", cut, "0.."),
	INT("throttle", throttle, "1.."),
	INT("leader", leader, "1.."),
	INT("coordinator", coordinator, "1.."),
	INT("record", record, "0.."),
	LONG("lag", lag, "1.."),
	LONG("lose", lose, "1.."),
};
enum {
	DROP_NOT_SET = -1,
	NEXT = -1, /* of leader and coordinator */
};

static const char *const flags[] = {"garbage", "reset", "silence"};
enum {
	GARBAGE = 1,
	RESET = 2,
	SILENCE = 4,
};

struct parser {
	struct words words;
	unsigned flags;
	uint32_t given; /* rows */
	struct kl_arena arena;
	struct klamm_broker_fault spec;
};

static int wrong(struct klamm_error *err, const char *word, const char *why)
{
	return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "fault: %s: %s", word, why);
}

/* --- words --- */

/* "ListOffsets", "list_offsets", "list-offsets". */
static bool is_api_name(const char *word, const char *name)
{
	for (; *word != '\0'; word++) {
		if (*word == '_' || *word == '-')
			continue;
		if ((*word | 0x20) != (*name | 0x20)) /* letters, of either case */
			return false;
		name++;
	}
	return *name == '\0';
}

static int take_api(struct parser *p, const char *word, struct klamm_error *err)
{
	p->spec.api = -1;
	if (strcasecmp(word, "any") == 0)
		return 0;
	for (size_t i = 0; i < kl_dev_api_count; i++) {
		if (is_api_name(word, kl_api_name(kl_dev_apis[i].api))) {
			p->spec.api = kl_dev_apis[i].api;
			return 0;
		}
	}
	return wrong(err, word, "a fault begins with an API that this broker serves, such as "
				"produce, or with any");
}

static int take_flag(struct parser *p, const char *word, struct klamm_error *err)
{
	for (unsigned i = 0; i < kl_countof(flags); i++) {
		if (strcmp(word, flags[i]) != 0)
			continue;
		p->flags |= 1u << i;
		return 0;
	}
	return wrong(err, word, "there is no such word");
}

static int take_value(struct parser *p, char *word, char *value, struct klamm_error *err)
{
	value[-1] = '\0';
	for (size_t i = 0; i < kl_countof(rows); i++) {
		const struct klamm_option *row = &rows[i];
		if (strcmp(word, row->name) != 0)
			continue;
		if (p->given & UINT32_C(1) << i)
			return wrong(err, word, "stands there twice");
		p->given |= UINT32_C(1) << i;
		if ((row->offset == AT(leader) || row->offset == AT(coordinator)) &&
		    strcmp(value, "next") == 0) {
			*(int32_t *)((char *)&p->words + row->offset) = NEXT;
			return 0;
		}
		struct klamm_error why;
		if (kl_option_store(row, value, &p->arena, &p->words, &why) != 0)
			return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "fault: %s",
					why.text);
		return 0;
	}
	return wrong(err, word, "there is no such word");
}

static int take_words(struct parser *p, char *text, struct klamm_error *err)
{
	char *save = NULL, *word = strtok_r(text, " \t\n", &save);
	if (word == NULL)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "fault: nothing is said");
	int rc = take_api(p, word, err);
	while (rc == 0 && (word = strtok_r(NULL, " \t\n", &save)) != NULL) {
		char *equal = strchr(word, '=');
		rc = equal != NULL ? take_value(p, word, equal + 1, err)
				   : take_flag(p, word, err);
	}
	return rc;
}

/* --- what they mean together --- */

/* A name of Kafka's, or a number. */
static int take_error(struct parser *p, struct klamm_error *err)
{
	const char *text = p->words.error;
	int64_t number;
	if (kl_parse_int(text, strlen(text), &number) && number >= -1 && number <= INT16_MAX) {
		p->spec.error = (int32_t)number;
		return number != 0 ? 0 : wrong(err, "error=0", "is none");
	}
	for (int code = -1; code <= INT8_MAX * 2; code++) {
		const struct kl_err_entry *entry = kl_err_find(code);
		if (code == 0 || entry == NULL || strcasecmp(entry->name, text) != 0)
			continue;
		p->spec.error = code;
		return 0;
	}
	return wrong(err, text, "Kafka has no such error");
}

static int take_count(struct parser *p, struct klamm_error *err)
{
	const char *text = p->words.count;
	int64_t n;
	bool all = text == NULL ? p->words.every > 0 || p->words.probability > 0
				: strcmp(text, "all") == 0;
	if (all || text == NULL) {
		p->spec.count = all ? -1 : 1;
		return 0;
	}
	if (!kl_parse_int(text, strlen(text), &n) || n < 1 || n > INT32_MAX)
		return wrong(err, text, "count must be 1 or more, or all");
	p->spec.count = (int32_t)n;
	return 0;
}

static int take_action(struct parser *p, struct klamm_error *err)
{
	const struct words *w = &p->words;
	bool drops = w->drop != DROP_NOT_SET, cuts = w->cut >= 0;
	int actions = drops + cuts + (w->error != NULL) + ((p->flags & GARBAGE) != 0) +
		      ((p->flags & SILENCE) != 0);
	bool beside = w->delay > 0 || w->throttle > 0 || w->leader != 0 ||
		      w->coordinator != 0 || w->lag > 0;
	p->spec.reset = (p->flags & RESET) != 0;
	if (actions > 1)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"fault: only one of error, drop, cut, garbage and silence "
				"can happen");
	if (p->spec.reset && actions == 1 && !drops && !cuts)
		return wrong(err, "reset", "goes with drop or cut, or alone");
	if (drops || (p->spec.reset && actions == 0))
		p->spec.action = w->drop == 1 ? KLAMM_BROKER_DROP_AFTER : KLAMM_BROKER_DROP;
	else if (cuts)
		p->spec.action = KLAMM_BROKER_CUT;
	else if (w->error != NULL)
		p->spec.action = KLAMM_BROKER_ERROR;
	else if (actions == 1)
		p->spec.action = p->flags & GARBAGE ? KLAMM_BROKER_GARBAGE
						    : KLAMM_BROKER_SILENCE;
	else if (!beside)
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT,
				"fault: it does not say what is to happen");
	return w->error != NULL ? take_error(p, err) : 0;
}

static int conclude(struct parser *p, struct klamm_error *err)
{
	const struct words *w = &p->words;
	struct klamm_broker_fault *spec = &p->spec;
	if (w->topic == NULL && w->partition >= 0)
		return wrong(err, "partition", "needs a topic");
	if (w->topic == NULL && w->leader != 0)
		return wrong(err, "leader", "needs a topic");
	if (w->probability == 0)
		return wrong(err, "probability", "must be above 0");
	if (w->record >= 0 && (w->error == NULL || p->spec.api != KL_API_PRODUCE))
		return wrong(err, "record", "goes with produce and error");
	if (w->lag > 0 && p->spec.api != KL_API_FETCH)
		return wrong(err, "lag", "goes with fetch");
	if (w->lose > 0 && w->leader == 0)
		return wrong(err, "lose", "goes with leader");
	spec->node = w->node;
	spec->topic = w->topic;
	spec->partition = w->partition;
	/* Every third is the third, the sixth, ... unless nth says where that begins. */
	spec->skip = (w->nth > 0 ? w->nth : kl_max(w->every, 1)) - 1;
	spec->every = w->every;
	spec->probability = kl_max(w->probability, 0.0);
	spec->seed = w->seed;
	spec->delay_ms = w->delay;
	spec->cut = kl_max(w->cut, (int64_t)0);
	spec->throttle_ms = w->throttle;
	spec->leader = w->leader;
	spec->coordinator = w->coordinator;
	spec->record = w->record + 1;
	spec->lag = w->lag;
	spec->lose = w->lose;
	int rc = take_count(p, err);
	return rc == 0 ? take_action(p, err) : rc;
}

int kl_dev_fault_parse(const char *text, size_t len, struct kl_dev_fault **fault_out,
		       struct klamm_error *err)
{
	struct parser p = {
		.words = {.partition = -1, .probability = -1, .drop = DROP_NOT_SET, .cut = -1,
			  .record = -1},
		.spec = {.size = sizeof(p.spec)},
	};
	char *copy = strndup(text, len);
	if (copy == NULL)
		return kl_error(err, KLAMM_ERR_NO_MEMORY, "out of memory for a fault");
	int rc = take_words(&p, copy, err);
	if (rc == 0)
		rc = conclude(&p, err);
	if (rc == 0)
		rc = kl_dev_fault_new(&p.spec, fault_out, err);
	kl_arena_free(&p.arena);
	free(copy);
	return rc;
}

/* --- and back --- */

static void print_who(const char *key, int32_t node, struct kl_buf *out)
{
	if (node < 0)
		kl_buf_printf(out, " %s=next", key);
	else if (node > 0)
		kl_buf_printf(out, " %s=%d", key, node);
}

/* As short as it can be. */
static void print_probability(double v, struct kl_buf *out)
{
	char text[KL_DOUBLE_TEXT];
	if (kl_print_double(v, text))
		kl_buf_printf(out, " probability=%s", text);
	else
		out->failed = true;
}

static void print_which(const struct klamm_broker_fault *spec, struct kl_buf *out)
{
	kl_buf_printf(out, "%s", spec->api < 0 ? "any" : kl_api_name(spec->api));
	if (spec->topic != NULL)
		kl_buf_printf(out, " topic=%s", spec->topic);
	if (spec->topic != NULL && spec->partition >= 0)
		kl_buf_printf(out, " partition=%d", spec->partition);
	print_who("node", spec->node, out);
	if (spec->skip > 0 || spec->every > 0)
		kl_buf_printf(out, " nth=%lld", (long long)spec->skip + 1);
	if (spec->every > 0)
		kl_buf_printf(out, " every=%d", spec->every);
	if (spec->probability > 0)
		print_probability(spec->probability, out);
	if (spec->seed != 0)
		kl_buf_printf(out, " seed=%lld", (long long)spec->seed);
	if (spec->count < 0)
		kl_buf_printf(out, " count=all");
	else
		kl_buf_printf(out, " count=%d", kl_max(spec->count, 1));
}

void kl_dev_fault_print(const struct klamm_broker_fault *spec, struct kl_buf *out)
{
	print_which(spec, out);
	if (spec->delay_ms > 0)
		kl_buf_printf(out, " delay=%lld", (long long)spec->delay_ms);
	print_who("leader", spec->leader, out);
	if (spec->lose > 0)
		kl_buf_printf(out, " lose=%lld", (long long)spec->lose);
	print_who("coordinator", spec->coordinator, out);
	if (spec->throttle_ms > 0)
		kl_buf_printf(out, " throttle=%d", spec->throttle_ms);
	if (spec->lag > 0)
		kl_buf_printf(out, " lag=%lld", (long long)spec->lag);
	static const char *const words[] = {
		[KLAMM_BROKER_PASS] = "",
		[KLAMM_BROKER_ERROR] = " error=",
		[KLAMM_BROKER_DROP] = " drop=before",
		[KLAMM_BROKER_DROP_AFTER] = " drop=after",
		[KLAMM_BROKER_SILENCE] = " silence",
		[KLAMM_BROKER_CUT] = " cut=",
		[KLAMM_BROKER_GARBAGE] = " garbage",
	};
	kl_buf_printf(out, "%s", words[spec->action]);
	if (spec->action == KLAMM_BROKER_ERROR && kl_err_find(spec->error) != NULL)
		kl_buf_printf(out, "%s", klamm_err_name(spec->error));
	else if (spec->action == KLAMM_BROKER_ERROR)
		kl_buf_printf(out, "%d", spec->error);
	if (spec->record > 0)
		kl_buf_printf(out, " record=%d", spec->record - 1);
	if (spec->action == KLAMM_BROKER_CUT)
		kl_buf_printf(out, "%lld", (long long)spec->cut);
	if (spec->reset)
		kl_buf_printf(out, " reset");
}
