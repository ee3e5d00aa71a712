/* SPDX-License-Identifier: MIT */
/*
 * What ended lately: backups, verifications and restores, as the state folder remembers them in
 * history.json, so that one program shows what another did. A plain record; nothing depends on it.
 */
#ifndef INFLUXFS_PROGRAM_HISTORY_H
#define INFLUXFS_PROGRAM_HISTORY_H

#include <stddef.h>
#include <stdint.h>

enum history_kind { HISTORY_BACKUP, HISTORY_VERIFY, HISTORY_RESTORE, HISTORY_KINDS };

enum history_result { HISTORY_DONE, HISTORY_OMISSIONS, HISTORY_FAILED };

struct history_entry {
    enum history_result result;
    int64_t ended_ns; /* since 1970 */
    int64_t took_ns;
    uint64_t bytes;
    char *what; /* the file or folder that was written, checked or restored */
    char *id;   /* of the snapshot; or NULL */
    char *text; /* what was left out, or why it failed; or NULL */
};

/* The entries of each kind, the newest first. */
struct history {
    struct {
        struct history_entry *at;
        size_t n;
    } of[HISTORY_KINDS];
};

#endif
