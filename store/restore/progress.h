/* SPDX-License-Identifier: MIT */
/* The contents of restore/status.json: a plain record, kept and guarded by account.h. */
#ifndef INFLUXFS_RESTORE_PROGRESS_H
#define INFLUXFS_RESTORE_PROGRESS_H

#include "store/restore/composed.h"
#include "store/restore/target.h"
#include "store/snapshot/manifest.h"

#include <json-c/json.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A verified increment that waits for its parent. */
struct waiting {
    char *name; /* under which it was uploaded */
    int64_t number;
    char *id, *parent; /* of snapshots */
    char *waits_for;   /* a message */
};

/* All zeros: none. */
struct waiting_list {
    struct waiting *at;
    size_t n;
};

/* Adds one at the end; copies all texts. -ENOMEM: the list is unchanged. */
int waiting_add(struct waiting_list *list, const char *name, const struct manifest *m,
                const char *waits_for);

/* -ENOMEM. */
int waiting_copy(const struct waiting_list *list, struct waiting_list *out);

/* The list is empty then. */
void waiting_free(struct waiting_list *list);

enum progress_state {
    PROGRESS_IDLE,
    PROGRESS_RECEIVING,
    PROGRESS_VERIFIED,
    PROGRESS_INSTALLING,
    PROGRESS_RESTORED,
    PROGRESS_PENDING, /* an increment waits for its parent */
    PROGRESS_REFUSED
};

struct progress {
    enum progress_state state;
    char *name, *id, *error;
    char *kept[TARGETS];      /* folders that keep the old store */
    struct composed composed; /* of what was restored last, if that was a part of a snapshot */
    char **warnings;          /* about what was restored last; by array_grow */
    size_t nwarnings;
    uint64_t bytes, total_bytes;
    size_t files, total_files;
    int64_t started_ns, ended_ns; /* 0: not */
    struct waiting_list waiting;  /* increments */
    uint64_t restores;            /* that have been committed */
};

static inline bool progress_ended(const struct progress *s)
{
    return s->state == PROGRESS_IDLE || s->state >= PROGRESS_RESTORED;
}

/* A copy, which the caller clears. Without memory, parts are missing. */
void progress_copy(const struct progress *from, struct progress *to);

void progress_forget_warnings(struct progress *s);
void progress_clear(struct progress *s);

/* As an object, which the caller puts. NULL: out of memory. */
struct json_object *progress_object(const struct progress *s);

#endif
