/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/archived.h"

#include "mount-helper/nightly/archive_mark.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int archived_pick_days(const struct remote_list *list, const char *format, int32_t **days,
                              size_t *n)
{
    autofree int32_t *found = calloc(list->n + 1, sizeof(*found));
    size_t count = 0;
    if (!found)
        return -ENOMEM;
    for (size_t i = 0; i < list->n; i++)
        count += list->at[i].folder && dayname_read(format, list->at[i].name, &found[count]);
    qsort(found, count, sizeof(*found), dayname_newest_first);
    *days = steal_ptr(&found);
    *n = count;
    return 0;
}

int archived_days(struct remote *r, const char *format, int32_t **days, size_t *n, struct err *e)
{
    cleanup(remote_list_clear) struct remote_list list = {0};
    struct err why = {""};
    int ret = remote_list(r, "", &list, &why);
    if (ret < 0 && ret != -ENOENT)
        return err_set(e, ret, "%s", why.text);
    ret = archived_pick_days(&list, format, days, n);
    return ret < 0 ? err_sys(e, ret, "%s", remote_name(r)) : 0;
}

/* Where runs are being looked at. */
struct looking {
    struct remote *remote;
    const char *folder, *branch;
    const struct archived_day *day;
};

/* What the remote says of one object counts against its run; all else is an error of the remote. */
static bool archived_is_verdict(int code)
{
    return code == -ENOENT || code == -EFBIG || code == -EBADMSG || code == -EIO;
}

static int archived_receipt(const struct looking *p, struct archived_run *run, struct err *e)
{
    cleanup(buffer_free) struct buffer text = {0};
    struct err why = {""};
    autofree char *path = path_join(p->folder, run->name);
    if (!path)
        return err_sys(e, -ENOMEM, "%s", run->name);
    int r = remote_get(p->remote, path, RECEIPT_MAX, &text, &why);
    if (r < 0) {
        run->code = archived_is_verdict(r) ? err_set(&run->why, -EBADMSG, "%s", why.text) : 0;
        return run->code ? 0 : err_set(e, r, "%s", why.text);
    }
    r = receipt_read(text.p, text.n, &run->receipt, &why);
    if (r == -ENOMEM)
        return err_set(e, r, "%s", why.text);
    if (r < 0)
        run->code = err_set(&run->why, -EBADMSG, "%s: %s", path, why.text);
    return 0;
}

/* A receipt that was moved or copied from elsewhere is not that of its place. */
static void archived_check_place(const struct looking *p, struct archived_run *run)
{
    struct receipt *c = &run->receipt;
    char name[RECEIPT_NAME], day[TIME_TEXT];
    const bool dumps = strcmp(p->branch, DAYNAME_DUMPS) == 0;
    receipt_name(c, ".json", name);
    time_day_text(run->day, day);
    if (strcmp(name, run->name) == 0 && strcmp(day, c->day) == 0 &&
        dumps == (c->form == RECEIPT_DUMPS)) {
        run->known = true;
        return;
    }
    run->code = err_set(&run->why, -EBADMSG,
                        "%s/%s: it does not belong there: it is the receipt %s of %s, of %s",
                        p->folder, run->name, name, c->day, receipt_form_name(c->form));
    receipt_clear(c);
}

/* A listing may be older than the object, so the object itself is asked before it is called bad. */
static int archived_check_object(const struct looking *p, const struct receipt_object *o,
                                 struct archived_run *run, struct err *e)
{
    const struct remote_entry *entry = remote_list_find(&p->day->list, o->name);
    struct remote_stat now;
    struct err why = {""};
    if (entry && !entry->folder && entry->size == o->size)
        return 0;
    autofree char *path = path_join(p->folder, o->name);
    if (!path)
        return err_sys(e, -ENOMEM, "%s", o->name);
    int r = remote_stat(p->remote, path, &now, &why);
    if (r < 0 && !archived_is_verdict(r))
        return err_set(e, r, "%s", why.text);
    if (r == -ENOENT)
        run->code = err_set(&run->why, -EBADMSG, "%s is missing", path);
    else if (r < 0)
        run->code = err_set(&run->why, -EBADMSG, "%s", why.text);
    else if (now.size != o->size)
        run->code =
            err_set(&run->why, -EBADMSG, "%s has %" PRIu64 " bytes, and should have %" PRIu64, path,
                    now.size, o->size);
    return 0;
}

