/* SPDX-License-Identifier: MIT */
/* influxsnap verify of sets that influxd wrote: each by itself, to the last byte. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influxsnap/remember.h"
#include "store/influxsnap/setlook.h"
#include "store/influxsnap/snap.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* The findings. */
struct sets_verdict {
    const struct snap *s;
    size_t good, damaged, lacking;
    uint64_t files, bytes;
    struct json_object *snapshots;
};

/* What came of one. */
struct set_verdict {
    const char *path;
    int r; /* 0, or what is wrong with it */
    struct err why;
    struct tar_counts counts;
    struct advise advise;
};

static void verify_sets_json(struct sets_verdict *v, const struct set_verdict *one,
                             const struct setlook *look)
{
    const struct manifest *m = look ? set_manifest(setlook_set(look)) : NULL;
    struct json_object *o = json_object_new_object();
    json_add_text(o, "path", one->path);
    json_add_text(o, "state", one->r == 0 ? "good" : "damaged");
    json_add_text(o, "kind", m ? manifest_kind_name(m->kind) : NULL);
    json_add_number(o, "number", -1);
    json_add_text(o, "id", m ? m->id : NULL);
    json_add_count(o, "files", one->counts.files);
    json_add_count(o, "tsm_files", one->counts.tsm);
    json_add_count(o, "bytes", one->counts.bytes);
    if (look)
        setlook_json(look, o);
    json_add_text(o, "error", one->r < 0 ? one->why.text : NULL);
    json_object_array_add(v->snapshots, o);
}

static void verify_sets_tell(struct sets_verdict *v, struct set_verdict *one,
                             const struct setlook *look)
{
    v->good += one->r == 0;
    v->damaged += one->r < 0;
    v->files += one->counts.files;
    v->bytes += one->counts.bytes;
    if (one->r < 0)
        snap_say("%s", one->why.text);
    else if (!v->s->o.json && !v->s->o.quiet)
        printf("%s: good, a set of influxd, %s, %" PRIu64 " files (%" PRIu64 " of TSM), %" PRIu64
               " bytes\n",
               one->path, manifest_kind_name(set_manifest(setlook_set(look))->kind),
               one->counts.files, one->counts.tsm, one->counts.bytes);
    if (one->r == 0)
        setlook_tell(look);
    v->lacking += one->r == 0 && setlook_omits(look);
    verify_sets_json(v, one, look);
    advise_end(&one->advise, one->path, false, NULL);
}

static void verify_sets_remember(struct snap *s, const struct set_verdict *one, int64_t began_ns)
{
    autofree char *full = remember_path(one->path);
    const struct history_entry end = {
        .result = one->r < 0 ? HISTORY_FAILED : HISTORY_DONE,
        .bytes = one->counts.bytes,
        .what = full ? full : one->path,
        .text = one->r < 0 ? one->why.text : NULL,
    };
    remember(s, HISTORY_VERIFY, began_ns, &end);
}

/* One of them: 0 if there is a verdict. */
static int verify_set(struct sets_verdict *v, struct snap *s, const char *path, struct err *e)
{
    const int64_t began_ns = time_mono_ns();
    const struct set_options how = {.unite = true};
    struct set_verdict one = {.path = path};
    struct setlook *look = NULL;
    struct meter meter;
    one.r = setlook_open(path, &how, &look, &one.why);
    if (one.r == 0) {
        meter_begin(&meter, "verifying", set_size(setlook_set(look)));
        one.r = setlook_verify(look, &meter, &one.advise, &one.counts, &one.why);
        meter_end(&meter);
    }
    const bool judged = one.r == 0 || one.r == -EBADMSG || one.r == -EINVAL;
    if (judged) {
        verify_sets_tell(v, &one, one.r == 0 ? look : NULL);
        verify_sets_remember(s, &one, began_ns);
    }
    advise_clear(&one.advise);
    setlook_close(look);
    return judged ? 0 : err_set(e, one.r, "%s", one.why.text);
}

static void verify_sets_print(const struct sets_verdict *v)
{
    if (v->s->o.json) {
        struct json_object *o = json_object_new_object();
        json_add_bool(o, "good", v->damaged == 0);
        json_add(o, "snapshots", json_object_get(v->snapshots));
        json_add(o, "chains", json_object_new_array());
        json_add(o, "warnings", snap_warnings_json());
        snap_print_json(o);
    } else if (v->s->o.quiet) { /* one line, where all else is silent */
        printf("%zu snapshots good, 0 superseded, %zu damaged: %" PRIu64 " files, %" PRIu64
               " bytes; %zu warnings\n",
               v->good, v->damaged, v->files, v->bytes, snap_warnings());
    }
}

int snap_verify_sets(struct snap *s)
{
    struct err e = {0};
    struct sets_verdict v = {.s = s, .snapshots = json_object_new_array()};
    int r = 0;
    for (size_t i = 0; r == 0 && i < s->o.nargs; i++)
        r = setlook_is_set(s->o.args[i])
                ? verify_set(&v, s, s->o.args[i], &e)
                : err_set(&e, -EINVAL,
                          "%s is no set that influxd wrote; give sets and snapshots to a run each",
                          s->o.args[i]);
    if (r == 0)
        verify_sets_print(&v);
    json_object_put(v.snapshots);
    if (r < 0)
        return snap_fail(r, &e);
    return v.damaged ? EXIT_CORRUPT : v.lacking ? EXIT_OMISSIONS : EXIT_DONE;
}
