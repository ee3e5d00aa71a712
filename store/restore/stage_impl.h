/* SPDX-License-Identifier: MIT */
/* The inside of a stage, for stage.c (new files), stage_fill.c and stage_cut.c (files from other
 * folders) and stage_match.c (files that are there already); others use stage.h. */
#ifndef INFLUXFS_RESTORE_STAGE_IMPL_H
#define INFLUXFS_RESTORE_STAGE_IMPL_H

#include "store/restore/stage.h"

/* What is known of a folder. */
enum folder_note {
    FOLDER_IMPLIED, /* made for something in it, with a mode of our choice */
    FOLDER_GIVEN,   /* staged, or taken over, with mode and time */
    FOLDER_REMOVED, /* earlier notes are void */
};

struct staged_folder {
    char *name;
    enum folder_note note;
    mode_t mode;
    int64_t mtime_ns; /* -1: any */
    size_t order;     /* of the calls: the last note of a folder counts */
};

struct stage {
    int fds[TARGETS];
    int store[TARGETS]; /* the folders that are to be replaced; -1: none */
    void (*tell)(void *arg, const char *text);
    void *tell_arg;
    struct err lacking; /* which labels could not be set, for tell; or empty */
    uid_t uid[TARGETS];
    gid_t gid[TARGETS];
    struct staged_folder *folders; /* by order, until stage_finish sorts them by name */
    size_t nfolders;
    bool unsynced;
    stage_takes_fn *takes; /* NULL: all */
    void *takes_arg;

    int parent; /* the folder of the last file, or -1, and its name: files come by folder */
    char parent_name[PATH_MAX];

    int file; /* being written, or -1 */
    char file_name[PATH_MAX];
    uint64_t written, pushed; /* bytes of it, and those whose writeback has begun */

    struct originals *originals; /* or NULL; for stage_match.c */
    bool matching;               /* the file is compared with one of these, and not written yet */
    char match_name[PATH_MAX];   /* its name and mode */
    mode_t match_mode;
};

/* Adds a note on a folder. -ENOMEM. */
int stage_note(struct stage *s, enum folder_note note, const char *name, mode_t mode,
               int64_t mtime_ns);

/* Opens the folder of a file as s->parent, making it if missing. */
int stage_parent(struct stage *s, const char *name);

#endif
