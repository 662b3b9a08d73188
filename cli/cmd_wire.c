/* SPDX-License-Identifier: BSD-2-Clause */
/* klamm wire decode, klamm wire encode */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "cli/io.h"
#include "cli/value.h"
#include "cli/wire.h"
#include "core/base/error.h"

struct options {
	bool request, response, framed;
	const char *api;
	int32_t version; /* -1 = not said */
};

struct run {
	const struct cli *cli;
	bool framed;
	const struct kl_msg *response; /* NULL: requests */
	int version;
	int (*item)(struct run *run, struct klamm_span line, struct klamm_error *err);
	const char *source; /* "line", "argument" */
	size_t number;      /* of the line or argument */
	struct json_tokener *parser;
	struct kl_arena arena; /* of the item */
	struct kl_buf bytes, again;
	struct cli_out out;
	int status;
};

/* --- which message --- */

static int find_api(const struct cli *cli, const char *text,
		    const struct kl_msg **msg_out)
{
	const char *names[KL_API_COUNT];
	int64_t api;
	if (!cli_number(text, 0, KL_API_COUNT - 1, &api))
		api = kl_api_named(text);
	if (api >= 0 && kl_msg_response((int)api) != NULL) {
		*msg_out = kl_msg_response((int)api);
		return 0;
	}
	for (int i = 0; i < KL_API_COUNT; i++)
		names[i] = kl_api_name(i);
	const char *near = api < 0 ? cli_nearest(text, names, KL_API_COUNT) : NULL;
	if (near != NULL)
		return cli_usage(cli, "--api %s: no such API; did you mean %s?", text,
				 near);
	return cli_usage(cli, "--api %s: klamm has no message of such an API", text);
}

static int choose(struct run *run, const struct options *o)
{
	const struct cli *cli = run->cli;
	if (o->request == o->response)
		return cli_usage(cli, "either --request or --response");
	if (o->request) {
		if (o->api != NULL || o->version >= 0)
			return cli_usage(cli,
					 "--api and --version are for --response: a "
					 "request's header names both");
		return 0;
	}
	if (o->api == NULL || o->version < 0)
		return cli_usage(cli,
				 "--response needs --api and --version: a response "
				 "does not name them");
	int status = find_api(cli, o->api, &run->response);
	if (status != 0)
		return status;
	if (o->version < run->response->min || o->version > run->response->max)
		return cli_usage(cli, "--version %d: %s has versions %d to %d",
				 o->version, run->response->name, run->response->min,
				 run->response->max);
	run->version = o->version;
	return 0;
}

/* --- one line --- */

static int unframe(const struct run *run, struct klamm_span *bytes,
		   struct klamm_error *err)
{
	struct kl_reader reader = kl_reader(bytes->data, bytes->len);
	uint32_t size = kl_read_u32(&reader);
	if (reader.failed)
		return kl_error(err, KLAMM_ERR_PROTOCOL,
				"a frame begins with a size of four bytes");
	if (size != kl_reader_left(&reader))
		return kl_error(err, KLAMM_ERR_PROTOCOL,
				"the frame's size is %u bytes, %zu follow it", size,
				kl_reader_left(&reader));
	*bytes = (struct klamm_span){reader.p, size};
	return 0;
}

/* Kafka itself writes a message in one way only; other writers may waste bytes. */
static void check_again(struct run *run, const struct kl_packet *packet,
			struct klamm_span bytes)
{
	struct klamm_error err;
	kl_buf_clear(&run->again);
	int rc = kl_packet_encode(packet, &run->again, &err);
	if (rc == 0 && run->again.len == bytes.len &&
	    memcmp(run->again.data, bytes.data, bytes.len) == 0)
		return;
	if (!run->cli->quiet)
		fprintf(stderr,
			"klamm: %s %zu: note: not as Kafka would write it; encoding "
			"gives other bytes\n",
			run->source, run->number);
}

static int decode_item(struct run *run, struct klamm_span line, struct klamm_error *err)
{
	struct kl_packet packet;
	kl_buf_clear(&run->bytes);
	int rc = cli_wire_unhex(line, &run->bytes, err);
	if (rc != 0)
		return rc;
	struct klamm_span bytes = {run->bytes.data, run->bytes.len};
	if (run->framed)
		rc = unframe(run, &bytes, err);
	if (rc == 0)
		rc = kl_packet_decode(run->response, run->version, bytes.data,
				      bytes.len, &run->arena, &packet, err);
	if (rc != 0)
		return rc;
	check_again(run, &packet, bytes);
	kl_packet_json(&packet, false, &run->out.buf);
	kl_buf_u8(&run->out.buf, '\n');
	return 0;
}

static int encode_json(struct run *run, struct json_object *json,
		       struct klamm_error *err)
{
	struct kl_packet packet;
	int rc = cli_wire_packet(json, run->response, run->version, &run->arena,
				 &packet, err);
	if (rc != 0)
		return rc;
	kl_buf_clear(&run->bytes);
	if (run->framed)
		kl_buf_i32(&run->bytes, 0);
	rc = kl_packet_encode(&packet, &run->bytes, err);
	if (rc != 0)
		return rc;
	if (run->framed)
		kl_store_u32(run->bytes.data, (uint32_t)(run->bytes.len - 4));
	cli_wire_hex(&run->bytes, &run->out.buf);
	kl_buf_u8(&run->out.buf, '\n');
	return 0;
}

