/* SPDX-License-Identifier: MIT */
/*
 * The manifest of a snapshot, read: the member `manifest` of a tar, or a file beside a cut.
 *
 * Its text is untrusted: after manifest_parse every name lies below meta/, data/ or wal/, has plain
 * components, and is unique. Pure; a struct manifest does not change once made and may be read by
 * any number of threads.
 */
#ifndef INFLUXFS_SNAPSHOT_MANIFEST_H
#define INFLUXFS_SNAPSHOT_MANIFEST_H

#include "store/base/err.h"
#include "store/influx/selection.h"
#include "store/snapshot/omissions.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum manifest_kind { MANIFEST_FULL, MANIFEST_INCREMENTAL, MANIFEST_DATABASE };

struct manifest_file {
    char *name; /* as in the tar: "data/DB/RP/SHARD/FILE" */
    uint64_t size;
    uint64_t index;   /* the store's change counter when it last changed */
    int64_t mtime_ns; /* since 1970 */
};

struct manifest {
    char *id;
    char *chain;  /* the chain of cuts or of a backup; NULL: none */
    char *parent; /* NULL: none */
    char *host;
    char *created; /* RFC 3339; rises from state to state */
    char *wall;    /* the clock's time then; NULL: the same */
    enum manifest_kind kind;
    int64_t number; /* -1: none */
    uint64_t index;
    int64_t skew_ns;
    struct manifest_file *files; /* sorted bytewise by name */
    size_t nfiles;
    uint64_t unlisted; /* files that it is of too, but that are listed elsewhere; not written */
    uint64_t bytes;    /* of all files together */
    char **removed;    /* files that vanished since the parent; sorted */
    size_t nremoved;
    char **removed_folders; /* folders likewise, each before what was in it */
    size_t nremoved_folders;
    bool lists_folders; /* its folder members are: */
    char **folders;     /* sorted */
    size_t nfolders;
    struct omissions left_out; /* their names are untrusted text */
    char **links; /* shards that were symbolic links: "data/DB/RP/ID -> TARGET"; free text */
    size_t nlinks;
    struct selection *selection; /* of which part of a store it is; NULL: the whole */
};

/* When the state was made, for people. */
static inline const char *manifest_time(const struct manifest *m)
{
    return m->wall ? m->wall : m->created;
}

/* Largest manifest that is read at all, and largest size of one file in it. */
#define MANIFEST_MAX (256u << 20)
#define MANIFEST_FILE_MAX (UINT64_C(1) << 50)

/* Reads len bytes of JSON. The caller releases *out with manifest_free. -EINVAL: not a manifest of
 * influxfs, or of an unknown version; -EBADMSG: damaged or hostile; -ENOMEM. */
int manifest_parse(const char *json, size_t len, struct manifest **out, struct err *e);

/* Where one manifest follows another: the length of the JSON object that begins at p, by its braces
 * alone; 0: it is not whole, or something else. */
size_t manifest_length(const char *p, size_t n);

/* JSON text of *len bytes, ending with a newline, that manifest_parse reads; the caller frees it.
 * -ENOMEM. */
int manifest_write(const struct manifest *m, char **text, size_t *len);

/* The caller releases it. -ENOMEM. */
int manifest_copy(const struct manifest *m, struct manifest **out);

/* "full", "incremental", "database". */
const char *manifest_kind_name(enum manifest_kind kind);

/* The file of that name, or NULL. */
const struct manifest_file *manifest_find(const struct manifest *m, const char *name);

/* Whether a snapshot may have this name, for a file or for a folder (then also meta, data and wal
 * themselves). No trailing slash. */
bool manifest_name_ok(const char *name, bool folder);

void manifest_free(struct manifest *m);
static inline void manifest_freep(struct manifest **m)
{
    manifest_free(*m);
}

#endif
