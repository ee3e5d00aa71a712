/* SPDX-License-Identifier: MIT */
/*
 * What libarchive forgives in a tar. A frame watches the plain bytes, block after block, beside
 * libarchive, and checks all but the members' data: the exact form of each header's checksum, the
 * header types of a snapshot, padding of zeros, and zeros to the end. So no byte can change or hide
 * unseen.
 *
 * Pure; used by one thread at a time. Functions return 0 or -EBADMSG with a message; -ENOMEM.
 */
#ifndef INFLUXFS_RESTORE_TAR_FRAME_H
#define INFLUXFS_RESTORE_TAR_FRAME_H

#include "store/base/err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TAR_HEADERS_MAX (64 << 10) /* bytes of one member's headers, pax records and all */

struct tar_frame {
    const unsigned char *block; /* the current one */
    uint64_t start, end;        /* where it lies in the tar */
    uint64_t headers;           /* where the next member's headers begin */
    uint64_t padding;           /* where the current member's data end */
    bool known;                 /* a member was read: headers and padding follow from it */
    bool tail;
    unsigned char *saved; /* header bytes that lay in blocks gone by */
    size_t nsaved;
};

/* A zeroed frame is at the start of a tar. */
void tar_frame_free(struct tar_frame *f);

/* Takes a block; tar_frame_leave must follow before the next one. */
int tar_frame_block(struct tar_frame *f, const void *block, size_t n, struct err *e);
int tar_frame_leave(struct tar_frame *f, struct err *e);

/* libarchive has read a member's headers: they end at data_start; size bytes of data follow. */
int tar_frame_member(struct tar_frame *f, uint64_t data_start, uint64_t size, bool folder,
                     struct err *e);

/* The current member was the last one. */
int tar_frame_tail(struct tar_frame *f, struct err *e);

/* Whether the tar may end here: at least two blocks of zeros, and whole blocks only. */
bool tar_frame_complete(const struct tar_frame *f);

/* Whether these TAR_BLOCK bytes are a header with the right checksum. */
bool tar_frame_header_ok(const unsigned char *header);

#endif
