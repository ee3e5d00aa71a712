/* SPDX-License-Identifier: MIT */
/*
 * Marks in texts that can only be made forward: places from which a text can be made on, each with
 * the bytes that its maker needs for that. They are kept by a text's digest, so they outlive its node
 * and its readers.
 *
 * The marks of a text lie about evenly. All of them together, of all texts, have one budget of bytes:
 * beyond it, those of the text that was used least recently go, and if there is one text alone, every
 * second of its marks, after which they lie twice as far apart. Safe in any thread.
 */
#ifndef INFLUXFS_FS_TEXTMARKS_H
#define INFLUXFS_FS_TEXTMARKS_H

#include "store/base/buffer.h"
#include "store/base/sha256.h"

#include <stdint.h>

struct textmarks;

/* budget: bytes in memory; apart: bytes of text from one mark to the next, at least. NULL: out of
 * memory. */
struct textmarks *textmarks_new(size_t budget, uint64_t apart);
void textmarks_free(struct textmarks *m); /* NULL is allowed */

/* Whether a mark at this offset of the text would be kept. Its beginning is no mark. */
bool textmarks_wanted(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t at);

/* Keeps a copy of the n bytes, if there is room. Nothing is lost without them, so there is no error. */
void textmarks_keep(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t at,
                    const void *bytes, size_t n);

/* The last mark at or before `before`: copies its bytes to *bytes, which is empty, and returns its
 * offset; 0: there is none, and *bytes stays empty. bytes NULL: asks for the offset alone. */
uint64_t textmarks_before(struct textmarks *m, const uint8_t text[SHA256_BYTES], uint64_t before,
                          struct buffer *bytes);

/* Forgets all marks of a text. */
void textmarks_drop(struct textmarks *m, const uint8_t text[SHA256_BYTES]);

#endif
