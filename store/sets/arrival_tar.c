/* SPDX-License-Identifier: MIT */
#include "store/sets/arrival_tar.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/restore/account.h"
#include "store/sets/arrival_impl.h"
#include "store/sets/set.h"
#include "store/snapshot/tarhead.h"

#include <errno.h>

struct set_tar_input {
    struct session *session;
    char *name;
    const struct tar_input *in;
    struct buffer head; /* bytes of `in` by which it is told what it is */
    bool known, given;  /* what it is; the head was given on */
    struct spool_folder *folder;
    struct set *set; /* NULL: it is none */
    struct err why;
};

/* `in` from its beginning. */
static ssize_t replay(void *arg, int if_ended, const void **block)
{
    struct set_tar_input *t = arg;
    if (t->given || t->head.n == 0) {
        buffer_free(&t->head);
        return t->in->pull(t->in->arg, if_ended, block);
    }
    t->given = true;
    *block = t->head.p;
    return (ssize_t)t->head.n;
}

static int replay_stop(void *arg)
{
    const struct set_tar_input *t = arg;
    return t->in->stop ? t->in->stop(t->in->arg) : 0;
}

/* The result if the input ended here, where it is not known yet what it is. */
static int arrival_tar_cut_off(const struct set_tar_input *t)
{
    if (plain_begins_compressed(t->head.p, t->head.n))
        return TAR_UNSURE;
    return t->head.n < TAR_BLOCK ? plain_cut_off("manifest", t->head.p, t->head.n) : -EBADMSG;
}

/* Reads as much as it takes: 1 it is a set, 0 it is not, -errno. */
static int arrival_tar_look(struct set_tar_input *t)
{
    int r = -EAGAIN;
    while (r == -EAGAIN) {
        const void *block;
        ssize_t n = t->in->pull(t->in->arg, arrival_tar_cut_off(t), &block);
        if (n < 0)
            return (int)n;
        buffer_add(&t->head, block, (size_t)n);
        if (t->head.failed)
            return -ENOMEM;
        r = set_tar_begins(t->head.p, t->head.n, n == 0);
    }
    return r;
}

/* Unpacks the set to the end of `in`, and judges it. */
static int arrival_tar_receive(struct set_tar_input *t)
{
    const struct tar_input in = {replay, replay_stop, t};
    const struct set_options o = {.stop = replay_stop, .arg = t};
    account_say(session_account(t->session), "receiving %s: a set of influxd, as a tar", t->name);
    int r = session_folder_new(t->session, &t->folder, &t->why);
    if (r == 0)
        r = set_unpack_tar(&in, spool_folder_fd(t->folder), &t->why);
    if (r == 0)
        r = set_open(spool_folder_fd(t->folder), t->name, &o, &t->set, &t->why);
    bool warns;
    for (size_t i = 0; r == 0 && i < set_notes(t->set); i++)
        account_say(session_account(t->session), "%s: %s", t->name, set_note(t->set, i, &warns));
    return r;
}

static ssize_t arrival_tar_pull(void *arg, int if_ended, const void **block)
{
    struct set_tar_input *t = arg;
    if (!t->known) {
        int r = arrival_tar_look(t);
        if (r == 1)
            r = arrival_tar_receive(t);
        if (r < 0)
            return r;
        t->known = true;
    }
    return t->set ? set_next(t->set, block, &t->why) : replay(t, if_ended, block);
}

static const char *arrival_tar_said(const struct tar_input *out)
{
    const struct set_tar_input *t = out->arg;
    return arrival_reason(t->name, t->why.text);
}

static void arrival_tar_close(struct tar_input *out)
{
    struct set_tar_input *t = out->arg;
    set_free(t->set);
    session_folder_free(t->session, t->folder);
    buffer_free(&t->head);
    free(t->name);
    free(t);
}

static int arrival_tar_open(struct session *s, const char *name, const struct tar_input *in,
                            struct tar_input *out)
{
    struct set_tar_input *t = calloc(1, sizeof(*t));
    if (!t || !(t->name = strdup(name))) {
        free(t);
        return -ENOMEM;
    }
    t->session = s;
    t->in = in;
    *out = (struct tar_input){arrival_tar_pull, replay_stop, t};
    return 0;
}

const struct translator arrival_tar = {arrival_tar_open, arrival_tar_said, arrival_tar_close};
