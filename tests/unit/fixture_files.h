/* SPDX-License-Identifier: MIT */
/* Files of the stores of real servers; tests/run starts us where they are. */
#ifndef INFLUXFS_TESTS_FIXTURE_FILES_H
#define INFLUXFS_TESTS_FIXTURE_FILES_H

#include <archive.h>
#include <archive_entry.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define FIXTURES 6 /* how many stores */

static const char *const fixture_names[FIXTURES] = {"1.6.7-inmem", "1.6.7-tsi1",   "1.8.10-inmem",
                                                    "1.8.10-tsi1", "1.12.4-inmem", "1.12.4-tsi1"};

/* The archive of one of them; the caller frees it. */
static inline struct archive *fixture_open(size_t i)
{
    char path[256];
    struct archive *a = archive_read_new();
    if (access("fixtures", R_OK) < 0) {
        archive_read_free(a);
        print_message("fixtures/ is not here: started by hand\n");
        skip();
    }
    archive_read_support_filter_all(a);
    archive_read_support_format_tar(a);
    snprintf(path, sizeof(path), "fixtures/%s/store.tar.gz", fixture_names[i]);
    assert_int_equal(archive_read_open_filename(a, path, 65536), ARCHIVE_OK);
    return a;
}

/* Unpacks one of them into a folder. */
static inline void fixture_unpack(size_t i, const char *folder)
{
    char path[4096];
    struct archive_entry *member;
    struct archive *a = fixture_open(i);
    while (archive_read_next_header(a, &member) == ARCHIVE_OK) {
        snprintf(path, sizeof(path), "%s/%s", folder, archive_entry_pathname(member));
        archive_entry_set_pathname(member, path);
        assert_int_equal(archive_read_extract(a, member, 0), ARCHIVE_OK);
    }
    archive_read_free(a);
}

typedef void fixture_file_fn(const char *name, char *bytes, size_t n);

/* Calls the function with each file whose name ends so. Returns how many there are. */
static inline unsigned fixture_files(const char *end, fixture_file_fn *fn)
{
    unsigned found = 0;
    for (size_t i = 0; i < FIXTURES; i++) {
        struct archive_entry *member;
        struct archive *a = fixture_open(i);
        while (archive_read_next_header(a, &member) == ARCHIVE_OK) {
            const char *name = archive_entry_pathname(member);
            size_t n = (size_t)archive_entry_size(member), len = strlen(name);
            if (len < strlen(end) || strcmp(name + len - strlen(end), end) != 0)
                continue;
            char *bytes = malloc(n + 1);
            assert_int_equal(archive_read_data(a, bytes, n), (la_ssize_t)n);
            fn(name, bytes, n);
            free(bytes);
            found++;
        }
        archive_read_free(a);
    }
    return found;
}

#endif
