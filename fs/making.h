/* SPDX-License-Identifier: MIT */
/*
 * A generated file being made, for all who read it at about the same place. A thread makes the bytes,
 * in order, and keeps the last MAKING_WINDOW of them; so no reader who is killed spoils the others.
 * It makes what is asked for and no more.
 *
 * Where readers are not equally fast, the first one waits for those who fall back, so that one making
 * is enough: for up to a second in all, then for a quarter of the time, and not for one who takes
 * nothing. Who falls back further has to begin another making.
 *
 * The text must end at the size of the file: else reading its end is -EIO. After a failure the
 * making is of no more use. Safe in any thread.
 */
#ifndef INFLUXFS_FS_MAKING_H
#define INFLUXFS_FS_MAKING_H

#include "fs/generated_text.h"

#define MAKING_WINDOW ((size_t)4 << 20)

struct making;

/* A reader, of one making after the other. All zeros at first. */
struct making_reader {
    struct making *of; /* guarded by the owner of the makings, as are joining and leaving */
    uint64_t at;       /* its next byte, if it reads in order */
    uint64_t need;     /* while it waits: the end of what it waits for */
    bool waits;
    int64_t used_ns;                   /* when it took something last */
    struct making_reader *prev, *next; /* the readers of one making */
};

/* Begins at the last mark at or before an offset. g and c must outlive the making. -ENOMEM. */
int making_new(const struct generated *g, struct schema_cache *c, uint64_t before,
               struct making **out);
/* Ends the thread, soon. It has no readers any more. NULL is allowed. */
void making_free(struct making *m);

/* r, of this making or another or none, is from now on one of its readers; or of none. */
void making_join(struct making *m, struct making_reader *r);
void making_leave(struct making_reader *r);
/* All its readers leave. */
void making_abandon(struct making *m);

/* How far the making must go for the byte at an offset: 0 if it has that byte, MAKING_NEVER if that
 * has passed, or lies so far ahead that readers other than r would lose their place. */
uint64_t making_distance(struct making *m, const struct making_reader *r, uint64_t off);
#define MAKING_NEVER UINT64_MAX

/* When bytes were last taken from it, on the monotonic clock; 0: it has no readers. */
int64_t making_used_ns(struct making *m);

/* Gives r, one of its readers, 1 to n bytes at off, and has `ahead` more made; 0 if they have passed.
 * The n bytes lie within the file. The maker's errors, with a message; -EIO; -EINTR if who is
 * interrupted, after which the making goes on. */
ssize_t making_take(struct making *m, struct making_reader *r, const struct tarball_reader *who,
                    void *buf, size_t n, uint64_t off, size_t ahead, struct err *e);

#endif
