/* SPDX-License-Identifier: MIT */
/* What is known of the files of a set that arrives: what their names say, which the manifests want,
 * and whether all are there. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/restore/account.h"
#include "store/sets/arrival_impl.h"
#include "store/sets/set.h"
#include "store/sets/set_manifest.h"
#include "store/sets/set_name.h"

#include <errno.h>
#include <string.h>

#define SUFFIXES_MAX 2 /* that a tool puts after a name: .XXXXXX, .XXXXXXXX.partial */

/* Whether an archive of a portable set begins with the time of its run, as all do that influxd has
 * named; with anything else it may be somebody's compressed snapshot. */
static bool is_timed(const char *name)
{
    static const char shape[] = "00000000T000000Z.";
    for (size_t i = 0; shape[i]; i++)
        if (shape[i] == '0' ? !strchr("0123456789", name[i]) || !name[i] : name[i] != shape[i])
            return false;
    return true;
}

static bool is_final(const char *name)
{
    const char *dot = strrchr(name, '.');
    if (strcmp(name, ARRIVAL_DONE) == 0 || set_name_left_out(name))
        return true;
    const bool archive = dot && strcmp(dot, ".gz") == 0;
    return set_name_kind(name) != SET_NO_NAME && (!archive || is_timed(name));
}

/* Whether a name of a set stands before suffixes. */
static bool arrival_is_decorated(const char *name)
{
    char part[NAME_MAX + 1];
    size_t n = strlen(name);
    if (n > NAME_MAX)
        return false;
    memcpy(part, name, n + 1);
    for (int i = 0; i < SUFFIXES_MAX; i++) {
        char *dot = strrchr(part, '.');
        if (!dot || dot == part)
            return false;
        *dot = 0;
        if (is_final(part))
            return true;
    }
    return false;
}

enum arrival_kind arrival_kind_of(const char *name)
{
    if (is_final(name))
        return ARRIVAL_FINAL;
    bool hidden = *name == '.';
    return (hidden && arrival_is_decorated(name + 1)) || arrival_is_decorated(name)
               ? ARRIVAL_TEMPORARY
               : ARRIVAL_NONE;
}

struct arrival_name *arrival_name_get(struct arrival *a, const char *name)
{
    struct arrival_name *n;
    HASH_FIND_STR(a->names, name, n);
    if (n)
        return n;
    n = calloc(1, sizeof(*n));
    if (!n || !(n->name = strdup(name))) {
        free(n);
        return NULL;
    }
    HASH_ADD_KEYPTR(hh, a->names, n->name, strlen(n->name), n);
    if (!n->hh.tbl) {
        free(n->name);
        free(n);
        return NULL;
    }
    return n;
}

void arrival_name_forget(struct arrival *a, struct arrival_name *n)
{
    if (n->file || n->wanted)
        return;
    HASH_DEL(a->names, n);
    free(n->name);
    free(n);
}

static int arrival_want(struct arrival_file *f, const char *name)
{
    struct arrival_name *n = arrival_name_get(f->in, name);
    if (!n)
        return -ENOMEM;
    n->wanted++;
    f->wants[f->nwants++] = n;
    return 0;
}

static int arrival_read_manifest(struct arrival_file *f, struct err *e)
{
    autofree char *text = NULL;
    size_t len = 0;
    struct set_manifest m = {0};
    int r = io_read_file(spool_folder_fd(f->in->folder), f->disk, SET_MANIFEST_MAX, &text, &len);
    if (r < 0)
        return err_sys(e, r == -EINVAL ? -EBADMSG : r, "%s", f->disk);
    struct err why = {0};
    if ((r = set_manifest_parse(text, len, &m, &why)) < 0)
        return err_set(e, r, "%s: %s", f->disk, why.text);
    f->wants = calloc(m.nfiles + 2, sizeof(struct arrival_name *));
    r = f->wants ? arrival_want(f, f->disk) : -ENOMEM;
    if (r == 0)
        r = arrival_want(f, m.meta);
    for (size_t i = 0; r == 0 && i < m.nfiles; i++)
        r = arrival_want(f, m.files[i].name);
    set_manifest_clear(&m);
    return r < 0 ? err_sys(e, r, "%s", f->disk) : 0;
}

void arrival_take_back(struct arrival_file *f)
{
    for (size_t i = 0; i < f->nwants; i++) {
        f->wants[i]->wanted--;
        arrival_name_forget(f->in, f->wants[i]);
    }
    free(f->wants);
    f->wants = NULL;
    f->nwants = 0;
    f->arrived = false;
}

int arrival_take_in(struct arrival_file *f, struct err *e)
{
    f->arrived = true;
    f->round = f->in->round;
    int r = f->as && set_name_manifest(f->as->name) ? arrival_read_manifest(f, e) : 0;
    if (r < 0)
        arrival_take_back(f);
    return r;
}

/* Whether all files of a manifest have arrived since the last verdict, or none. */
static bool arrival_is_even(const struct arrival_file *manifest, bool *fresh)
{
    *fresh = arrival_is_fresh(manifest);
    for (size_t i = 0; i < manifest->nwants; i++)
        if (arrival_is_fresh(manifest->wants[i]->file) != *fresh)
            return false;
    return true;
}

bool arrival_is_ready(const struct arrival *a)
{
    bool any = false, fresh;
    if (a->busy)
        return false;
    for (const struct arrival_name *n = a->names; n; n = n->hh.next) {
        bool here = n->file && n->file->arrived;
        if (n->wanted ? !here : arrival_is_fresh(n->file))
            return false;
    }
    for (const struct arrival_name *n = a->names; n; n = n->hh.next) {
        if (!n->file || !n->file->wants)
            continue;
        if (!arrival_is_even(n->file, &fresh))
            return false;
        any |= fresh;
    }
    return any;
}

const char *arrival_reason(const char *path, const char *text)
{
    size_t n = strlen(path);
    return strncmp(text, path, n) == 0 && strncmp(text + n, ": ", 2) == 0 ? text + n + 2 : text;
}

void arrival_log_refused(const struct arrival *a, const char *why)
{
    account_refused(session_account(a->session), arrival_as_upload(a), a->path, why);
}

void arrival_say_missing(const struct arrival *a, struct err *why)
{
    const struct arrival_name *stray = NULL;
    bool manifest = false;
    for (const struct arrival_name *n = a->names; n; n = n->hh.next) {
        manifest |= n->file && n->file->wants;
        if (n->file ? !n->file->arrived : n->wanted > 0) {
            err_set(why, 0, "%s %s", n->name,
                    !n->file             ? "is missing"
                    : n->file->size == 0 ? "is empty"
                                         : "did not arrive whole");
            return;
        }
        if (!n->wanted)
            stray = n;
    }
    if (!stray)
        err_set(why, 0, "nothing of a set has arrived");
    else if (set_name_kind(stray->name) == SET_LEGACY)
        err_set(why, 0, "a legacy set is complete when " ARRIVAL_DONE " is created in its folder");
    else
        err_set(why, 0, "the .manifest that names %s is missing%s", stray->name,
                manifest ? ", although there is one of other files" : "");
}
