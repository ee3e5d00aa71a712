/* SPDX-License-Identifier: MIT */
/*
 * The retained files: cuts/files/SERIAL/SEQ below the state folder; SERIAL is that of the cut that
 * first had the file.
 *
 * Files that influxd never changes are hard links where link(2) succeeds. All others are copies,
 * with holes for zeros. A retained file has just the bytes that a snapshot has of it; its mode,
 * owner and times mean nothing, as manifests have those. Adding and removing need the cuts' lock;
 * reading needs none.
 */
#ifndef INFLUXFS_CHAIN_POOL_H
#define INFLUXFS_CHAIN_POOL_H

#include "store/chain/cut_rules.h"
#include "store/chain/cutlist.h"

#include <stdint.h>

/* Opens a retained file for reading: -EIO, with a message, if it is missing or not size bytes long.
 * cuts_fd is the folder cuts/. The caller owns the descriptor. */
int pool_open(int cuts_fd, const struct cut_place *place, uint64_t size, struct err *e);

/* Opens the folder of the files with this serial, for the caller: each is called SEQ there. */
int pool_open_folder(int cuts_fd, uint64_t serial);

/* Files being added for one new cut. */
struct pool_adding {
    int cuts_fd;
    int folder; /* cuts/files/SERIAL; -1 until the first file comes */
    uint64_t serial;
    uint32_t next;
    struct err said;  /* why a file was copied: the first cause that concerns more than that file */
    uint64_t reserve; /* bytes that must stay free on the disk */
    uint64_t copied, copied_bytes;
    bool unsynced; /* some copies are not durable yet */
};

/* Retains file i of the capture. *linked: as a link. -ENOSPC: the reserve would be used up, or the
 * disk is full. */
int pool_add(struct pool_adding *p, const struct capture *c, size_t i, struct cut_place *out,
             bool *linked, struct err *e);

/* Removes some of the files that were added, n from number `first` on. */
int pool_take_back(struct pool_adding *p, uint32_t first, uint32_t n, struct err *e);

/* The free space of the disk of fd, and the reserve by the rules. */
int pool_room(int fd, const struct cut_rules *rules, uint64_t *reserve, uint64_t *avail,
              struct err *e);

/* Whether `more` bytes can be written to it: -ENOSPC, with a message. */
int pool_check_room(int fd, uint64_t reserve, uint64_t more, struct err *e);

/* Makes all added files durable and closes the folder. */
int pool_finish(struct pool_adding *p, struct err *e);

/* Removes the files of cuts with serials up to last that keep rejects, and folders that become
 * empty; counts the removals. Files with other names stay. -EBUSY: something is mounted in such a
 * folder. */
int pool_sweep(int cuts_fd, uint64_t last, bool (*keep)(void *ctx, uint64_t serial, uint32_t seq),
               void *ctx, uint64_t *removed, uint64_t *freed, struct err *e);

/* Removes the files of cuts with serials from first on, which were not completed. */
int pool_remove_from(int cuts_fd, uint64_t first, struct err *e);

/* The number of retained files, their bytes, and the bytes on disk of those that have no name outside
 * of the pool. */
int pool_usage(int cuts_fd, uint64_t *files, uint64_t *bytes, uint64_t *only_ours, struct err *e);

#endif
