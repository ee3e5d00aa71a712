/* SPDX-License-Identifier: MIT */
/* influxsnap verify: every byte of snapshots, and whether their chains are whole. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/setlook.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/tarlook.h"
#include "store/influxsnap/tarset.h"
#include "store/influxsnap/telling.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* What came of one PATH. */
struct path_verdict {
    size_t files; /* of the set that belong to it */
    uint64_t bytes;
    struct err first; /* the first trouble; or empty */
};

/* The findings; json collects them if wanted. */
struct verdict {
    bool json, quiet;
    struct path_verdict *of; /* by argument */
    size_t good, superseded, damaged;
    uint64_t files, bytes;
    struct json_object *snapshots, *chains;
    struct advise advise; /* of the chain at hand */
    int code;             /* the exit code so far: the first kind of trouble, damage before gaps */
    struct err first;     /* the first trouble; or empty */
};

static void trouble(struct verdict *r, const struct tarset_file *f, int code, const struct err *why)
{
    struct path_verdict *of = &r->of[f->argument];
    snap_say("%s", why->text);
    if (!r->first.text[0])
        r->first = *why;
    if (!of->first.text[0])
        of->first = *why;
    if (r->code == EXIT_DONE || code < r->code)
        r->code = code;
}

static struct json_object *describe(const struct tarset_file *f, const char *state)
{
    struct json_object *o = json_object_new_object();
    json_add_text(o, "path", f->path);
    json_add_text(o, "state", state);
    json_add_text(o, "kind", f->m ? manifest_kind_name(f->m->kind) : NULL);
    json_add_number(o, "number", f->m ? f->m->number : -1);
    json_add_text(o, "id", f->m ? f->m->id : NULL);
    return o;
}

static const char *chain_name(const struct manifest *m)
{
    return m->chain ? m->chain : m->id;
}

static void verify_tell_good(struct verdict *r, const struct tarset_file *f,
                             const struct tar_counts *n)
{
    tell_left_out(f->path, &f->m->left_out);
    r->good++;
    r->files += n->files;
    r->bytes += n->bytes;
    r->of[f->argument].bytes += n->bytes;
    if (!r->json) {
        if (r->quiet)
            return;
        printf("%s: good, %s, %" PRIu64 " files (%" PRIu64 " of TSM), %" PRIu64 " bytes\n", f->path,
               manifest_kind_name(f->m->kind), n->files, n->tsm, n->bytes);
        return;
    }
    struct json_object *o = describe(f, "good");
    json_add_count(o, "files", n->files);
    json_add_count(o, "tsm_files", n->tsm);
    json_add_count(o, "bytes", n->bytes);
    tell_json(o, &f->m->left_out, (const char *const *)f->m->links, f->m->nlinks);
    json_add(o, "error", NULL);
    json_object_array_add(r->snapshots, o);
}

static void tell_bad(struct verdict *r, const struct tarset_file *f, const struct err *why)
{
    trouble(r, f, EXIT_CORRUPT, why);
    r->damaged++;
    if (!r->json)
        return;
    struct json_object *o = describe(f, "damaged");
    json_add_text(o, "error", why->text);
    json_object_array_add(r->snapshots, o);
}

static void tell_superseded(struct verdict *r, const struct tarset_file *f)
{
    r->superseded++;
    if (r->json)
        json_object_array_add(r->snapshots, describe(f, "superseded"));
    else if (!r->quiet)
        printf("%s: superseded, the full snapshot has taken it in; not needed\n", f->path);
}

static int verify_file(struct verdict *r, const struct tarset_file *f, struct meter *meter,
                       struct err *e)
{
    struct tar_counts counts = {0};
    struct err why = {0};
    int ret = f->m ? tar_verify(f->path, meter, &r->advise, &counts, &why) : f->code;
    meter_hide(meter);
    if (ret == 0)
        verify_tell_good(r, f, &counts);
    else if (ret == -EBADMSG || ret == -EINVAL)
        tell_bad(r, f, f->m ? &why : &f->why);
    else
        r->of[f->argument].first = f->m ? why : f->why;
    return ret == 0 || ret == -EBADMSG || ret == -EINVAL
               ? 0
               : err_set(e, ret, "%s", f->m ? why.text : f->why.text);
}

/* What a restore of the chain that ends here would bring. */
static void tell_advice(struct verdict *r, const struct tarset_file *first)
{
    size_t n = r->json ? json_object_array_length(r->chains) : 0;
    struct json_object *chain = NULL;
    for (size_t i = 0; first->m && i < n; i++) {
        struct json_object *o = json_object_array_get_idx(r->chains, i);
        const char *id = json_object_get_string(json_object_object_get(o, "chain"));
        if (strcmp(id, chain_name(first->m)) == 0)
            chain = o;
    }
    advise_end(&r->advise, first->path, false, chain);
}

