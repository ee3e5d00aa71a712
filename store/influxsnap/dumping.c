/* SPDX-License-Identifier: MIT */
/* influxsnap dump: measurements as text, from the files, whether influxd runs or not. */
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/export/dump.h"
#include "store/influxsnap/ddl.h"
#include "store/influxsnap/dump_advice.h"
#include "store/influxsnap/dump_path.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/outfile.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

struct dumping {
    FILE *to;
    const char *name; /* of it */
    bool ddl;
    struct meter meter;
    struct told told;
};

static int dumping_copy(struct dump *dump, struct dumping *to, struct err *e)
{
    char buf[64 << 10];
    ssize_t n;
    while ((n = dump_read(dump, buf, sizeof(buf), e)) > 0) {
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted");
        errno = 0;
        if (fwrite(buf, 1, (size_t)n, to->to) != (size_t)n)
            return err_sys(e, errno ? -errno : -EIO, "%s", to->name);
        meter_add(&to->meter, (size_t)n);
    }
    return (int)n;
}

/* Flushes, and checks that all bytes were written. */
static int flush(struct dumping *d, struct err *e)
{
    errno = 0;
    return fflush(d->to) == 0 && !ferror(d->to) ? 0
                                                : err_sys(e, errno ? -errno : -EIO, "%s", d->name);
}

/* The statements that create the database, as influx -import takes them. */
static int put_ddl(struct dumping *to, const struct meta *m, const char *db, struct err *e)
{
    struct buffer text = {0};
    buffer_string(&text, "# DDL\n");
    ddl_write(m, db, "\n", &text);
    int r = text.failed ? err_sys(e, -ENOMEM, "%s", to->name) : 0;
    if (r == 0)
        fwrite(text.p, 1, text.n, to->to);
    buffer_free(&text);
    return r < 0 ? r : flush(to, e);
}

/* These lines tell influx -import where points go; /write takes them for comments. */
static int put_context(struct dumping *to, const char *db, const char *rp, struct err *e)
{
    errno = 0;
    if (fprintf(to->to, "# DML\n# CONTEXT-DATABASE: %s\n# CONTEXT-RETENTION-POLICY: %s\n", db, rp) <
        0)
        return err_sys(e, errno ? -errno : -EIO, "%s", to->name);
    return 0;
}

/* *empty: it is the text of no points. */
static int dump_one(struct schema_cache *c, const struct dump_query *q, struct dumping *to,
                    bool *empty, struct err *e)
{
    cleanup(dump_freep) struct dump *dump = NULL;
    autofree char *name = NULL;
    uint64_t before = to->meter.done;
    int r = dump_open(c, q, &dump, e);
    if (r == 0 && (r = dump_is_empty(dump, e)) >= 0) {
        *empty = r == 1;
        r = dumping_copy(dump, to, e);
    }
    if (r == 0 && asprintf(&name, "%s/%s/%.*s", q->db, q->rp, (int)q->n, q->measurement) < 0)
        return err_sys(e, -ENOMEM, "%s", to->name);
    if (r == 0)
        meter_file(&to->meter, name, to->meter.done - before);
    return r;
}

/* Dumps all measurements of a policy that have points in the range. */
static int dump_policy(struct schema_cache *c, const struct dump_query *query, struct dumping *to,
                       struct err *e)
{
    cleanup(schema_freep) struct schema *o = NULL;
    struct dump_query q = *query;
    int r = schema_cache_policy(c, q.db, q.rp, q.from, q.to, q.reader, &o, e);
    if (r == 0)
        r = dump_advice_deleted(&to->told, c, &q, e);
    if (r == 0 && q.format == DUMP_LP && schema_count(o) > 0)
        r = put_context(to, q.db, q.rp, e);
    for (size_t i = 0; r == 0 && q.from < q.to && i < schema_count(o); i++) {
        const struct schema_measurement *m = schema_at(o, i);
        const struct day_range days = {time_day(q.from), time_day(q.to - 1)};
        if (!days_meet(&m->days, days))
            continue;
        q.measurement = m->name.p;
        q.n = m->name.n;
        r = dump_one(c, &q, to, &(bool){false}, e);
        if (r == 0 && q.format == DUMP_LP)
            dump_advice_types(&to->told, q.db, q.rp, m);
    }
    return r;
}

static int dump_database(struct schema_cache *c, const struct dump_query *query, struct dumping *to,
                         struct err *e)
{
    const struct meta *m = shards_meta(schema_cache_shards(c));
    struct dump_query q = *query;
    bool found = false;
    int r = 0;
    if (to->ddl && meta_has_database(m, q.db)) {
        r = put_ddl(to, m, q.db, e);
    }
    for (size_t i = 0; r == 0 && i < meta_policies(m); i++) {
        const char *db;
        meta_policy(m, i, &db, &q.rp);
        if (strcmp(db, q.db) != 0)
            continue;
        found = true;
        if (q.format == DUMP_LP)
            dump_advice_policy(&to->told, schema_cache_shards(c), i, &q, time_wall_ns());
        r = dump_policy(c, &q, to, e);
    }
    return r == 0 && !found ? err_set(e, -ENOENT, "no database %s", q.db) : r;
}

/* The named measurements of a policy. */
static int dump_named(struct schema_cache *c, struct dump_query *q, char *const *names, size_t n,
                      struct dumping *to, struct err *e)
{
    int r = dump_advice_deleted(&to->told, c, q, e);
    for (size_t i = 0; r == 0 && i < n; i++) {
        bool empty = false;
        q->measurement = names[i];
        q->n = strlen(names[i]);
        r = dump_one(c, q, to, &empty, e);
        if (r == 0 && empty)
            dump_advice_empty(&to->told, q);
        if (r == 0 && q->format == DUMP_LP)
            r = dump_advice_named(&to->told, c, q, e);
    }
    return r;
}

