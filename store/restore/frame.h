/* SPDX-License-Identifier: MIT */
/*
 * The strict part of reading a tar: what libarchive forgives. It watches the plain bytes of a tar
 * go by, in blocks, beside libarchive, and checks what lies between the members' data: each
 * header's checksum in its exact form, only header types that a snapshot has, padding of zeros, and
 * zeros to the end. So no byte of a snapshot can change unseen, and none can hide.
 *
 * The order of calls for each block: frame_leave (the block before it is about to go), frame_block.
 * When libarchive has read a member's header: frame_member. After the last member: frame_tail.
 * Pure; one thread at a time. Every function that checks returns 0 or -EBADMSG with words.
 */
#ifndef INFLUXFS_RESTORE_FRAME_H
#define INFLUXFS_RESTORE_FRAME_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FRAME_BLOCK 512
#define FRAME_HEADERS_MAX (64 << 10) /* of one member, pax records and all */

struct frame {
    const unsigned char *block; /* the current one */
    uint64_t start, end;        /* where it lies in the tar */
    uint64_t headers;           /* where the next member's headers begin */
    uint64_t padding;           /* where the current member's data end */
    bool known;                 /* headers and padding are those of the member being read */
    bool tail;
    unsigned char *saved; /* header bytes that lay in blocks gone by */
    size_t nsaved;
};

void frame_init(struct frame *f);
void frame_free(struct frame *f);

int frame_leave(struct frame *f, struct err *e);
int frame_block(struct frame *f, const void *block, size_t n, struct err *e);

/* The headers of a member end at data_start; size bytes of data follow. */
int frame_member(struct frame *f, uint64_t data_start, uint64_t size, bool folder, struct err *e);

/* The current member was the last one. */
int frame_tail(struct frame *f, struct err *e);

/* Whether the tar may end with the bytes seen so far: two blocks of zeros, and whole blocks only.
 */
bool frame_complete(const struct frame *f);

/* Whether these 512 bytes are a header with a right checksum. */
bool frame_header_ok(const unsigned char *header);

#endif
