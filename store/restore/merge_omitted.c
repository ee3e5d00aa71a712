/* SPDX-License-Identifier: MIT */
#include "store/restore/merge_omitted.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/points/gaps.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

struct adding {
    struct merge_omitted *to;
    const char *db, *rp;
    int64_t start, end;
    int code;
};

static struct merge_omission *omitted_find(struct adding *a, const char *words)
{
    for (size_t i = 0; i < a->to->n; i++) {
        struct merge_omission *r = &a->to->at[i];
        if (strcmp(r->words, words) == 0 && strcmp(r->db, a->db) == 0 && strcmp(r->rp, a->rp) == 0)
            return r;
    }
    return NULL;
}

/* Takes over the words. */
static struct merge_omission *omitted_make(struct adding *a, char *words)
{
    if (!array_grow(&a->to->at, a->to->n))
        return NULL;
    struct merge_omission *r = &a->to->at[a->to->n++];
    *r = (struct merge_omission){
        .words = words, .db = a->db, .rp = a->rp, .start = a->start, .end = a->end};
    return r;
}

static void omitted_add(void *ctx, struct slice measurement, struct slice field, const char *type,
                        const char *refused)
{
    struct adding *a = ctx;
    char m[GAPS_NAME], f[GAPS_NAME], *words = NULL;
    autofree char *plain = malloc(measurement.n + 1);
    if (!plain) {
        a->code = -ENOMEM;
        return;
    }
    gaps_name((struct slice){plain, serieskey_unescape_measurement(measurement, plain)}, m);
    gaps_name(field, f);
    if (asprintf(&words, "field %s of measurement %s is %s there, and %s in the snapshot", f, m,
                 type, refused) < 0) {
        a->code = -ENOMEM;
        return;
    }
    struct merge_omission *r = omitted_find(a, words);
    if (r || !(r = omitted_make(a, words)))
        free(words);
    if (!r) {
        a->code = -ENOMEM;
        return;
    }
    r->start = a->start < r->start ? a->start : r->start;
    r->end = a->end > r->end ? a->end : r->end;
    r->shards++;
}

int merge_omitted_add(struct merge_omitted *to, const struct merge_shard *m, const char *db,
                      const char *rp, int64_t start, int64_t end)
{
    struct adding a = {.to = to, .db = db, .rp = rp, .start = start, .end = end};
    merge_shard_refused(m, omitted_add, &a);
    return a.code;
}

int merge_omitted_tell(const struct merge_omitted *of, struct composed *to)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < of->n; i++) {
        const struct merge_omission *n = &of->at[i];
        char times[GAPS_TIMES];
        gaps_times(n->start, n->end - 1, times);
        r = composed_note(to, true,
                          "values of the snapshot are left out, in %zu shard%s of %s/%s %s: %s",
                          n->shards, plural(n->shards), n->db, n->rp, times, n->words);
        to->omitted++;
    }
    return r;
}

void merge_omitted_clear(struct merge_omitted *r)
{
    for (size_t i = 0; i < r->n; i++)
        free(r->at[i].words);
    free(r->at);
    *r = (struct merge_omitted){0};
}
