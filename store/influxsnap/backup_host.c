/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/backup_host.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/influx/meta.h"
#include "store/influx/names.h"
#include "store/influxsnap/backup_path.h"
#include "store/influxsnap/chainstate.h"
#include "store/influxsnap/chaintext.h"
#include "store/influxsnap/download.h"
#include "store/influxsnap/http_request.h"
#include "store/influxsnap/selecting.h"
#include "store/influxsnap/snap.h"
#include "store/influxsnap/stream.h"
#include "store/influxsnap/tarlook.h"
#include "store/influxsnap/telling.h"

#include <errno.h>
#include <string.h>

#define TIMEOUT_NS (60 * SECOND_NS)
#define WORDS_MOST 500 /* of an answer that is no snapshot */

struct fetching {
    struct snap *s;
    struct backup_path at;
    struct download *from;
    struct stream *to;
    struct manifest *m; /* of what came and was written; NULL: nothing has changed */
    struct advise advise;
    struct json_object *damaged; /* words for each file, as the server or we found it */
    struct cut_lost lost;        /* since what lies there */
    uint64_t written;
};

static const struct manifest *last(const struct fetching *f)
{
    return f->at.set.n ? f->at.set.at[f->at.set.n - 1].m : NULL;
}

/* The request */

static int host_ask(struct fetching *f, struct buffer *body, struct err *e)
{
    const struct options *o = &f->s->o;
    int64_t timeout = o->timeout_ns ? o->timeout_ns : TIMEOUT_NS;
    int r = f->at.set.n ? chaintext_write(&f->at.set, body, e) : 0;
    return r < 0 ? r : download_open(o->host, body->p, body->n, timeout, &f->from, e);
}

/* Why a server sends no snapshot: the first line of what it says. */
static void host_hear(struct fetching *f, struct err *words)
{
    char text[WORDS_MOST + 1];
    size_t n = 0;
    const void *block;
    for (ssize_t k; n < WORDS_MOST && (k = download_next(f->from, &block, NULL)) > 0;) {
        size_t more = (size_t)k < WORDS_MOST - n ? (size_t)k : WORDS_MOST - n;
        memcpy(text + n, block, more);
        n += more;
    }
    text[n] = 0;
    text[strcspn(text, "\r\n")] = 0;
    long status = download_status(f->from);
    const char *url = download_leads_to(f->from);
    if (url)
        err_set(words, 0, "it leads to %s, which is not followed: give that as --host", url);
    else if (status == 401 || status == 407)
        err_set(words, 0, "it wants a user and a password, which go into ~/.netrc");
    else if (strncmp(download_type(f->from), "text/plain", 10) == 0 && *text)
        err_set(words, 0, "%s", text);
    else
        err_set(words, 0, "no influxsnap serve answers there");
}

/* Whether a snapshot comes; -ESTALE: the server says that the chain is none. */
static int host_answer(struct fetching *f, bool *comes, struct err *e)
{
    long status = download_status(f->from);
    const char *name = download_name(f->from), *type = download_type(f->from);
    struct err words = {0};
    *comes = status == HTTP_OK;
    if (status == HTTP_NO_CONTENT && f->at.set.n && download_is_ours(f->from))
        return 0;
    if (status == HTTP_OK && strncmp(type, "application/x-tar", 17) == 0)
        return 0;
    if (status == HTTP_OK)
        return err_set(e, -EIO, "%s: answers with %s, not with a snapshot: is it influxsnap serve?",
                       name, *type ? type : "no Content-Type");
    host_hear(f, &words);
    return err_set(e, status == HTTP_CONFLICT ? -ESTALE : -EIO, "%s: answers %ld: %s", name, status,
                   words.text);
}

/* The snapshot */

static ssize_t host_pull(void *arg, const void **block, struct err *e)
{
    struct fetching *f = arg;
    ssize_t n = download_next(f->from, block, e);
    int r = n > 0 ? stream_write(f->to, *block, (size_t)n, e) : 0;
    return r < 0 ? r : n;
}

