/* SPDX-License-Identifier: MIT */
/* What a merge leaves as it is in a database although the snapshot has it
 * otherwise. */
#ifndef INFLUXFS_RESTORE_MERGE_NOTES_H
#define INFLUXFS_RESTORE_MERGE_NOTES_H

#include "store/influx/metaedit.h"
#include "store/influx/selection.h"

/* Lines for the operator. */
struct merge_notes {
    char **lines;
    size_t n;
};

/* Adds a line. -ENOMEM. */
int merge_note(struct merge_notes *to, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void merge_notes_clear(struct merge_notes *notes);

/* Adds a line for each policy with other rules, for another default policy, and
 * for continuous queries and subscriptions that are not here or say something
 * else. Call before anything is added to `here`. -ENOMEM. */
int merge_notes_take(const struct metaedit *here, const struct metaedit_item *our_db,
                     const struct metaedit *there, const struct metaedit_item *their_db,
                     const struct selection *what, struct merge_notes *to);

#endif
