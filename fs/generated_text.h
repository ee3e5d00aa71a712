/* SPDX-License-Identifier: MIT */
/* The text of a generated file, begun at a mark of it where there is one. One thread at a time. */
#ifndef INFLUXFS_FS_GENERATED_TEXT_H
#define INFLUXFS_FS_GENERATED_TEXT_H

#include "fs/generated_maker.h"

/* All zeros: the beginning. */
struct generated_text {
    void *made;         /* the maker's; NULL: not begun */
    uint64_t at;        /* its next byte */
    struct buffer mark; /* where to begin, unless empty */
    bool marked;        /* it began there */
};

/* Sets t, all zeros, to the last mark at or before an offset. */
void generated_text_at(const struct generated *g, uint64_t before, struct generated_text *t);
void generated_text_clear(const struct generated *g, struct generated_text *t);

/* Makes the next bytes, 1 to n, and keeps a mark after them if one is due; 0 at the end. buf NULL:
 * skips them. The maker's errors, with a message; -EINTR. reader and c outlive the text. After an error,
 * only generated_text_clear is allowed. */
ssize_t generated_text_next(const struct generated *g, struct schema_cache *c,
                            const struct tarball_reader *reader, struct generated_text *t,
                            void *buf, size_t n, struct err *e);

/* The text has failed, or is another one than it was: if that began at a mark, no later one does, so that
 * a mark which is wrong spoils one reading only. */
void generated_text_failed(const struct generated *g, const struct generated_text *t);

#endif
