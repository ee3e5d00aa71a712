/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archived.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int chain_add(struct archived_chain *c, const struct archived_run *run, struct err *e)
{
    if (!array_grow(&c->at, c->n))
        return err_sys(e, -ENOMEM, "%s", run->name);
    c->at[c->n++] = *run;
    return 0;
}

/* A copy, by way of its text. */
static int chain_begin(struct archived_chain *c, const struct archived_run *last, struct err *e)
{
    cleanup(buffer_free) struct buffer text = {0};
    struct archived_run own = *last;
    int r = receipt_text(&last->receipt, &text, e);
    if (r == 0)
        r = receipt_read(text.p, text.n, &own.receipt, e);
    if (r == 0 && (r = chain_add(c, &own, e)) < 0)
        receipt_clear(&own.receipt);
    return r;
}

static int chain_broken(const struct archived_run *run, const char *why, struct err *e)
{
    const struct receipt *c = &run->receipt;
    return err_set(e, -ESTALE, "%s of %s builds on %s of %s, which %s", run->name, c->day,
                   c->follows.name, c->follows.day, why);
}

/* The run that another follows, out of all of its day. */
static int chain_find(struct remote *r, const char *format, const struct archived_run *run,
                      struct archived_run *out, struct err *e)
{
    cleanup(archived_day_clear) struct archived_day d = {0};
    struct err why = {""};
    char reason[sizeof(why.text) + 32];
    int32_t day = 0;
    time_read_day(run->receipt.follows.day, &day);
    int ret = archived_look(r, format, day, DAYNAME_SHARDS, run->receipt.store, &d, &why);
    if (ret < 0 && ret != -ENOENT)
        return err_set(e, ret, "%s", why.text);
    for (size_t i = 0; i < d.n; i++) {
        if (strcmp(d.runs[i].name, run->receipt.follows.name) != 0)
            continue;
        if (d.runs[i].code == 0) {
            *out = d.runs[i];
            d.runs[i] = d.runs[--d.n];
            return 0;
        }
        snprintf(reason, sizeof(reason), "is not good: %s", d.runs[i].why.text);
        return chain_broken(run, reason, e);
    }
    return chain_broken(run, "is not there", e);
}

/* An increment of nothing is the state that it follows. */
static const char *chain_misfit(const struct receipt *before, const struct receipt *c)
{
    if (strcmp(before->store, c->store) != 0)
        return "is of another store";
    if (before->form > RECEIPT_INCREMENTAL)
        return "nothing can build on";
    if (strcmp(before->id, c->parent) != 0)
        return "holds another state than the one that it builds on";
    if (before->number + (c->nobjects > 0) != c->number)
        return "has a number that does not come before its own";
    return NULL;
}

/* Each receipt says which full one its chain begins with. */
static int chain_check_base(const struct archived_chain *c, struct err *e)
{
    const struct archived_run *full = &c->at[c->n - 1];
    for (size_t i = 0; i + 1 < c->n; i++) {
        const struct receipt_ref *base = &c->at[i].receipt.base;
        if (strcmp(base->name, full->name) != 0 || strcmp(base->day, full->receipt.day) != 0)
            return err_set(e, -ESTALE,
                           "%s of %s says that its chain begins with %s of %s, but it begins with "
                           "%s of %s",
                           c->at[i].name, c->at[i].receipt.day, base->name, base->day, full->name,
                           full->receipt.day);
    }
    return 0;
}

/* The newest first. Each step goes to an earlier RUN, as receipt_read demands, so none comes twice. */
static int chain_follow(struct remote *r, const char *format, struct archived_chain *c,
                        struct err *e)
{
    while (c->at[c->n - 1].receipt.form == RECEIPT_INCREMENTAL) {
        const struct archived_run *run = &c->at[c->n - 1];
        struct archived_run before = {0};
        if (c->n == ARCHIVED_CHAIN_MAX)
            return err_set(e, -ESTALE, "%s of %s: its chain has more than %d steps", c->at[0].name,
                           c->at[0].receipt.day, ARCHIVED_CHAIN_MAX);
        int ret = chain_find(r, format, run, &before, e);
        if (ret < 0)
            return ret;
        const char *misfit = chain_misfit(&before.receipt, &run->receipt);
        ret = misfit ? chain_broken(run, misfit, e) : chain_add(c, &before, e);
        if (ret < 0) {
            receipt_clear(&before.receipt);
            return ret;
        }
    }
    return chain_check_base(c, e);
}

static void chain_turn(struct archived_chain *c)
{
    for (size_t i = 0; i < c->n / 2; i++) {
        const struct archived_run swap = c->at[i];
        c->at[i] = c->at[c->n - 1 - i];
        c->at[c->n - 1 - i] = swap;
    }
}

int archived_chain(struct remote *r, const char *format, const struct archived_run *last,
                   struct archived_chain *out, struct err *e)
{
    cleanup(archived_chain_clear) struct archived_chain own = {0};
    *out = own;
    if (last->code < 0)
        return err_set(e, -ESTALE, "%s", last->why.text);
    int ret = chain_begin(&own, last, e);
    if (ret == 0)
        ret = chain_follow(r, format, &own, e);
    if (ret < 0)
        return ret;
    chain_turn(&own);
    *out = own;
    own = (struct archived_chain){0};
    return 0;
}

void archived_chain_clear(struct archived_chain *c)
{
    for (size_t i = 0; i < c->n; i++)
        receipt_clear(&c->at[i].receipt);
    free(c->at);
    *c = (struct archived_chain){0};
}
