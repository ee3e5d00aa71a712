/* SPDX-License-Identifier: MIT */
#include "store/program/history.h"

#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/program/statefile.h"

#include <errno.h>
#include <string.h>

#define RECORD "history.json"
#define ONE_NS (600 * SECOND_NS) /* within this, the same outcome is one entry */

const char *const history_kind_names[HISTORY_KINDS] = {"backups", "verifications", "restores"};
const char *const history_result_names[HISTORY_RESULTS] = {"done", "omissions", "failed"};

static void entry_clear(struct history_entry *e)
{
    free((char *)e->what);
    free((char *)e->id);
    free((char *)e->text);
}

void history_clear(struct history *h)
{
    for (int k = 0; k < HISTORY_KINDS; k++) {
        for (size_t i = 0; i < h->of[k].n; i++)
            entry_clear(&h->of[k].at[i]);
        free(h->of[k].at);
    }
    *h = (struct history){0};
}

const struct history_entry *history_last(const struct history *h, enum history_kind kind,
                                         enum history_result result)
{
    for (size_t i = 0; i < h->of[kind].n; i++)
        if (h->of[kind].at[i].result == result)
            return &h->of[kind].at[i];
    return NULL;
}

int64_t history_good_ns(const struct history *h, enum history_kind kind)
{
    for (size_t i = 0; i < h->of[kind].n; i++)
        if (h->of[kind].at[i].result != HISTORY_FAILED)
            return h->of[kind].at[i].ended_ns;
    return 0;
}

static bool same_text(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : a == b;
}

bool history_is_bad(const struct history *h, size_t i)
{
    const struct history_entry *at = h->of[HISTORY_VERIFY].at;
    for (size_t k = 0; k < i; k++)
        if (same_text(at[k].what, at[i].what))
            return false;
    return at[i].result == HISTORY_FAILED && !at[i].gone;
}

bool history_any_bad(const struct history *h)
{
    for (size_t i = 0; i < h->of[HISTORY_VERIFY].n; i++)
        if (history_is_bad(h, i))
            return true;
    return false;
}

bool history_cuts_bad(const struct history *h)
{
    for (size_t i = 0; i < h->of[HISTORY_VERIFY].n; i++)
        if (strcmp(h->of[HISTORY_VERIFY].at[i].what, HISTORY_CUTS) == 0)
            return history_is_bad(h, i);
    return false;
}

/* As JSON */

static struct json_object *history_entry_json(const struct history_entry *e)
{
    char ended[TIME_TEXT];
    struct json_object *o = json_object_new_object();
    time_text(e->ended_ns, ended);
    json_add_text(o, "result", history_result_names[e->result]);
    json_add_text(o, "ended", ended);
    json_add(o, "ended_ns", json_object_new_int64(e->ended_ns));
    json_add(o, "took_ns", json_object_new_int64(e->took_ns));
    json_add_count(o, "bytes", e->bytes);
    json_add_text(o, "what", e->what);
    json_add_text(o, "id", e->id);
    json_add_text(o, "text", e->text);
    if (e->gone)
        json_add_bool(o, "gone", true);
    return o;
}

struct json_object *history_json(const struct history *h)
{
    struct json_object *all = json_object_new_object();
    for (int k = 0; all && k < HISTORY_KINDS; k++) {
        struct json_object *o = json_object_new_object(), *last = json_object_new_array();
        for (int i = 0; i < HISTORY_RESULTS; i++)
            json_add_count(o, history_result_names[i], h->of[k].total[i]);
        for (size_t i = 0; i < h->of[k].n; i++)
            json_object_array_add(last, history_entry_json(&h->of[k].at[i]));
        json_add(o, "last", last);
        json_add(all, history_kind_names[k], o);
    }
    return all;
}

static bool get_result(struct json_object *o, enum history_result *out)
{
    struct json_object *v;
    for (int i = 0; json_get(o, "result", json_type_string, &v) && i < HISTORY_RESULTS; i++)
        if (strcmp(json_object_get_string(v), history_result_names[i]) == 0) {
            *out = (enum history_result)i;
            return true;
        }
    return false;
}

static bool history_read_entry(struct json_object *o, struct history_entry *out)
{
    struct json_object *ended, *took, *bytes, *gone;
    if (!get_result(o, &out->result) || !json_get(o, "ended_ns", json_type_int, &ended) ||
        !json_get(o, "took_ns", json_type_int, &took) ||
        !json_get(o, "bytes", json_type_int, &bytes))
        return false;
    out->ended_ns = json_object_get_int64(ended);
    out->took_ns = json_object_get_int64(took);
    out->bytes = json_object_get_uint64(bytes);
    out->gone = json_get(o, "gone", json_type_boolean, &gone) && json_object_get_boolean(gone);
    return json_get_text(o, "what", (char **)&out->what) && out->what &&
           json_get_text(o, "id", (char **)&out->id) &&
           json_get_text(o, "text", (char **)&out->text);
}

