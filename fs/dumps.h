/* SPDX-License-Identifier: MIT */
/*
 * dump/FORMAT/DB/RP/DAY/MEASUREMENT_FROM_TO.FORMAT: measurements as text (store/export/dump.h,
 * dump_name.h), of a database at the caller's instant (parts.h). A file is made while it is read
 * (generated.h).
 *
 * A damaged file of the store gives EIO to whatever needs it; status.json has its name and the
 * place. A list of days or measurements first names those of all other shards. With option
 * skip_damaged the file is left out instead, and status.json says what is lacking. Sizes stay
 * exact, since damage does not go away.
 */
#ifndef INFLUXFS_FS_DUMPS_H
#define INFLUXFS_FS_DUMPS_H

#include "fs/fs.h"

#include "store/program/report.h"

int dumps_new(struct fs *fs, struct node **out);
/* Releases what the files are made of, once nothing is open. */
void dumps_drop_all(struct dumps *d);
void dumps_free(struct dumps *d); /* after its nodes; NULL is allowed */

/* Adds to *out what dumps made since the mount lack because of damage. *more: there is more than
 * can be remembered. -ENOMEM. */
int dumps_lacks(struct dumps *d, struct report_texts *out, bool *more);

/* Bytes of files without a name that dumps being made take now, and the most that they took together. */
void dumps_spilled(const struct dumps *d, uint64_t *now, uint64_t *most);

/* Releases what has had its time (lifetime.h). */
void dumps_expire(struct dumps *d);

#endif
