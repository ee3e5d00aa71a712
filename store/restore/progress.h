/* SPDX-License-Identifier: MIT */
/* What restore/status.json says. Not locked: the session's lock guards it. */
#ifndef INFLUXFS_RESTORE_PROGRESS_H
#define INFLUXFS_RESTORE_PROGRESS_H

#include "store/restore/session.h"
#include "store/snapshot/manifest.h"

#include <json-c/json.h>
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
    int64_t started_ns, ended_ns;    /* 0: not */
    struct session_waiting *waiting; /* numbers that wait for their parent */
    size_t nwaiting;
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

/* A copy, which the caller clears. What memory does not suffice for is missing. */
void progress_copy(const struct progress *from, struct progress *to);

/* As an object, which the caller puts (NULL: out of memory); as text with a newline at its end, the
 * caller's (-ENOMEM). */
struct json_object *progress_object(const struct progress *s, uint64_t restores);
int progress_json(const struct progress *s, uint64_t restores, char **text);

#endif
