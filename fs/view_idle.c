/* SPDX-License-Identifier: MIT */
/* Views that are no longer used: how the kernel is made to forget them. */
#include "fs/caller.h"
#include "fs/view_internal.h"
#include "store/base/lock.h"
#include "store/base/path.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <utlist.h>

/* What the kernel is to forget of a view, and where. */
struct places {
    char *view;
    struct {
        uint64_t dir;
        char *name;
    } * at;
    size_t n;
};

static void add_place(struct places *p, uint64_t dir, const char *name)
{
    p->at[p->n].dir = dir;
    p->at[p->n].name = strdup(name);
    p->n += p->at[p->n].name != NULL;
}

/* First the view's name in at/: all that is not in use goes with it. What remains a minute later
 * was in use, and its name is gone: so each part is asked for by itself. Without memory for that,
 * the next run does it. */
static void view_gather(struct view *v, struct places *out)
{
    const struct view_node *n;
    size_t count = 0;
    if (v->asked)
        DL_COUNT(v->entries, n, count);
    out->view = strdup(v->name);
    out->at = calloc(count + 1, sizeof(*out->at));
    if (!out->view || !out->at)
        return;
    add_place(out, v->dir, v->name);
    if (v->asked) {
        DL_FOREACH(v->entries, n)
        {
            add_place(out, n->above->node.id, path_last(view_path_of(n)));
        }
    }
    v->asked = true;
}

static bool view_next_idle(struct views *s, struct places *out)
{
    lock_scope(&s->lock);
    struct view *v = s->list;
    while (v && (!v->cut || !lifetime_over(&v->life, LIFE_VIEW)))
        v = v->next;
    if (v) {
        lifetime_use(&v->life); /* if it stays, it is asked for again in a while */
        view_gather(v, out);
    }
    return v;
}

/* A working folder that the kernel forgets stays, but getcwd(3) fails in it. */
static bool is_worked_in(const struct fs *fs, const char *view)
{
    autofree char *path = NULL;
    if (!view || asprintf(&path, "%s/at/%s", fs->mountpoint, view) < 0) {
        path = NULL;
        return true;
    }
    return caller_works_in(path);
}

void views_expire(struct fs *fs)
{
    struct places p = {0};
    while (!fuse_session_exited(fs->session) && view_next_idle(fs->views, &p)) {
        bool leave = is_worked_in(fs, p.view);
        for (size_t i = 0; i < p.n; i++) {
            /* Not important: the kernel may have forgotten it, or the mount has ended. */
            if (!leave && !fuse_session_exited(fs->session))
                fuse_lowlevel_notify_inval_entry(fs->session, p.at[i].dir, p.at[i].name,
                                                 strlen(p.at[i].name));
            free(p.at[i].name);
        }
        free(p.at);
        free(p.view);
        p = (struct places){0};
    }
}