static void verify_check_chain(struct verdict *r, struct tarset *s, size_t first, size_t end)
{
    struct err why = {0};
    int ret = tarset_check(s, first, end, &why);
    if (ret < 0)
        trouble(r, &s->at[first], EXIT_INCOMPLETE, &why);
    if (!r->json)
        return;
    struct json_object *o = json_object_new_object();
    json_add_text(o, "chain", chain_name(s->at[first].m));
    json_add_count(o, "snapshots", end - first);
    json_add_text(o, "error", ret < 0 ? why.text : NULL);
    json_object_array_add(r->chains, o);
}

/* The chains first, since superseded files need not be good. */
static int verify(struct verdict *r, struct tarset *s, struct err *e)
{
    struct meter meter;
    for (size_t i = 0, end; i < s->n; i = end) {
        end = tarset_chain_end(s, i);
        if (s->at[i].m)
            verify_check_chain(r, s, i, end);
    }
    meter_begin(&meter, "verifying", tarset_bytes(s));
    int ret = 0;
    for (size_t i = 0, first = 0; ret == 0 && i < s->n; i++) {
        if (s->at[i].superseded)
            tell_superseded(r, &s->at[i]);
        else
            ret = verify_file(r, &s->at[i], &meter, e);
        if (i + 1 < tarset_chain_end(s, first))
            continue;
        tell_advice(r, &s->at[first]);
        first = i + 1;
    }
    meter_end(&meter);
    return ret;
}

static void print_json(struct verdict *r)
{
    struct json_object *o = json_object_new_object();
    json_add_bool(o, "good", r->code == EXIT_DONE);
    json_add(o, "snapshots", json_object_get(r->snapshots));
    json_add(o, "chains", json_object_get(r->chains));
    json_add(o, "warnings", snap_warnings_json());
    snap_print_json(o);
}

/* Each PATH by itself: what is bad is told until that is good. A run that could not go on speaks of
 * those PATHs alone that it had an answer for, and an interrupted one of none. */
static void verify_remember(struct snap *s, const struct verdict *r, int64_t began_ns, int ret)
{
    const size_t n = s->o.nargs;
    for (size_t i = 0; i < n && !snap_stopped(NULL); i++) {
        const struct path_verdict *of = &r->of[i];
        const bool gone = ret == -ENOENT && !of->files && (n == 1 || access(s->o.args[i], F_OK));
        /* A PATH whose files are all of another's chain is as good as all of them. */
        const struct err *why = of->files ? &of->first : &r->first;
        if (ret < 0 && !gone && !(of->files ? *why->text : n == 1))
            continue;
        autofree char *full = remember_path(s->o.args[i]);
        const struct history_entry end = {
            .result = *why->text ? HISTORY_FAILED : HISTORY_DONE,
            .bytes = of->bytes,
            .what = full ? full : s->o.args[i],
            .text = *why->text ? why->text : NULL,
            .gone = gone,
        };
        remember(s, HISTORY_VERIFY, began_ns, &end);
    }
}

static int verify_paths(struct snap *s)
{
    const int64_t began_ns = time_mono_ns();
    struct err e = {0};
    struct tarset set = {0};
    struct verdict r = {.json = s->o.json,
                        .quiet = s->o.quiet,
                        .of = calloc(s->o.nargs, sizeof(*r.of)),
                        .snapshots = json_object_new_array(),
                        .chains = json_object_new_array()};
    int ret = r.of ? tarset_gather(s->o.args, s->o.nargs, true, &set, &e) : -ENOMEM;
    for (size_t i = 0; ret == 0 && i < set.n; i++)
        r.of[set.at[i].argument].files++;
    if (ret == 0)
        ret = verify(&r, &set, &e);
    if (ret < 0)
        r.first = e;
    if (r.of)
        verify_remember(s, &r, began_ns, ret);
    if (ret == 0 && s->o.json)
        print_json(&r);
    else if (ret == 0 && s->o.quiet) /* one line, where all else is silent */
        printf("%zu snapshots good, %zu superseded, %zu damaged: %" PRIu64 " files, %" PRIu64
               " bytes; %zu warnings\n",
               r.good, r.superseded, r.damaged, r.files, r.bytes, snap_warnings());
    free(r.of);
    advise_clear(&r.advise);
    json_object_put(r.snapshots);
    json_object_put(r.chains);
    tarset_clear(&set);
    return ret < 0 ? snap_fail(ret, &e) : r.code;
}

int snap_verify(struct snap *s)
{
    for (size_t i = 0; i < s->o.nargs; i++)
        if (setlook_is_set(s->o.args[i]))
            return snap_verify_sets(s);
    return s->o.nargs ? verify_paths(s) : snap_verify_cuts(s);
}
