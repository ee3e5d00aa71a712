/* SPDX-License-Identifier: MIT */
/*
 * The header of one tar member, as bytes: ustar (POSIX.1-1988), preceded by a pax header where a
 * field does not fit. libarchive writes it. The bytes depend on the arguments and on the names of
 * the owner and group only, not on the locale. Safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_TARHEAD_H
#define INFLUXFS_SNAPSHOT_TARHEAD_H

#include "store/snapshot/held.h"

#define TAR_BLOCK 512
#define TAR_END (2 * TAR_BLOCK) /* zeros after the last member, at least */
#define TARHEAD_MAX 32768       /* no header is larger: a path has at most 4095 bytes */

/* The bytes that n bytes of data take: whole blocks. */
static inline uint64_t tar_round_up(uint64_t n)
{
    return (n + TAR_BLOCK - 1) / TAR_BLOCK * TAR_BLOCK;
}

/* Writes the header of the file or folder path (a folder without its trailing slash) into buf.
 * Its length, a multiple of 512, or -errno. */
int tarhead_write(const char *path, const struct file_attr *attr, char buf[TARHEAD_MAX]);

/* The length that tarhead_write will give. */
int tarhead_len(const char *path, const struct file_attr *attr);

#endif
