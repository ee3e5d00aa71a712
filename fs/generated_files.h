/* SPDX-License-Identifier: MIT */
/* What the generated files of a mount have in common (fs->generated). Safe in any thread. */
#ifndef INFLUXFS_FS_GENERATED_FILES_H
#define INFLUXFS_FS_GENERATED_FILES_H

#include "fs/material.h"

struct fs;
struct generated;

struct generated_files {
    struct materials contents; /* what the files are made of */
    struct textmarks *marks;
    pthread_mutex_t lock;    /* guards what follows */
    struct sizing *sizings;  /* the sizes that are being found (generated_size.c) */
    struct generated *files; /* those that are open */
};

int generated_files_new(struct fs *fs); /* 0 or -ENOMEM */
/* Ends what is still being made for files that were open at the unmount. */
void generated_files_end(struct generated_files *all);
void generated_files_free(struct generated_files *all); /* after the nodes; NULL is allowed */

#endif
