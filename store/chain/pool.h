/* SPDX-License-Identifier: MIT */
/*
 * The retained files: cuts/files/SERIAL/SEQ below the state folder, SERIAL being that of the cut
 * which first had the file.
 *
 * A file that influxd never changes is kept as one more hard link of it where link(2) succeeds,
 * everything else as a copy, with holes where it is zeros. A retained file holds just the bytes
 * that a snapshot holds of it. Its name's mode, owner and times mean nothing: a manifest has those.
 *
 * Who adds and removes holds the cuts' lock; reading needs none.
 */
#ifndef INFLUXFS_CHAIN_POOL_H
#define INFLUXFS_CHAIN_POOL_H

#include "store/chain/cut_rules.h"
#include "store/chain/cutlist.h"

#include <stdint.h>

/* Opens a retained file for reading: -EIO, with a message, if it is not there or not size bytes long.
 * cuts_fd is the folder cuts/. The descriptor is the caller's. */
int pool_open(int cuts_fd, const struct cut_place *place, uint64_t size, struct err *e);

/* Files being added for one new cut. */
struct pool_adding {
    int cuts_fd;
    int folder; /* cuts/files/SERIAL; -1 until the first file comes */
    uint64_t serial;
    uint32_t next;
    struct err said;  /* why the first one that is not a matter of that file alone was copied */
    uint64_t reserve; /* bytes that must stay free on the disk */
    uint64_t copied, copied_bytes;
};

/* Retains file i of the capture. *linked tells how. -ENOSPC: the reserve would be used up, or the
 * disk is full. */
int pool_add(struct pool_adding *p, const struct capture *c, size_t i, struct cut_place *out,
             bool *linked, struct err *e);

/* How much is free of the disk that fd lies on, and how much is to stay so by the rules. */
int pool_room(int fd, const struct cut_rules *rules, uint64_t *reserve, uint64_t *avail,
              struct err *e);

/* Whether that much more can be written to it: -ENOSPC, with a message. */
int pool_check_room(int fd, uint64_t reserve, uint64_t more, struct err *e);

/* Everything added is on disk. Closes the folder. */
int pool_finish(struct pool_adding *p, struct err *e);

/* Removes the files of cuts with serials up to last for which keep says no, and folders that are
 * empty by that; counts what was removed. What is no retained file by its name stays. -EBUSY:
 * something is mounted in such a folder. */
int pool_sweep(int cuts_fd, uint64_t last, bool (*keep)(void *ctx, uint64_t serial, uint32_t seq),
               void *ctx, uint64_t *removed, uint64_t *freed, struct err *e);

/* Removes what lies there of cuts with serials from first on: they were not completed. */
int pool_remove_from(int cuts_fd, uint64_t first, struct err *e);

/* How many files are retained, their bytes, and the bytes of those that have no other name. */
int pool_usage(int cuts_fd, uint64_t *files, uint64_t *bytes, uint64_t *only_ours, struct err *e);

#endif
