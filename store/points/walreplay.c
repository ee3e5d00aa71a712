/* SPDX-License-Identifier: MIT */
#include "store/points/walreplay.h"

#include "store/base/cleanup.h"
#include "store/snapshot/damage.h"

#include <errno.h>
#include <stdlib.h>

static int no_memory(struct err *e)
{
    return err_sys(e, -ENOMEM, "the WAL");
}

static int walreplay_leave(const struct walreplay_query *q, size_t member, int code, struct err *e)
{
    if (code != -EBADMSG)
        return code;
    if (!q->from.p || !q->gaps || !q->gaps->damage)
        return shards_leave_file(q->capture, q->shard, member, q->gaps, code, e);
    if (e)
        e->text[0] = 0;
    return 0;
}

static int walreplay_segment(const struct walreplay_query *q, size_t member,
                             const struct walentry_visitor *v, struct err *e)
{
    cleanup(membersource_clear) struct membersource m = {.path = NULL};
    if (membersource_init(&m, q->capture, member) < 0)
        return no_memory(e);
    int r = walreplay_leave(q, member, damage_cut_off(q->capture, member, e), e);
    return r < 0 ? r : walreplay_leave(q, member, walread(&m.source, v, e), e);
}

int walreplay(const struct walreplay_query *q, const struct walreplay_visitor *v, struct err *e)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < q->shard->nwal; i++) {
        if (v->segment)
            v->segment(v->records.ctx, i);
        r = walreplay_segment(q, q->shard->wal[i], &v->records, e);
    }
    return r;
}

bool walreplay_is_other(const struct walreplay_query *q, struct slice key, struct slice *series)
{
    struct slice field;
    if (!serieskey_split(key, series, &field)) {
        *series = key;
        return q->from.p != NULL;
    }
    return (q->measurement && !serieskey_is_of(key, *q->measurement)) ||
           (q->from.p && slice_compare(*series, q->from) < 0);
}

char *walreplay_path(const struct walreplay_query *q, size_t segment)
{
    const struct member *m = capture_member(q->capture, q->shard->wal[segment]);
    char *path = malloc(member_path_len(m) + 1);
    return path ? member_path(m, path) : NULL;
}
