/* SPDX-License-Identifier: BSD-2-Clause */
/* Bytes as text: UTF-8, base64, JSON strings. */
#ifndef KL_TEXT_H
#define KL_TEXT_H

#include <klamm/types.h>

#include "core/base/buf.h"

/* Well-formed by RFC 3629: shortest forms, no surrogates, nothing above U+10FFFF. */
bool kl_utf8_valid(const void *p, size_t n);
/* To be shown on a terminal, in one line: what is no UTF-8 becomes '?', what controls a
 * terminal a blank. */
void kl_text_tame(char *text);
/* RFC 4648 section 4, padded. */
void kl_buf_base64(struct kl_buf *b, const void *p, size_t n);
/* A quoted JSON string; the bytes are valid UTF-8. */
void kl_buf_json_string(struct kl_buf *b, const void *p, size_t n);
/* A JSON string, or {"base64":"..."} when the bytes are not UTF-8. */
void kl_buf_json_bytes(struct kl_buf *b, const void *p, size_t n);

/* How many edits make a into b, exchanged neighbours being one (Damerau-Levenshtein), for "did
 * you mean"; case, and '.', '_' and '-', make no difference. SIZE_MAX for overlong words. */
size_t kl_text_edits(const char *a, size_t an, const char *b, size_t bn);

/* Kafka writes a UUID in base64url without padding: 22 characters and the NUL. */
#define KL_UUID_TEXT 23
void kl_uuid_text(const struct klamm_uuid *uuid, char text[static KL_UUID_TEXT]);
/* false: text is not such 22 characters. */
bool kl_uuid_parse(const char *text, struct klamm_uuid *uuid_out);

#endif
