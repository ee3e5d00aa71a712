/* SPDX-License-Identifier: MIT */
/* PATH and its numbers, as backup leaves them: what lies there, and what it has added. */
#ifndef INFLUXFS_INFLUXSNAP_BACKUP_PATH_H
#define INFLUXFS_INFLUXSNAP_BACKUP_PATH_H

#include "store/chain/cut_loss.h"
#include "store/chain/cut_rules.h"
#include "store/influxsnap/outfile.h"
#include "store/influxsnap/tarset.h"

#include <json-c/json.h>

struct backup_path {
    const char *path;     /* "-": standard output */
    struct outfile *file; /* NULL: to standard output */
    struct tarset set;    /* the chain that lies there, with its folders; may be empty */
};

/* Waits for others that write there. -EBADMSG, -EINVAL, -ESTALE: nothing can follow what lies
 * there; -EINTR when stopped. The caller releases *out with backup_path_close, on failure too. */
int backup_path_open(const char *path, struct backup_path *out, struct err *e);

/* The descriptor to write the next snapshot to, and its name for messages. */
int backup_path_fd(const struct backup_path *p);
const char *backup_path_name(const struct backup_path *p);

/* Puts what was written in its place: number -1 is the full snapshot's. */
int backup_path_commit(struct backup_path *p, int64_t number, struct err *e);

void backup_path_close(struct backup_path *p);

/* What was written; NULL instead: nothing has changed. */
struct backup_done {
    enum manifest_kind kind;
    int64_t number;
    const char *id;
    uint64_t files, bytes, size; /* size: of what was written, compressed if so wanted */
    size_t removed;              /* files that the snapshot before it held, and are no more */
    const struct cut_lost *lost; /* what of it was not replaced; NULL: none was before it */
};

/* Warns if that exceeds what the guard of these rules allows, as a cut does: what was written holds
 * the store as it is. */
void backup_path_guard(const struct backup_path *p, const struct cut_rules *rules,
                       const struct cut_lost *lost);

/* Warns if the snapshot before it was written on another host. */
void backup_path_compare_hosts(const struct backup_path *p, const char *host);

/* Prints the result, unless the snapshot itself went to standard output. more: NULL, for words; or
 * an object with further keys, for JSON, which it takes over. */
void backup_path_tell(const struct backup_path *p, const struct backup_done *done,
                      struct json_object *more);

/* Says what went wrong. Returns the exit code: EXIT_CORRUPT and EXIT_INCOMPLETE for what
 * backup_path_open returns. */
int backup_path_fail(int code, const struct err *e);

#endif
