/* SPDX-License-Identifier: MIT */
/* What restore/status.json says. Not locked: its account's lock guards it. */
#ifndef INFLUXFS_RESTORE_PROGRESS_H
#define INFLUXFS_RESTORE_PROGRESS_H

#include "store/restore/waiting.h"
#include "store/snapshot/manifest.h"

#include <stddef.h>
#include <stdint.h>

enum progress_state {
    PROGRESS_IDLE,
    PROGRESS_RECEIVING,
    PROGRESS_VERIFIED,
    PROGRESS_INSTALLING,
    PROGRESS_RESTORED,
    PROGRESS_PENDING, /* a number waits for its parent */
    PROGRESS_REFUSED
};

struct progress {
    enum progress_state state;
    char *name, *id, *error;
    char *kept[4];
    char **warnings; /* about what was restored last */
    size_t nwarnings;
    uint64_t bytes, total_bytes;
    size_t files, total_files;
    int64_t started_ns, ended_ns; /* 0: not */
    struct waiting_list waiting;
};

static inline bool progress_ended(const struct progress *s)
{
    return s->state == PROGRESS_IDLE || s->state >= PROGRESS_RESTORED;
}

void progress_begin(struct progress *s, const char *name);
void progress_manifest(struct progress *s, const struct manifest *m);
void progress_state(struct progress *s, enum progress_state state, const char *name,
                    const char *error);
void progress_kept(struct progress *s, char *const kept[],
                   size_t n); /* copies; NULLs are left out */
void progress_warn(struct progress *s, const char *text);
void progress_forget_warnings(struct progress *s);
void progress_clear(struct progress *s);

/* JSON text with a newline at its end, the caller's. -ENOMEM. */
int progress_json(const struct progress *s, uint64_t restores, char **text);

#endif
