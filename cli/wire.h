/* SPDX-License-Identifier: BSD-2-Clause */
/* Messages of the protocol as people write them: hexadecimal digits, and JSON as
 * kl_packet_json() prints it. */
#ifndef CLI_WIRE_H
#define CLI_WIRE_H

#include <json-c/json.h>

#include "cli/cli.h"
#include "core/proto/packet.h"

/* Append the bytes that the digits stand for; blanks between them are fine. */
int cli_wire_unhex(struct klamm_span text, struct kl_buf *buf, struct klamm_error *err);
void cli_wire_hex(const struct kl_buf *bytes, struct kl_buf *text);

/* The reverse of kl_packet_json(). response NULL: a request, whose header names API and
 * version. A member that is left out has its default; one that this version does not have
 * is an error. json and arena own what the packet points to. The text of an error says
 * which member: "body.Topics[2].Name must be ...". */
int cli_wire_packet(struct json_object *json, const struct kl_msg *response, int version,
		    struct kl_arena *arena, struct kl_packet *packet_out,
		    struct klamm_error *err);

#endif
