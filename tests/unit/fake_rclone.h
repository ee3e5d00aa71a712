/* SPDX-License-Identifier: MIT */
/* A script in the place of rclone, in a folder of the test's own, and bytes to upload. */
#ifndef INFLUXFS_TESTS_FAKE_RCLONE_H
#define INFLUXFS_TESTS_FAKE_RCLONE_H

#include "mount-helper/nightly/remote.h"
#include "store/base/time.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PATIENCE (60 * SECOND_NS) /* for what takes no time */

static char home[PATH_MAX];

/* The script: what is asked of it before a remote is opened, and what a test says. $d is the folder of
 * the test, $last the path on the remote; $kind of the environment what rclone calls it. */
static const char head[] = "#!/bin/sh\n"
                           "d=${0%/*}\n"
                           "for last; do :; done\n"
                           "case $1 in\n"
                           "version) echo 'rclone v1.60.1-DEV'; exit;;\n"
                           "listremotes) printf 'fake:\\nother:\\n'; exit;;\n"
                           "backend) [ $2 != features ] || { printf "
                           "'{\"String\":\"%s\",\"Features\":{\"SlowHash\":true}}' "
                           "\"${kind:-Local}\"; exit; };;\n"
                           "esac\n";

static inline char *in_home(const char *name)
{
    static char path[2][PATH_MAX + 64];
    static unsigned turn;
    turn ^= 1;
    snprintf(path[turn], sizeof(path[turn]), "%s/%s", home, name);
    return path[turn];
}

static inline void write_text(const char *name, const char *text)
{
    FILE *f = fopen(in_home(name), "w");
    assert_non_null(f);
    fputs(text, f);
    assert_int_equal(fclose(f), 0);
}

static inline void write_script(const char *all)
{
    write_text("rclone", all);
    assert_int_equal(chmod(in_home("rclone"), 0700), 0);
}

static inline struct remote *opened(const char *body)
{
    char script[8192];
    struct remote *r;
    struct err e = {0};
    snprintf(script, sizeof(script), "%s%s\n", head, body);
    write_script(script);
    if (remote_open("fake:", NULL, &r, &e) < 0)
        fail_msg("%s", e.text);
    return r;
}

static inline bool is_there(const char *name)
{
    return access(in_home(name), F_OK) == 0;
}

static inline long number_in(const char *name)
{
    long n = 0;
    FILE *f = fopen(in_home(name), "r");
    assert_non_null(f);
    assert_int_equal(fscanf(f, "%ld", &n), 1);
    fclose(f);
    return n;
}

static inline void assert_says(const struct err *e, const char *what)
{
    if (!strstr(e->text, what))
        fail_msg("'%s' does not say '%s'", e->text, what);
}

static inline int setup(void **arg)
{
    (void)arg;
    char path[PATH_MAX + 64];
    snprintf(home, sizeof(home), "/tmp/test_nightly_remote.XXXXXX");
    if (!mkdtemp(home))
        return -1;
    snprintf(path, sizeof(path), "%s:/usr/bin:/bin", home);
    snap_say_begin(true, LOG_LEVEL_ERROR);
    return setenv("PATH", path, 1);
}

static inline int teardown(void **arg)
{
    (void)arg;
    char command[PATH_MAX + 64];
    snprintf(command, sizeof(command), "rm -rf '%s'", home);
    return system(command);
}

struct bytes {
    uint64_t n;       /* how many there are */
    uint64_t fail_at; /* from there on reading fails */
    unsigned attempts;
};

static inline ssize_t read_bytes(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    struct bytes *b = ctx;
    b->attempts += off == 0;
    if (b->fail_at && off >= b->fail_at)
        return err_set(e, -EUCLEAN, "the disk is dirty");
    const uint64_t left = off < b->n ? b->n - off : 0;
    n = left < n ? (size_t)left : n;
    for (size_t i = 0; i < n; i++)
        ((char *)buf)[i] = (char)((off + i) % 251);
    return (ssize_t)n;
}

#endif
