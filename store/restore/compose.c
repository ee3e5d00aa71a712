/* SPDX-License-Identifier: MIT */
#include "store/restore/compose_impl.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"
#include "store/influx/names.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

/* Writes the new one as the old one was, but for its time. */
static int compose_write_meta(struct compose *c, struct err *e)
{
    autofree void *buf = NULL;
    size_t len = 0;
    const mode_t mode = c->was.st_nlink ? c->was.st_mode & 0777 : 0644;
    const int64_t before = c->was.st_nlink ? time_from_spec(&c->was.st_mtim) : 0;
    int r = metaedit_print(c->meta, &buf, &len, e);
    if (r == 0)
        r = stage_open(c->stage, NAME_META_MEMBER, mode, e);
    if (r == 0)
        r = stage_write(c->stage, buf, len, e);
    return r < 0 ? r : stage_close(c->stage, time_later(time_wall_ns(), before + 1), e);
}

/* The work */

static struct compose compose_begin(struct targets *t, const struct restore_request *q,
                                    struct manifest *state, struct composed *did)
{
    struct compose c = {.t = t, .q = q, .state = state, .out = did};
    for (int i = 0; i < TARGETS; i++)
        c.ours[i] = c.theirs[i] = c.fresh[i] = -1;
    return c;
}

static void compose_clear(struct compose *c)
{
    stage_free(c->stage);
    metaedit_free(c->meta);
    metaedit_free(c->incoming);
    targets_close(c->ours);
    targets_close(c->theirs);
    targets_close(c->fresh);
    free(c->shards);
    for (size_t i = 0; i < c->ndropped; i++)
        free(c->dropped[i]);
    free(c->dropped);
    free(c->touched);
    for (size_t i = 0; i < c->ncame; i++)
        free(c->came[i].name);
    free(c->came);
    compose_merge_free(c->merge);
}

static int compose_read_snapshot(struct compose *c, struct err *e)
{
    autofree char *meta = NULL;
    size_t len = 0;
    int r = io_read_file(c->theirs[TARGET_META], NAME_META_DB, META_DB_MAX, &meta, &len);
    return r < 0 ? err_sys(e, r, "the snapshot's " NAME_META_DB) : compose_read(c, meta, len, e);
}

static int compose_open(struct compose *c, struct err *e)
{
    int fds[TARGETS];
    int r = targets_stage_again(c->t, c->theirs, fds, e);
    if (r == 0)
        r = stage_new(c->t, fds, &c->stage, e);
    if (r == 0)
        r = targets_open_staged(c->t, c->fresh, e);
    return r < 0 ? r : targets_open_store(c->t, c->ours, e);
}

int compose_check_name(const struct targets *t, const struct restore_request *q, struct err *e)
{
    cleanup(composed_clear) struct composed did = {0};
    if (!q || !q->as || q->merge != MERGE_NONE)
        return 0;
    struct compose c = compose_begin((struct targets *)t, q, NULL, &did);
    int r = targets_open_store(t, c.ours, e);
    if (r == 0)
        r = compose_read_ours(&c, e);
    if (r == 0)
        r = compose_name_is_free(&c, e);
    compose_clear(&c);
    return r;
}

int compose_run(struct targets *t, const struct restore_request *q, struct manifest *state,
                struct composed *out, struct err *e)
{
    cleanup(composed_clear) struct composed did = {0};
    struct compose c = compose_begin(t, q, state, &did);
    int r = compose_open(&c, e);
    if (r == 0)
        r = compose_read_snapshot(&c, e);
    if (r == 0)
        r = compose_plan(&c, e);
    if (r == 0)
        r = compose_write_meta(&c, e);
    if (r == 0)
        r = compose_fill(&c, e);
    if (r == 0)
        r = stage_finish(c.stage, e);
    compose_clear(&c);
    if (r < 0)
        return r;
    *out = did;
    did = (struct composed){0};
    return 0;
}

int compose_preview(const struct store_paths *paths, struct manifest *state, const void *meta,
                    size_t len, const struct restore_request *q, struct composed *out, void **then,
                    size_t *thenlen, struct err *e)
{
    cleanup(composed_clear) struct composed did = {0};
    cleanup(restore_request_freep) struct restore_request *asked = NULL;
    cleanup(targets_freep) struct targets *t = NULL;
    int r = targets_open(paths, (uid_t)-1, (gid_t)-1, &t, e);
    if (r == 0)
        r = compose_asked(t, state, q, &asked, e);
    if (r < 0 || !asked)
        return r < 0 ? r : 1;
    struct compose c = compose_begin(t, asked, state, &did);
    r = targets_open_store(t, c.ours, e);
    if (r == 0)
        r = compose_read(&c, meta, len, e);
    if (r == 0)
        r = compose_plan(&c, e);
    if (r == 0)
        r = metaedit_print(c.meta, then, thenlen, e);
    compose_clear(&c);
    if (r < 0)
        return r;
    *out = did;
    did = (struct composed){0};
    return 0;
}
