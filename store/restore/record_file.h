/* SPDX-License-Identifier: MIT */
/*
 * The file of a record (record.h): the text of a full manifest (manifest_text.h), in which each file
 * has a line. Written and read file by file, so that memory does not grow with the store. One thread.
 */
#ifndef INFLUXFS_RESTORE_RECORD_FILE_H
#define INFLUXFS_RESTORE_RECORD_FILE_H

#include "store/snapshot/manifest.h"

struct record_writing;

/* Begins folder/NAME, beside what has that name: m, but for its files. -errno */
int record_writing_open(int folder, const char *name, const struct manifest *m,
                        struct record_writing **out);
void record_writing_add(struct record_writing *w, const struct manifest_file *f);

/* Ends it, durably, and frees w in any case: the name is that of the whole new file, or of what it was
 * before. commit: false to give it up. The first error of all, as -errno. */
int record_writing_end(struct record_writing *w, bool commit);

struct record_reading;

/* Opens it. -ENOENT; -EBADMSG: it is damaged, or of another version; others of the system. */
int record_reading_open(int folder, const char *name, struct record_reading **out);
void record_reading_close(struct record_reading *r); /* NULL is allowed */
static inline void record_reading_closep(struct record_reading **r)
{
    record_reading_close(*r);
}

/* The manifest without its files, which are counted (manifest.h: unlisted). It stays r's. */
struct manifest *record_reading_head(const struct record_reading *r);

/* The next file, from the first on, valid until the next call: 1; 0: the end; -EBADMSG. */
int record_reading_next(struct record_reading *r, struct manifest_file *out);

#endif
