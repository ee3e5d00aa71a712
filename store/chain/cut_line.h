/* SPDX-License-Identifier: MIT */
/* What a cut's manifest says of one file or folder, and the line that says it (cutlist.h). Pure. */
#ifndef INFLUXFS_CHAIN_CUT_LINE_H
#define INFLUXFS_CHAIN_CUT_LINE_H

#include "store/base/sha256.h"
#include "store/chain/cut_text.h"
#include "store/snapshot/held.h"

/* Where a file is retained: the serial of the cut that first had it, and a number within that. */
struct cut_place {
    uint64_t serial;
    uint32_t seq;
};

/* A file or folder of the store: attr.mode tells which. */
struct cut_entry {
    const char *path; /* "data/DB/RP/ID/NAME" */
    struct file_attr attr;
    /* Of a file: */
    uint64_t index; /* the change counter when it last changed */
    uint64_t ino;   /* inode in the store: with size and time it shows whether the file changed */
    struct cut_place place;
    bool have_sum;
    uint8_t sum[SHA256_BYTES];
};

/* The order of a snapshot's members: meta, data, wal; below these bytewise by component, a folder
 * before what is in it. */
int cut_path_cmp(const char *a, const char *b);

static inline bool cut_is_folder(const struct cut_entry *e)
{
    return S_ISDIR(e->attr.mode);
}

/* The letter that starts the line of a file, folder or name; 0: a line of the head. */
char cut_line_kind(const char *line);

/* In which order kinds come: lines of the head, files and folders, files that went, folders that went,
 * and what else may be. */
int cut_line_rank(const char *line);

void cut_line_put(FILE *f, const struct cut_entry *e);

/* Reads the line of a file or folder, without its first word; the path lies in p. -EBADMSG, with a
 * message. */
int cut_line_read(const struct cut_reader *r, bool folder, char *p, struct cut_entry *out);

#endif
