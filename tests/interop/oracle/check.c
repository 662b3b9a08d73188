/* SPDX-License-Identifier: BSD-2-Clause */
/* Holds klamm's message engine to Kafka's own.
 *
 * Reads lines of Oracle.java, "name version hex json", from the files named or standard input.
 * Each has to decode, to print as the same values, and to encode to the same bytes; and every
 * message of klamm's in every version has to be there. Messages that klamm has not are passed
 * over. A version that an earlier file had is passed over in a later one: the older release
 * is asked only for what the newer has dropped, as fields were renamed in between. Prints
 * TAP, one point per message. */
#include <ctype.h>
#include <json-c/json.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/proto/msg.h"

static unsigned points, failures;
static char why[512];

static bool fail(const char *text, const char *path)
{
	if (why[0] == '\0')
		snprintf(why, sizeof(why), "%s: %s", path, text);
	return false;
}

static bool same(const char *path, struct json_object *ours, struct json_object *theirs);

/* Kafka writes bytes as base64 text, and of records only their number. */
static bool same_bytes(const char *path, const char *base64, struct json_object *theirs)
{
	if (json_object_is_type(theirs, json_type_string))
		return strcmp(base64, json_object_get_string(theirs)) == 0 ||
		       fail("other bytes", path);
	size_t n = strlen(base64), pad = 0;
	while (pad < n && base64[n - 1 - pad] == '=')
		pad++;
	return (int64_t)(n / 4 * 3 - pad) == json_object_get_int64(theirs) ||
	       fail("another number of bytes", path);
}

/* The schema's ThrottleTimeMs is throttleTimeMs in Kafka's JSON. */
static struct json_object *member(struct json_object *of, const char *name, bool *found_out)
{
	struct json_object *value = NULL;
	char theirs[256];
	snprintf(theirs, sizeof(theirs), "%c%s", tolower((unsigned char)name[0]), name + 1);
	*found_out = json_object_object_get_ex(of, theirs, &value);
	if (!*found_out) {
		strncat(theirs, "SizeInBytes", sizeof(theirs) - strlen(theirs) - 1);
		*found_out = json_object_object_get_ex(of, theirs, &value);
	}
	return value;
}

static bool same_objects(const char *path, struct json_object *ours,
			 struct json_object *theirs)
{
	struct json_object *base64;
	if (json_object_object_length(ours) == 1 &&
	    json_object_object_get_ex(ours, "base64", &base64))
		return same_bytes(path, json_object_get_string(base64), theirs);
	if (!json_object_is_type(theirs, json_type_object))
		return fail("a struct here only", path);
	int count = 0;
	json_object_object_foreach(ours, name, value) {
		if (strcmp(name, "_tags") == 0)
			continue; /* Kafka does not print them; the bytes tell */
		char below[256];
		snprintf(below, sizeof(below), "%s.%s", path, name);
		bool found;
		struct json_object *other = member(theirs, name, &found);
		if (!found)
			return fail("here only", below);
		if (!same(below, value, other))
			return false;
		count++;
	}
	return count == json_object_object_length(theirs) || fail("fields are missing", path);
}

static bool same_arrays(const char *path, struct json_object *ours, struct json_object *theirs)
{
	size_t n = json_object_array_length(ours);
	if (!json_object_is_type(theirs, json_type_array) ||
	    json_object_array_length(theirs) != n)
		return fail("another number of elements", path);
	for (size_t i = 0; i < n; i++)
		if (!same(path, json_object_array_get_idx(ours, i),
			  json_object_array_get_idx(theirs, i)))
			return false;
	return true;
}

static bool same(const char *path, struct json_object *ours, struct json_object *theirs)
{
	enum json_type type = json_object_get_type(ours);
	if (type == json_type_object)
		return same_objects(path, ours, theirs);
	if (type == json_type_array)
		return same_arrays(path, ours, theirs);
	if (type == json_type_null || theirs == NULL)
		return ours == theirs || fail("null on one side only", path);
	if (type == json_type_string)
		return strcmp(json_object_get_string(ours),
			      json_object_get_string(theirs)) == 0 ||
		       fail("another string", path);
	if (type == json_type_double || json_object_is_type(theirs, json_type_double))
		return json_object_get_double(ours) == json_object_get_double(theirs) ||
		       fail("another number", path);
	return (type == json_object_get_type(theirs) &&
		json_object_get_int64(ours) == json_object_get_int64(theirs)) ||
	       fail("another number", path);
}