static void host_note_damage(void *arg, const char *name, const char *words)
{
    struct fetching *f = arg;
    for (size_t i = 0; i < json_object_array_length(f->damaged); i++)
        if (strstr(json_object_get_string(json_object_array_get_idx(f->damaged, i)), name))
            return;
    json_object_array_add(f->damaged, json_text(words));
}

static void host_take_damage(struct fetching *f)
{
    size_t n;
    const char *const *words = download_damaged(f->from, &n);
    for (size_t i = 0; i < n; i++)
        json_object_array_add(f->damaged, json_text(words[i]));
}

/* Receives, writes and verifies the snapshot. */
static int host_receive(struct fetching *f, struct err *e)
{
    enum compress how = f->s->o.compress;
    struct meter meter;
    struct tar_counts counts;
    const struct tar_stream in = {.name = download_name(f->from),
                                  .pull = host_pull,
                                  .damaged = host_note_damage,
                                  .arg = f,
                                  .fd = f->at.file && how == COMPRESS_NOT ? backup_path_fd(&f->at)
                                                                          : -1};
    int r = stream_open(backup_path_fd(&f->at), backup_path_name(&f->at), how, &f->to, e);
    if (r < 0)
        return r;
    meter_begin(&meter, "backing up", download_size(f->from));
    r = tar_verify_stream(&in, &meter, &f->advise, &counts, &f->m, e);
    if (r == 0)
        r = stream_end(f->to, &f->written, e);
    meter_end(&meter);
    return r;
}

/* Whether it is what was asked for. */
static int host_check(const struct fetching *f, struct err *e)
{
    const struct manifest *m = f->m, *before = last(f),
                          *first = f->at.set.n ? f->at.set.at[0].m : m;
    const char *name = download_name(f->from);
    if (!before && m->kind == MANIFEST_FULL && m->chain)
        return 0;
    if (!before)
        return err_set(e, -EIO, "%s: sent no full snapshot that begins a chain", name);
    const char *chain = first->chain ? first->chain : first->id;
    if (m->kind != MANIFEST_INCREMENTAL || m->number != before->number + 1 || !m->parent ||
        strcmp(m->parent, before->id) != 0 || !m->chain || strcmp(m->chain, chain) != 0)
        return err_set(e, -ESTALE, "%s: sent a snapshot that does not follow %s", name,
                       f->at.set.at[f->at.set.n - 1].path);
    return 0;
}

static bool is_internal(char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!name_in_database(names[i], NAME_INTERNAL))
            return false;
    return true;
}

/* Whether it holds more than what influxd notes about itself. The server, which has only the
 * manifests, cannot tell for meta.db. */
static int host_matters(const struct fetching *f, bool *out, struct err *e)
{
    const struct manifest *m = f->m;
    const struct tarset_file *held = NULL;
    *out = true;
    if (m->kind == MANIFEST_FULL || !is_internal(m->removed, m->nremoved) ||
        !is_internal(m->removed_folders, m->nremoved_folders))
        return 0;
    for (size_t i = 0; i < m->nfiles; i++)
        if (strcmp(m->files[i].name, NAME_META_MEMBER) != 0 &&
            !name_in_database(m->files[i].name, NAME_INTERNAL))
            return 0;
    for (size_t i = 0; i < f->at.set.n; i++)
        if (!f->at.set.at[i].superseded && manifest_find(f->at.set.at[i].m, NAME_META_MEMBER))
            held = &f->at.set.at[i];
    if (!held || !f->advise.meta)
        return 0;
    autofree char *was = NULL;
    size_t n;
    bool same;
    int r = tar_meta(held->path, &was, &n, e);
    if (r == 0)
        r = meta_same_but(was, n, f->advise.meta, f->advise.len, NAME_INTERNAL, &same, e);
    if (r == 0)
        *out = !same;
    return r;
}

