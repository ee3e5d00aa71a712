/* SPDX-License-Identifier: MIT */
/*
 * dump/FORMAT/DB/RP/DAY/MEASUREMENT_FROM_TO.FORMAT: measurements as text (store/export/dump.h,
 * dump_name.h).
 *
 * What is listed and dumped is the store at the caller's instant (instant.h). A file is made while
 * it is read (generated.h).
 *
 * A file of the store that is damaged gives EIO, with its name and the place in status.json, to
 * whatever needs it. A list of days or measurements names those of all other shards first. With
 * option skip_damaged it is left out instead, and status.json says what is lacking; as what is
 * damaged stays so, sizes are as exact as ever.
 */
#ifndef INFLUXFS_FS_DUMPS_H
#define INFLUXFS_FS_DUMPS_H

#include "fs/fs.h"

#include "store/program/report.h"

int dumps_new(struct fs *fs, struct node **out);
/* Lets go of what the files are made of: nothing is open any more. */
void dumps_drop_all(struct dumps *d);
void dumps_free(struct dumps *d); /* after its nodes; NULL is allowed */

/* What was damaged and is therefore lacking in dumps that were made since the mount: adds it to
 * *out, and says whether there is more than can be remembered. -ENOMEM. */
int dumps_lacks(struct dumps *d, struct report_texts *out, bool *more);

/* Lets go of what the files are made of whose time has come. */
void dumps_expire(struct dumps *d);

#endif
