/* SPDX-License-Identifier: MIT */
/* The verified increments that wait for their parent, as they are shown to people. Not locked. */
#ifndef INFLUXFS_RESTORE_WAITING_H
#define INFLUXFS_RESTORE_WAITING_H

#include "store/snapshot/manifest.h"

#include <stddef.h>
#include <stdint.h>

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

/* Adds one at the end; all texts are copied. -ENOMEM: the list is as it was. */
int waiting_add(struct waiting_list *list, const char *name, const struct manifest *m,
                const char *waits_for);

/* -ENOMEM. */
int waiting_copy(const struct waiting_list *list, struct waiting_list *out);

/* The list is empty then. */
void waiting_free(struct waiting_list *list);

#endif