static int host_find_lost(struct fetching *f, struct err *e)
{
    size_t n;
    cleanup(chainstate_clear) struct chainstate was = {0}, now = {0};
    autofree const struct manifest **chain = tarset_manifests(&f->at.set, &n);
    int r = chain ? chainstate_read(chain, n, &was) : -ENOMEM;
    if (r == 0) {
        chain[n] = f->m;
        r = chainstate_read(chain, n + 1, &now);
    }
    if (r == 0 && f->m->kind == MANIFEST_INCREMENTAL)
        r = chainstate_lost(&was, &now, &f->lost);
    return r < 0 ? err_sys(e, r, "comparing") : 0;
}

static int host_take(struct fetching *f, struct err *e)
{
    bool matters;
    int r = host_receive(f, e);
    if (r == 0)
        r = host_check(f, e);
    if (r == 0)
        r = host_matters(f, &matters, e);
    if (r == 0 && matters)
        r = host_find_lost(f, e);
    if (r == 0 && matters)
        return backup_path_commit(&f->at, f->m->number, e);
    if (r == 0) {
        manifest_free(f->m);
        f->m = NULL;
    }
    return r;
}

/* The run */

static int host_run(struct fetching *f, struct err *e)
{
    cleanup(buffer_free) struct buffer body = {0};
    struct err why = {0};
    bool comes;
    int r = backup_path_open(f->s->o.args[0], &f->at, e);
    if (r == 0)
        r = selecting_check_chain(&f->s->o, f->at.path, &f->at.set, e);
    if (r < 0)
        return r;
    if ((r = host_ask(f, &body, &why)) == 0 && (r = host_answer(f, &comes, &why)) == 0) {
        host_take_damage(f);
        r = comes ? host_take(f, &why) : 0;
    }
    download_close(f->from);
    /* What came, not what lies there, is damaged. */
    return r < 0 ? err_set(e, r == -ESTALE ? r : -EIO, "%s%s", why.text,
                           f->at.file ? "; nothing was written" : "")
                 : 0;
}

/* Says what the store lacks. Returns the exit code. */
static int host_tell(const struct fetching *f)
{
    const struct manifest *m = f->m ? f->m : last(f);
    size_t n = json_object_array_length(f->damaged);
    backup_path_compare_hosts(&f->at, m->host);
    if (f->m)
        backup_path_guard(&f->at, &f->s->o.rules, &f->lost);
    tell_links(NULL, (const char *const *)m->links, m->nlinks);
    tell_left_out(NULL, &m->left_out);
    for (size_t i = 0; i < n; i++)
        snap_warn("%s", json_object_get_string(json_object_array_get_idx(f->damaged, i)));
    struct json_object *more = f->s->o.json ? json_object_new_object() : NULL;
    if (more) {
        json_add(more, "damaged", json_object_get(f->damaged));
        tell_json(more, &m->left_out, (const char *const *)m->links, m->nlinks);
    }
    const struct backup_done done = {.kind = m->kind,
                                     .number = m->number,
                                     .id = m->id,
                                     .files = m->nfiles,
                                     .bytes = m->bytes,
                                     .size = f->written,
                                     .removed = m->nremoved,
                                     .lost = last(f) ? &f->lost : NULL};
    backup_path_tell(&f->at, f->m ? &done : NULL, more);
    return n || omissions_that_count(&m->left_out) ? EXIT_OMISSIONS : EXIT_DONE;
}

int backup_host(struct snap *s)
{
    struct err e = {0};
    struct fetching f = {.s = s, .damaged = json_object_new_array()};
    int r = host_run(&f, &e);
    int code = r < 0 ? backup_path_fail(r, &e) : host_tell(&f);
    stream_close(f.to);
    manifest_free(f.m);
    advise_clear(&f.advise);
    json_object_put(f.damaged);
    backup_path_close(&f.at);
    return code;
}
