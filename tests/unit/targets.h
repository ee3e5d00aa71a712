/* SPDX-License-Identifier: MIT */
/* The folders of a store in a temporary folder, for tests of what lies below a restore session. */
#ifndef INFLUXFS_TESTS_TARGETS_H
#define INFLUXFS_TESTS_TARGETS_H

#include "tests/unit/snap.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* ROOT/meta and so on. */
static inline struct targets *open_targets(const char *root)
{
    char path[TARGETS][PATH_MAX];
    struct targets *t = NULL;
    struct err e = {0};
    for (int i = 0; i < TARGETS; i++)
        snprintf(path[i], sizeof(path[i]), "%s/%s", root, target_kind_name((enum target_kind)i));
    const struct store_paths paths = {path[0], path[1], path[2], NULL};
    if (targets_open(&paths, (uid_t)-1, (gid_t)-1, &t, &e) < 0)
        fail_msg("%s", e.text);
    return t;
}

static inline void put(const char *root, const char *name, const char *text)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    char *slash = strrchr(path, '/');
    *slash = 0;
    assert_int_equal(io_mkdir_p(path, 0755, (uid_t)-1, (gid_t)-1), 0);
    *slash = '/';
    FILE *f = fopen(path, "we");
    assert_non_null(f);
    fputs(text, f);
    fclose(f);
}

static inline bool is_there(const char *root, const char *name)
{
    char path[PATH_MAX];
    snprintf(path, sizeof(path), "%s/%s", root, name);
    return access(path, F_OK) == 0;
}

#endif
