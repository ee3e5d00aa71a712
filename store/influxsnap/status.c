/* SPDX-License-Identifier: MIT */
/* influxsnap status: where the store lies, who uses it, what the cuts retain. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/chain/cut_links.h"
#include "store/chain/cut_loss.h"
#include "store/influx/running.h"
#include "store/influxsnap/meter.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/words.h"
#include "store/restore/session.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

struct found {
    struct err in_use;  /* who uses the store; empty: nobody */
    struct err restore; /* what is to be said of one that was cut off; empty: nothing */
    struct err broken;  /* what is wrong with the cuts; else empty */
    struct cut_info *cuts;
    size_t n;
    uint64_t files, bytes, only_ours, free_bytes;
    struct cut_links links;
};

static int look(struct snap *s, struct found *f, struct err *e)
{
    struct statvfs v;
    struct err why = {0};
    int r = snap_open(s, SNAP_LOOK, e);
    if (r < 0)
        return r;
    r = running_uses(&s->paths, &f->in_use);
    if (r < 0 && !f->in_use.text[0])
        return err_sys(e, r, "looking for an influxd");
    if (session_look(&s->paths, &f->restore, &why) < 0)
        err_set(&f->restore, 0, "unknown: %s", why.text);
    if (snap_cuts_unknown(s))
        f->broken = s->lacks;
    if (!s->state)
        return 0;
    if (statvfs(s->state, &v) == 0)
        f->free_bytes = (uint64_t)v.f_bavail * v.f_frsize;
    if ((r = cuts_open(NULL, s->state, &s->cuts, e)) < 0 ||
        (r = cuts_list(s->cuts, &f->cuts, &f->n, &f->broken, e)) < 0 ||
        (r = cut_links_try(s->cuts, &s->paths, &s->o.rules, &f->links, e)) < 0)
        return r;
    return cuts_usage(s->cuts, &f->files, &f->bytes, &f->only_ours, e);
}

/* Cuts that are not folded because of what they lost. */
static struct json_object *not_accepted(const struct found *f)
{
    struct json_object *o = json_object_new_array();
    for (size_t i = 0; i < f->n; i++)
        if (f->cuts[i].head.guard == CUT_GUARD_TRIPPED)
            json_object_array_add(o, words_cut_json(&f->cuts[i], i ? &f->cuts[i - 1] : NULL));
    return o;
}

/* What could not be looked at is null, not 0. */
static struct json_object *count(const struct snap *s, uint64_t n)
{
    return snap_cuts_unknown(s) ? NULL : json_object_new_uint64(n);
}

static void print_json(const struct snap *s, const struct found *f)
{
    struct json_object *o = json_object_new_object(), *store = json_object_new_object(),
                       *cuts = json_object_new_object();
    json_object_object_add(store, "config", json_text_or_null(s->paths.config));
    json_object_object_add(store, "meta", json_text_or_null(s->paths.meta));
    json_object_object_add(store, "data", json_text_or_null(s->paths.data));
    json_object_object_add(store, "wal", json_text_or_null(s->paths.wal));
    json_object_object_add(o, "store", store);
    json_object_object_add(o, "in_use", json_text_or_null(f->in_use.text));
    json_object_object_add(o, "restore", json_text_or_null(f->restore.text));
    json_object_object_add(o, "state", json_text_or_null(s->state));
    json_object_object_add(o, "lacks", json_text_or_null(s->lacks.text));
    json_object_object_add(o, "free", json_object_new_uint64(f->free_bytes));
    json_object_object_add(cuts, "base", f->n ? words_cut_json(&f->cuts[0], NULL) : NULL);
    json_object_object_add(
        cuts, "newest",
        f->n ? words_cut_json(&f->cuts[f->n - 1], f->n > 1 ? &f->cuts[f->n - 2] : NULL) : NULL);
    json_object_object_add(cuts, "not_accepted", snap_cuts_unknown(s) ? NULL : not_accepted(f));
    json_object_object_add(cuts, "kept_as", json_text(cut_links_word(f->links.how)));
    json_object_object_add(cuts, "copy_bytes", json_object_new_uint64(f->links.bytes));
    json_object_object_add(cuts, "why_copied", json_text_or_null(f->links.why.text));
    json_object_object_add(cuts, "numbers", count(s, f->n ? f->n - 1 : 0));
    json_object_object_add(cuts, "files", count(s, f->files));
    json_object_object_add(cuts, "bytes", count(s, f->bytes));
    json_object_object_add(cuts, "only_ours", count(s, f->only_ours));
    json_object_object_add(cuts, "error", json_text_or_null(f->broken.text));
    json_object_object_add(o, "cuts", cuts);
    words_json(o);
}

static void print_links(const struct cut_links *l)
{
    char bytes[16];
    meter_size((double)l->bytes, bytes);
    printf("kept as  %s", cut_links_word(l->how));
    if (l->files)
        printf(": %" PRIu64 " files, %s", l->files, bytes);
    printf(l->why.text[0] ? "; %s\n" : "%s\n", l->why.text);
}

static void print_text(const struct snap *s, const struct found *f)
{
    char bytes[16], ours[16], room[16], time[40], name[32], lost[LOSS_WORDS];
    meter_size((double)f->bytes, bytes);
    meter_size((double)f->only_ours, ours);
    meter_size((double)f->free_bytes, room);
    printf("meta     %s\ndata     %s\nwal      %s\n", s->paths.meta, s->paths.data, s->paths.wal);
    printf("in use   %s\n", f->in_use.text[0] ? f->in_use.text : "no");
    if (f->restore.text[0])
        printf("restore  %s\n", f->restore.text);
    if (s->state)
        printf("state    %s, %s free\n", s->state, room);
    else
        printf("state    none: %s\n", s->lacks.text);
    if (s->state)
        print_links(&f->links);
    if (!f->n) {
        printf("cuts     %s\n", snap_cuts_unknown(s) ? "unknown" : "none");
        return;
    }
    words_time(f->cuts[f->n - 1].head.wall_ns, time);
    words_cut(f->cuts[f->n - 1].head.number, name);
    printf("cuts     %zu numbers, the newest is %s of %s\n", f->n - 1, name, time);
    printf("retained %" PRIu64 " files, %s, of which only the cuts hold %s\n", f->files, bytes,
           ours);
    for (size_t i = 0; i < f->n; i++)
        if (f->cuts[i].head.guard == CUT_GUARD_TRIPPED)
            printf("lost     cut %" PRId64 " is not folded: %s\n", f->cuts[i].head.number,
                   loss_words(&f->cuts[i].head.lost, lost));
}

int snap_status(struct snap *s)
{
    struct err e = {0};
    struct found f = {0};
    int r = look(s, &f, &e);
    if (r == 0 && s->o.json)
        print_json(s, &f);
    else if (r == 0)
        print_text(s, &f);
    free(f.cuts);
    if (r < 0)
        return snap_fail(r, &e);
    if (!f.broken.text[0])
        return EXIT_DONE;
    snap_fail(-1, &f.broken);
    return snap_cuts_unknown(s) ? EXIT_FAILED : EXIT_INCOMPLETE;
}