/* Dumps what the user asked for: a database, a policy, or some measurements. */
static int dump_asked(const struct options *o, struct schema_cache *c, struct dumping *to,
                      const struct gaps *gaps, struct err *e)
{
    struct dump_query q = {.db = o->args[0],
                           .rp = o->nargs > 1 ? o->args[1] : NULL,
                           .from = o->from,
                           .to = o->to,
                           .format = (enum dump_format)o->format.dump,
                           .gaps = gaps,
                           .reader = &snap_reader,
                           .memory = o->memory};
    return o->nargs > 2 ? dump_named(c, &q, o->args + 2, o->nargs - 2, to, e)
           : q.rp       ? dump_policy(c, &q, to, e)
                        : dump_database(c, &q, to, e);
}

/* All that was found at a path. */
static int dump_found(const struct options *o, struct schema_cache *c, struct dumping *to,
                      const struct gaps *gaps, struct err *e)
{
    const struct meta *m = shards_meta(schema_cache_shards(c));
    int r = 0;
    for (size_t i = 0; r == 0 && i < meta_databases(m); i++) {
        const struct dump_query q = {.db = meta_database(m, i),
                                     .from = o->from,
                                     .to = o->to,
                                     .format = (enum dump_format)o->format.dump,
                                     .gaps = gaps,
                                     .reader = &snap_reader,
                                     .memory = o->memory};
        r = dump_database(c, &q, to, e);
    }
    return r;
}

/* What is asked for of the store as it is now, or what lies at a path. The caller drops the reference. */
static int dump_capture(struct snap *s, struct dumping *d, struct capture **out, struct err *e)
{
    struct selection what = SELECTION_ALL;
    if (s->o.path)
        return dump_path_open(s->o.path, &d->told, out, e);
    what.databases = (const char *const *)s->o.args;
    what.ndatabases = 1; /* of which a policy knows the tags of all others (schema_live.c) */
    int r = snapshots_part(s->snapshots, &what, NULL, &snap_reader, out, e);
    if (r < 0)
        return r;
    dump_advice_omitted(&d->told, *out, s->o.args[0], s->o.nargs > 1 ? s->o.args[1] : NULL);
    return 0;
}

static int dump_to(struct snap *s, struct dumping *d, struct err *e)
{
    cleanup(schema_cache_unrefp) struct schema_cache *cache = NULL;
    cleanup(capture_unrefp) struct capture *capture = NULL;
    const struct gaps gaps = {
        .names = true, .damage = s->o.skip_damaged, .say = told_lacks, .ctx = &d->told};
    struct catalog *catalog = s->o.path ? NULL : snapshots_catalog(s->snapshots);
    d->ddl = s->o.format.dump == DUMP_LP && !s->o.no_ddl;
    d->told.meter = &d->meter;
    meter_begin(&d->meter, "dumping", 0);
    int r = dump_capture(s, d, &capture, e);
    if (r == 0)
        r = schema_cache_open(capture, catalog, NULL, &cache, e);
    if (r == 0 && !s->o.path && schema_cache_live(cache, s->paths.data) < 0)
        r = err_sys(e, -ENOMEM, "the contents of the store");
    if (r == 0 && gaps.damage)
        schema_cache_allow_damage(cache);
    if (r == 0)
        r = s->o.path ? dump_found(&s->o, cache, d, &gaps, e)
                      : dump_asked(&s->o, cache, d, &gaps, e);
    meter_end(&d->meter);
    return r;
}

static int dump_to_file(struct snap *s, const char *path, struct dumping *d, struct err *e)
{
    cleanup(outfile_closep) struct outfile *file = NULL;
    d->name = path;
    struct stat st;
    if (lstat(path, &st) == 0) /* it would turn out at the end, hours later */
        return err_sys(e, -EEXIST, "%s", path);
    int r = outfile_open(path, &file, e);
    if (r < 0)
        return r;
    autoclose int fd = dup(outfile_fd(file));
    d->to = fd < 0 ? NULL : fdopen(fd, "w");
    if (!d->to)
        return err_sys(e, -errno, "%s", path);
    fd = -1; /* d->to closes it */
    r = dump_to(s, d, e);
    if (r == 0)
        r = flush(d, e);
    fclose(d->to); /* nothing is left in it, unless it failed */
    return r < 0 ? r : outfile_commit(file, "", e);
}

int snap_dump(struct snap *s)
{
    struct err e = {0};
    struct dumping d = {.to = stdout, .name = "standard output"};
    if (s->o.format.set) {
        snap_say("--format of a dump is lp, json or csv");
        return EXIT_USAGE;
    }
    if (!s->o.path != (s->o.nargs > 0)) {
        snap_say("dump: give a database, or --path=PATH alone");
        return EXIT_USAGE;
    }
    int r = s->o.path ? 0 : snap_open(s, SNAP_SNAPSHOTS, &e);
    if (r == 0 && s->o.output)
        r = dump_to_file(s, s->o.output, &d, &e);
    else if (r == 0 && (r = dump_to(s, &d, &e)) == 0)
        r = flush(&d, &e);
    int code = r < 0 ? snap_fail(r, &e) : d.told.lacking ? EXIT_OMISSIONS : EXIT_DONE;
    told_clear(&d.told);
    return code;
}