static bool compare_json(const struct kl_msg *msg, int version, const void *obj,
			 const char *json)
{
	struct kl_buf text = {0};
	kl_msg_json(msg, version, obj, &text);
	struct json_object *ours = json_tokener_parse(kl_buf_text(&text));
	struct json_object *theirs = json_tokener_parse(json);
	bool ok = ours != NULL && theirs != NULL ? same("", ours, theirs)
						 : fail("not JSON", "");
	json_object_put(ours);
	json_object_put(theirs);
	kl_buf_free(&text);
	return ok;
}

static bool check_bytes(const struct kl_msg *msg, int version, const uint8_t *p, size_t n,
			const char *json)
{
	struct klamm_error err;
	struct kl_arena arena = {0};
	struct kl_buf again = {0};
	struct kl_reader r = kl_reader(p, n);
	void *obj;
	bool ok = true;
	if (kl_msg_decode(msg, version, &r, &arena, &obj, &err) != 0)
		ok = fail(err.text, "decode");
	else if (kl_reader_left(&r) > 0)
		ok = fail("bytes are left over", "decode");
	else if (!compare_json(msg, version, obj, json))
		ok = false;
	else if (kl_msg_encode(msg, version, obj, &again, &err) != 0)
		ok = fail(err.text, "encode");
	else if (again.len != n || (n > 0 && memcmp(again.data, p, n) != 0))
		ok = fail("other bytes", "encode");
	kl_buf_free(&again);
	kl_arena_free(&arena);
	return ok;
}

/* In place: two digits become one byte. "-" stands for no bytes. */
static size_t unhex(char *hex)
{
	size_t n = 0;
	for (const char *p = hex; isxdigit((unsigned char)p[0]); p += 2) {
		char pair[] = {p[0], p[1], '\0'};
		hex[n++] = (char)strtol(pair, NULL, 16);
	}
	return n;
}

/* What was seen of each message, by its place in the table. */
struct seen {
	int file[256]; /* where a version was seen, from 1; 0 = nowhere */
	unsigned lines, bad;
};

static struct seen *find(struct seen *all, const char *name, const struct kl_msg **msg_out)
{
	size_t count;
	const struct kl_msg *const *table = kl_msg_all(&count);
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i]->name, name) == 0) {
			*msg_out = table[i];
			return &all[i];
		}
	}
	return NULL;
}

static void check_line(struct seen *all, char *line, int file)
{
	char *rest;
	char *name = strtok_r(line, " ", &rest), *version = strtok_r(NULL, " ", &rest);
	char *hex = strtok_r(NULL, " ", &rest), *json = strtok_r(NULL, "\n", &rest);
	const struct kl_msg *msg;
	if (json == NULL) {
		printf("not ok %u - a line that is not \"name version hex json\"\n", ++points);
		failures++;
		return;
	}
	struct seen *seen = find(all, name, &msg);
	int v = atoi(version);
	if (seen == NULL || v < msg->min || v > msg->max)
		return;
	if (seen->file[v] != 0 && seen->file[v] != file)
		return;
	seen->file[v] = file;
	seen->lines++;
	size_t n = unhex(hex);
	/* Its own block, so that a sanitizer sees one byte too far. */
	uint8_t *bytes = malloc(n ? n : 1);
	if (bytes == NULL)
		exit(2);
	memcpy(bytes, hex, n);
	why[0] = '\0';
	if (!check_bytes(msg, v, bytes, n, json)) {
		seen->bad++;
		printf("# %s version %d: %s\n", name, v, why);
	}
	free(bytes);
}

static void check_file(struct seen *all, FILE *file, int number)
{
	char *line = NULL;
	size_t room = 0;
	while (getline(&line, &room, file) > 0)
		if (line[0] != '#')
			check_line(all, line, number);
	free(line);
}

static void report(const struct kl_msg *msg, const struct seen *seen)
{
	bool ok = seen->bad == 0;
	for (int v = msg->min; v <= msg->max; v++) {
		if (seen->file[v] == 0) {
			printf("# %s version %d is not in the input\n", msg->name, v);
			ok = false;
		}
	}
	printf("%s %u - %s, %u messages\n", ok ? "ok" : "not ok", ++points, msg->name,
	       seen->lines);
	failures += !ok;
}

int main(int argc, char **argv)
{
	size_t count;
	const struct kl_msg *const *table = kl_msg_all(&count);
	struct seen *all = calloc(count, sizeof(*all));
	if (all == NULL)
		return 2;
	if (argc < 2)
		check_file(all, stdin, 1);
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "r");
		if (file == NULL) {
			perror(argv[i]);
			return 2;
		}
		check_file(all, file, i);
		fclose(file);
	}
	for (size_t i = 0; i < count; i++)
		report(table[i], &all[i]);
	printf("1..%u\n", points);
	free(all);
	return failures > 0;
}
