/* SPDX-License-Identifier: BSD-2-Clause */
/* LZ4 frames in messages v0. Kafka's clients and brokers of that time computed the checksum
 * of the frame's header over its magic number as well (KAFKA-3160), and take no other
 * (KIP-57). */
#ifndef KL_LEGACY_LZ4_H
#define KL_LEGACY_LZ4_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Puts in the checksum that the frame format asks for, so that any LZ4 library reads it: on
 * the records of a batch with magic 0 and codec 3, after its CRC was checked. */
void kl_legacy_mend_lz4(uint8_t *frame, size_t n);
/* The other way round, for messages v0 that are written. false: it is no frame, or one that
 * names content size and dictionary, which nobody took then. */
bool kl_legacy_spoil_lz4(uint8_t *frame, size_t n);

#endif