static int encode_item(struct run *run, struct klamm_span line, struct klamm_error *err)
{
	struct json_object *json;
	char why[128];
	if (!cli_json_parse(run->parser, line.data, line.len, &json, why))
		return kl_error(err, KLAMM_ERR_INVALID_ARGUMENT, "%s", why);
	int rc = encode_json(run, json, err);
	json_object_put(json);
	return rc;
}

/* --- all of them --- */

static bool is_blank(struct klamm_span line)
{
	const char *text = line.data;
	for (size_t i = 0; i < line.len; i++)
		if (strchr(" \t\r", text[i]) == NULL || text[i] == '\0')
			return false;
	return true;
}

/* A line that is wrong is told and left out; the others still count. */
static void do_line(struct run *run, struct klamm_span line)
{
	struct klamm_error err = {0};
	run->number++;
	if (is_blank(line))
		return;
	if (run->item(run, line, &err) != 0)
		run->status = cli_fail(CLI_FAILED, "%s %zu: %s", run->source,
				       run->number, err.text);
	kl_arena_reset(&run->arena);
	cli_out_check(&run->out);
}

static void do_stdin(struct run *run)
{
	struct cli_lines lines;
	struct klamm_span line;
	int rc = 0;
	run->source = "line";
	run->number = 0;
	cli_lines_init(&lines, STDIN_FILENO, (struct klamm_span){"\n", 1});
	for (;;) {
		while (!cli_out_broken(&run->out) && cli_lines_next(&lines, &line))
			do_line(run, line);
		if (cli_out_broken(&run->out) || lines.at_end)
			break;
		/* Whoever waits for an answer gets it before we wait for more. */
		cli_out_flush(&run->out);
		rc = cli_lines_fill(&lines);
		if (rc < 0 && rc != -EINTR)
			break;
	}
	if (rc < 0 && rc != -EINTR)
		run->status = cli_fail(CLI_FAILED, "line %zu: %s", run->number + 1,
				       rc == -EFBIG ? "it is too long" : strerror(-rc));
	cli_lines_free(&lines);
}

static void do_arguments(struct run *run, const struct cli_list *args)
{
	for (size_t i = 0; i < args->n; i++) {
		if (strcmp(args->v[i], "-") == 0) {
			do_stdin(run);
			continue;
		}
		run->source = "argument";
		run->number = i;
		do_line(run, (struct klamm_span){args->v[i], strlen(args->v[i])});
	}
	if (args->n == 0)
		do_stdin(run);
}

static int run_wire(struct run *run, const void *options, const struct cli_list *args)
{
	const struct options *o = options;
	int status = choose(run, o);
	if (status != 0)
		return status;
	run->framed = o->framed;
	run->out.fd = STDOUT_FILENO;
	run->parser = cli_json_parser();
	do_arguments(run, args);
	json_tokener_free(run->parser);
	kl_arena_free(&run->arena);
	kl_buf_free(&run->bytes);
	kl_buf_free(&run->again);
	return cli_out_end(&run->out, run->status);
}

static int decode(struct cli *cli, const void *options, const struct cli_list *args)
{
	return run_wire(&(struct run){.cli = cli, .item = decode_item}, options, args);
}

static int encode(struct cli *cli, const void *options, const struct cli_list *args)
{
	return run_wire(&(struct run){.cli = cli, .item = encode_item}, options, args);
}

#define AT(member) offsetof(struct options, member)

static const struct cli_option rows[] = {
	{0, "request", NULL, CLI_FLAG, AT(request), 0, 0,
	 "the messages are requests, whose headers name API and version"},
	{0, "response", NULL, CLI_FLAG, AT(response), 0, 0,
	 "the messages are responses to --api in --version"},
	{0, "api", "API", CLI_TEXT, AT(api), 0, 0, "number or name: 3, Metadata"},
	{0, "version", "N", CLI_INT32, AT(version), 0, INT16_MAX, "version of the API"},
	{0, "framed", NULL, CLI_FLAG, AT(framed), 0, 0,
	 "the size comes first, in four bytes, as on a connection"},
	{0},
};

static const struct options defaults = {.version = -1};

const struct cli_command cli_wire_decode = {
	.name = "wire decode",
	.args = "[HEX...]",
	.max_args = CLI_MANY,
	.summary = "print messages of the protocol as JSON",
	.about = "HEX is one message, header and body; - stands for standard input, a\n"
		 "message a line, and so does no HEX at all. Each becomes a line of JSON,\n"
		 "{\"header\":{...},\"body\":{...}}, of which klamm wire encode makes the\n"
		 "same bytes. Bytes are {\"base64\":\"...\"}; tagged fields that klamm does\n"
		 "not know are in _tags.\n",
	.options = rows,
	.defaults = &defaults,
	.size = sizeof(struct options),
	.run = decode,
};

const struct cli_command cli_wire_encode = {
	.name = "wire encode",
	.args = "",
	.summary = "make messages of the protocol from JSON",
	.about = "Standard input has a line for each message, as klamm wire decode\n"
		 "prints it. A member that is left out has its default. Each becomes a\n"
		 "line of hexadecimal digits.\n",
	.options = rows,
	.defaults = &defaults,
	.size = sizeof(struct options),
	.run = encode,
};
