/* SPDX-License-Identifier: MIT */
/* Whether a snapshot that is not compressed is there to its end: by the last bytes of its tar alone,
 * however large it is. What lies before them may be damaged all the same. */
#ifndef INFLUXFS_INFLUXSNAP_TAREND_H
#define INFLUXFS_INFLUXSNAP_TAREND_H

#include "store/base/err.h"
#include "store/snapshot/manifest.h"

/* m: its manifest. A tar that is compressed passes. -EBADMSG, with a message: it is cut off, or
 * something follows it; others from the system. */
int tarend_check(const char *path, const struct manifest *m, struct err *e);

#endif
