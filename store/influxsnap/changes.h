/* SPDX-License-Identifier: MIT */
/* The difference between the present store and its state in a chain of snapshots. Of the chain only
 * the manifests are read: names of folders; name, size and time of each file. */
#ifndef INFLUXFS_INFLUXSNAP_CHANGES_H
#define INFLUXFS_INFLUXSNAP_CHANGES_H

#include "store/base/err.h"
#include "store/chain/cut_text.h"
#include "store/snapshot/capture.h"
#include "store/snapshot/manifest.h"

struct changes {
    bool *in; /* of each member of the capture: whether it goes into the next snapshot */
    const char **removed, **removed_folders; /* sorted; they point into the manifests */
    size_t nremoved, nremoved_folders;
    uint64_t files, bytes; /* that are new or have changed */
    bool meta;             /* meta/meta.db is among them */
    bool matters;          /* anything else, outside of _internal unless that was asked for */
    struct cut_lost lost;  /* of the chain's, by the notion of cuts (cut_loss.h) */
};

/* Whether a capture is of a part of the store that names _internal: then that counts as any other
 * database. */
bool changes_of_internal(const struct capture *now);

/* chain[0] is the full snapshot; each other member follows the one before it. All must outlive
 * *out, which the caller releases with changes_clear. -EBADMSG: a file became a folder, or the
 * reverse. */
int changes_find(const struct manifest *const chain[], size_t n, const struct capture *now,
                 struct changes *out, struct err *e);
void changes_clear(struct changes *c);

#endif