static int archived_judge(const struct looking *p, struct archived_run *run, struct err *e)
{
    int r = archived_receipt(p, run, e);
    if (r == 0 && run->code == 0)
        archived_check_place(p, run);
    for (size_t i = 0; r == 0 && run->code == 0 && i < run->receipt.nobjects; i++)
        r = archived_check_object(p, &run->receipt.objects[i], run, e);
    return r;
}

static int archived_add(const struct looking *p, const char *name, struct archived_day *out,
                        struct err *e)
{
    if (!array_grow(&out->runs, out->n))
        return err_sys(e, -ENOMEM, "%s", p->folder);
    struct archived_run *run = &out->runs[out->n++];
    *run = (struct archived_run){.day = out->day, .receipt = {.number = -1}};
    snprintf(run->name, sizeof(run->name), "%s", name);
    return archived_judge(p, run, e);
}

/* A receipt that the listing does not show, though it shows something of its run. */
static int archived_ask(const struct looking *p, const char *receipt, struct archived_day *out,
                        struct err *e)
{
    struct remote_stat now;
    struct err why = {""};
    autofree char *path = path_join(p->folder, receipt);
    if (!path)
        return err_sys(e, -ENOMEM, "%s", receipt);
    int r = remote_stat(p->remote, path, &now, &why);
    if (r == -ENOENT)
        return 0;
    return r < 0 && !archived_is_verdict(r) ? err_set(e, r, "%s", why.text)
                                            : archived_add(p, receipt, out, e);
}

/* What is of one run lies side by side in the list. */
static int archived_judge_all(const struct looking *p, const char *store, struct archived_day *out,
                              struct err *e)
{
    char run[RECEIPT_RUN + 1], receipt[RECEIPT_NAME], last[RECEIPT_NAME] = "";
    int r = 0;
    for (size_t i = 0; r == 0 && i < out->list.n; i++) {
        const struct remote_entry *entry = &out->list.at[i];
        if (entry->folder || !mark_owner(entry->name, store, run))
            continue;
        snprintf(receipt, sizeof(receipt), "%.*s-%s.json", RECEIPT_STORE, entry->name, run);
        if (strcmp(receipt, last) == 0)
            continue;
        strcpy(last, receipt);
        r = remote_list_find(&out->list, receipt) ? archived_add(p, receipt, out, e)
                                                  : archived_ask(p, receipt, out, e);
    }
    return r;
}

/* By RUN, the newest first; two stores may have one of the same second. */
static int by_run(const void *a, const void *b)
{
    const struct archived_run *x = a, *y = b;
    int order = strcmp(y->name + RECEIPT_STORE, x->name + RECEIPT_STORE);
    return order ? order : strcmp(x->name, y->name);
}

int archived_look(struct remote *r, const char *format, int32_t day, const char *branch,
                  const char *store, struct archived_day *out, struct err *e)
{
    cleanup(archived_day_clear) struct archived_day own = {.day = day};
    autofree char *folder = dayname_folder(format, day, branch);
    *out = (struct archived_day){0};
    if (!folder)
        return err_sys(e, -ENOMEM, "%s", remote_name(r));
    int ret = remote_list(r, folder, &own.list, e);
    if (ret == 0)
        ret = archived_judge_all(
            &(struct looking){.remote = r, .folder = folder, .branch = branch, .day = &own}, store,
            &own, e);
    if (ret < 0)
        return ret;
    if (own.n)
        qsort(own.runs, own.n, sizeof(*own.runs), by_run);
    *out = own;
    own = (struct archived_day){0};
    return 0;
}

bool archived_needs(const struct archived_day *d, const char *name)
{
    for (size_t i = 0; i < d->n; i++) {
        const struct archived_run *run = &d->runs[i];
        const size_t stem = strlen(run->name) - (sizeof(".json") - 1);
        const bool bears = strncmp(name, run->name, stem) == 0;
        if (bears && (!run->known || strcmp(name + stem, ".json") == 0 ||
                      strcmp(name + stem, ".sha256") == 0))
            return true;
        if (run->known && receipt_find(&run->receipt, name))
            return true;
    }
    return false;
}

void archived_day_clear(struct archived_day *d)
{
    for (size_t i = 0; i < d->n; i++)
        receipt_clear(&d->runs[i].receipt);
    free(d->runs);
    remote_list_clear(&d->list);
    *d = (struct archived_day){0};
}
