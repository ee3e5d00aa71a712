/* SPDX-License-Identifier: MIT */
/* The inside of a stage, for stage.c (what is written) and stage_link.c (what is taken over from
 * other folders); others use stage.h. */
#ifndef INFLUXFS_RESTORE_STAGE_IMPL_H
#define INFLUXFS_RESTORE_STAGE_IMPL_H

#include "store/restore/stage.h"

enum word {
    MADE, /* on the way to something in it */
    SAID, /* a member, or as it was where it comes from */
    GONE,
};

struct folder {
    char *name;
    enum word word;
    mode_t mode;
    int64_t mtime_ns; /* -1: not said */
    size_t turn;
};

struct stage {
    int fds[TARGETS];
    uid_t uid[TARGETS];
    gid_t gid[TARGETS];
    struct folder *folders; /* in the order in which they were spoken of, until stage_finish */
    size_t nfolders, cap;
    bool unsynced;

    int parent;                 /* the folder that the last file went to, */
    char parent_name[PATH_MAX]; /* and its name */

    int file; /* being written */
    char file_name[PATH_MAX];
    uint64_t written, pushed; /* of it: bytes written, bytes whose writeback has begun */
};

/* Which target a name belongs to, and its path there ("" for the folder itself). */
enum target_kind stage_locate(const char *name, const char **rest);

/* Something is said of a folder. */
int stage_remember(struct stage *s, enum word word, const char *name, mode_t mode,
                   int64_t mtime_ns);

/* Opens the folder of a file as s->parent, made where it is not there; the last one is kept open,
 * since files come folder by folder. */
int stage_parent(struct stage *s, const char *name);

#endif
