/* SPDX-License-Identifier: MIT */
/* The result of an archive: for its caller, for the history, and for what watches the job. */
#ifndef INFLUXFS_NIGHTLY_ARCHIVE_TOLD_H
#define INFLUXFS_NIGHTLY_ARCHIVE_TOLD_H

#include "mount-helper/nightly/archive_keep.h"
#include "mount-helper/nightly/archive_source.h"
#include "mount-helper/nightly/nightjob.h"

struct archive_told {
    const struct archive_place *place;
    struct archive_source *source; /* NULL: the store could not be captured */
    const struct receipt *receipt; /* without objects after a dry run */
    const struct archive_past *past;
    const struct archive_kept *kept;
};

/* Prints the result, or adds it to the job's JSON; after a dry run, what would be uploaded and removed.
 * -errno with a message, of a file of a set that cannot be made. */
int archive_told_print(const struct archive_told *t, struct nightjob *j, struct err *e);

/* Writes it down as a backup that ended with code (history.h), and for the record of jobs (j->end). why: it
 * failed. A dry run is not remembered. */
void archive_told_remember(const struct archive_told *t, struct nightjob *j, int64_t began_ns,
                           int code, const char *why);

#endif
