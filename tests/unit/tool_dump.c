/* SPDX-License-Identifier: MIT */
/* A dump for the tests: tool_dump STORE json|csv|lp DB RP MEASUREMENT FROM TO, with times in
 * nanoseconds, of the store with the folders STORE/{meta,data,wal} as it is now. */
#include "store/base/cleanup.h"
#include "store/export/dump.h"
#include "store/snapshot/snapshots.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static int to_stdout(void *ctx, const void *p, size_t n, struct err *e)
{
    (void)ctx;
    return fwrite(p, 1, n, stdout) == n ? 0 : err_sys(e, -EIO, "standard output");
}

static int run(struct snapshots *s, char **argv, struct err *e)
{
    static const char *const formats[] = {"json", "csv", "lp"};
    enum dump_format format = DUMP_JSON;
    while (format < DUMP_LP && strcmp(formats[format], argv[2]) != 0)
        format++;
    struct dump_query q = {argv[3],
                           argv[4],
                           argv[5],
                           strlen(argv[5]),
                           strtoll(argv[6], NULL, 10),
                           strtoll(argv[7], NULL, 10)};
    struct tarball *t;
    int r = snapshots_now(s, NULL, &t, e);
    if (r < 0)
        return r;
    r = dump(tarball_capture(t), &q, format, to_stdout, NULL, e);
    snapshots_put(s, t);
    return r;
}

int main(int argc, char **argv)
{
    struct store_paths paths = {0};
    struct snapshots *s;
    struct err note, e = {""};
    if (argc != 8 || asprintf(&paths.meta, "%s/meta", argv[1]) < 0 ||
        asprintf(&paths.data, "%s/data", argv[1]) < 0 ||
        asprintf(&paths.wal, "%s/wal", argv[1]) < 0)
        return 2;
    int r = snapshots_open(&paths, NULL, &s, &note, &e);
    if (r == 0) {
        r = run(s, argv, &e);
        snapshots_close(s);
    }
    store_paths_free(&paths);
    if (r == 0 && fflush(stdout) == 0)
        return 0;
    fprintf(stderr, "%d %s\n", r, e.text);
    return 1;
}