static bool history_read_kind(struct json_object *o, struct history *h, int kind)
{
    struct json_object *v, *last;
    for (int i = 0; i < HISTORY_RESULTS; i++) {
        if (!json_get(o, history_result_names[i], json_type_int, &v))
            return false;
        h->of[kind].total[i] = json_object_get_uint64(v);
    }
    if (!json_get(o, "last", json_type_array, &last))
        return false;
    size_t n = json_object_array_length(last);
    for (size_t i = 0; i < n && i < HISTORY_MOST; i++) {
        if (!array_grow(&h->of[kind].at, h->of[kind].n))
            return false;
        struct history_entry *e = &h->of[kind].at[h->of[kind].n++];
        *e = (struct history_entry){0};
        if (!history_read_entry(json_object_array_get_idx(last, i), e))
            return false;
    }
    return true;
}

static bool history_read_all(struct json_object *o, struct history *h)
{
    struct json_object *v;
    for (int k = 0; k < HISTORY_KINDS; k++)
        if (!json_get(o, history_kind_names[k], json_type_object, &v) ||
            !history_read_kind(v, h, k))
            return false;
    return true;
}

/* The file */

int history_read(const char *state, struct history *out, struct err *e)
{
    struct json_object *o = NULL;
    *out = (struct history){0};
    int r = statefile_read(state, RECORD, &o, e);
    bool good = r == 0 && (!o || history_read_all(o, out));
    json_object_put(o);
    if (good || (r < 0 && r != -EBADMSG))
        return r;
    history_clear(out);
    return err_set(e, -EBADMSG,
                   "%s/" RECORD " is damaged: what it said of earlier backups, verifications and "
                   "restores is lost, and the next one begins it anew",
                   state);
}

static bool is_again(const struct history_entry *was, const struct history_entry *now)
{
    int64_t between = now->ended_ns - was->ended_ns;
    return was->result == now->result && same_text(was->what, now->what) &&
           same_text(was->text, now->text) &&
           ((was->id && same_text(was->id, now->id)) || (between >= 0 && between < ONE_NS));
}

static int copy(const char *text, const char **out)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

static int history_entry_copy(const struct history_entry *from, struct history_entry *to)
{
    *to = *from;
    to->what = to->id = to->text = NULL;
    int r = copy(from->what, &to->what);
    if (r == 0)
        r = copy(from->id, &to->id);
    if (r == 0)
        r = copy(from->text, &to->text);
    if (r < 0)
        entry_clear(to);
    return r;
}

/* Which is to be forgotten: the oldest that nothing is known by. */
static size_t history_oldest(const struct history *h, enum history_kind kind)
{
    size_t i = h->of[kind].n - 1;
    while (kind == HISTORY_VERIFY && i > 0 && history_is_bad(h, i))
        i--;
    return i > 0 ? i : h->of[kind].n - 1;
}

/* Puts it first, in the place of one that it replaces, or of an old one if there are too many. */
static int history_put(struct history *h, enum history_kind kind, const struct history_entry *entry)
{
    struct history_entry own;
    size_t *n = &h->of[kind].n, i = 0;
    while (i < *n && !is_again(&h->of[kind].at[i], entry))
        i++;
    if (i == *n && *n == HISTORY_MOST)
        i = history_oldest(h, kind);
    if ((i == *n && !array_grow(&h->of[kind].at, *n)) || history_entry_copy(entry, &own) < 0)
        return -ENOMEM;
    struct history_entry *at = h->of[kind].at;
    if (i == *n)
        ++*n;
    else
        entry_clear(&at[i]);
    memmove(at + 1, at, i * sizeof(*at));
    at[0] = own;
    h->of[kind].total[entry->result]++;
    return 0;
}

int history_add(const char *state, enum history_kind kind, const struct history_entry *entry,
                struct err *e)
{
    struct err why = {0};
    cleanup(history_clear) struct history h = {0};
    autoclose int lock = statefile_lock(state, e);
    if (lock < 0)
        return lock;
    int r = history_read(state, &h, &why);
    if (r < 0 && r != -EBADMSG)
        return err_set(e, r, "%s", why.text);
    if (r < 0)
        log_warning("%s", why.text);
    if ((r = history_put(&h, kind, entry)) < 0)
        return err_sys(e, r, "%s/" RECORD, state);
    return statefile_write(lock, state, RECORD, history_json(&h), e);
}
