/* SPDX-License-Identifier: MIT */
/*
 * The options that mount(8) hands to a helper: those of influxfs, which are in the table of
 * store/program/options.h; libfuse's; the kernel's flags; and those that only mount(8), fstab or
 * systemd want.
 *
 * In the text, as for influxfs and libfuse, options are separated by commas; within a value, a
 * backslash stands before a comma or another backslash, or begins three octal digits. An empty
 * option means nothing.
 */
#ifndef INFLUXFS_MOUNT_MOUNTOPTS_H
#define INFLUXFS_MOUNT_MOUNTOPTS_H

#include "store/program/options.h"

struct mountopts {
    struct options values; /* those of influxfs, as read */
    char **words;          /* options of influxfs and libfuse, as they were given: "keep=2" */
    size_t nwords;
    unsigned long set, clear; /* MS_… of mount(2) that were asked for, and asked away */
    bool remount;
    bool whole;     /* it repeats all that the kernel's table shows */
    char *idle;     /* the option that unmounts what is not used; NULL: not given */
    char **ignored; /* unknown ones, if sloppy */
    size_t nignored;
};

/* Reads a text into *o, which is zeroed before; the caller clears *o, also after an error. sloppy:
 * unknown options are not refused. -EINVAL names the option in *e: it is unknown, has a value that
 * cannot be read, or cannot be had. -ENOMEM. */
int mountopts_read(const char *text, bool sloppy, struct mountopts *o, struct err *e);
void mountopts_clear(struct mountopts *o);

/* The text for influxfs, in fresh memory: the flags that libfuse takes, and all words. NULL: out of
 * memory. */
char *mountopts_text(const struct mountopts *o);

#endif
