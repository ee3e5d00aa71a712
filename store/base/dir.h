/* SPDX-License-Identifier: MIT */
/* One folder's entries, read at once and sorted bytewise. */
#ifndef INFLUXFS_BASE_DIR_H
#define INFLUXFS_BASE_DIR_H

#include <stddef.h>

struct dir {
    char **names; /* sorted by strcmp; without "." and ".."; names[i][-1] is the d_type */
    size_t n;
    char *arena; /* holds the names */
};

/* Reads the folder open at fd; the position of fd is ignored and kept. The caller releases *out
 * with dir_free. 0 or -errno. */
int dir_read(int fd, struct dir *out);

/* The same of these names alone, as far as they are there, without a look at the others. What is no name
 * of an entry is not there. */
int dir_pick(int fd, const char *const *names, size_t n, struct dir *out);

/* DT_REG, DT_DIR, … of entry i; DT_UNKNOWN on file systems that do not say. */
static inline unsigned char dir_type(const struct dir *d, size_t i)
{
    return (unsigned char)d->names[i][-1];
}

/* The index of name in the list, or -1. */
long dir_find(const struct dir *d, const char *name);

void dir_free(struct dir *d);

#endif
