/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_source.h"

#include "store/base/cleanup.h"
#include "store/influxsnap/tarlook.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* Where it is, with the name that the tar would have in one piece. */
static char *source_name(const struct remote *r, const char *folder, const struct receipt *c)
{
    char set[RECEIPT_NAME], *name = NULL;
    receipt_name(c, ".tar", set);
    const char *object = c->form == RECEIPT_LEGACY ? set : c->objects[0].name;
    const char *end = strstr(object, ".tar");
    const int length = end ? (int)(end - object) + 4 : (int)strlen(object);
    return asprintf(&name, "%s%s%s/%.*s", remote_name(r), remote_slash(r), folder, length, object) <
                   0
               ? NULL
               : name;
}

/* What the first bytes say must be what the receipt says. */
static int source_read_manifest(struct remote *r, const char *folder, const struct receipt *c,
                                const char *day, struct restoring_stream *s, struct err *e)
{
    cleanup(fetch_stream_freep) struct fetch_stream *look = NULL;
    int ret = fetch_stream_new(r, folder, c, day, &look, e);
    const struct tar_stream in = {
        .name = s->in.name, .pull = fetch_stream_peek, .arg = look, .fd = -1};
    if (ret == 0)
        ret = tar_manifest_stream(&in, &s->m, e);
    if (ret < 0)
        return ret == -EINVAL ? -EBADMSG : ret;
    if (strcmp(s->m->id, c->id) != 0 ||
        (s->m->kind == MANIFEST_INCREMENTAL) != (c->form == RECEIPT_INCREMENTAL))
        return err_set(e, -EBADMSG,
                       "the archive of %s is not good: %s: it is the %s snapshot %s, and its "
                       "receipt speaks of the %s one %s",
                       day, s->in.name, manifest_kind_name(s->m->kind), s->m->id,
                       receipt_form_name(c->form), c->id);
    return 0;
}

static int source_add(struct fetch_source *s, struct remote *r, const char *format,
                      const struct archived_run *run, const char *day, struct err *e)
{
    const struct receipt *c = &run->receipt;
    struct restoring_stream *to = &s->at[s->n];
    char *folder = dayname_folder(format, run->day, DAYNAME_SHARDS);
    s->folder[s->n] = folder;
    s->run[s->n] = run;
    to->in = (struct tar_stream){
        .name = folder ? source_name(r, folder, c) : NULL, .pull = fetch_stream_pull, .fd = -1};
    s->n++;
    if (!to->in.name)
        return err_sys(e, -ENOMEM, "%s", run->name);
    int ret = fetch_stream_new(r, folder, c, day, &s->stream[s->n - 1], e);
    if (ret < 0)
        return ret;
    to->in.arg = s->stream[s->n - 1];
    to->size = fetch_stream_size(s->stream[s->n - 1]);
    s->bytes += receipt_bytes(c);
    s->objects += c->nobjects;
    ret = c->form == RECEIPT_LEGACY ? 0 : source_read_manifest(r, folder, c, day, to, e);
    s->misfit = ret == -EBADMSG ? run : NULL;
    return ret;
}

int fetch_source_open(struct remote *r, const char *format, const struct archived_chain *chain,
                      struct fetch_source *out, struct err *e)
{
    const struct archived_run *last = &chain->at[chain->n - 1];
    *out = (struct fetch_source){.at = calloc(chain->n, sizeof(*out->at)),
                                 .stream = calloc(chain->n, sizeof(struct fetch_stream *)),
                                 .folder = calloc(chain->n, sizeof(char *)),
                                 .run = calloc(chain->n, sizeof(*out->run))};
    if (!out->at || !out->stream || !out->folder || !out->run)
        return err_sys(e, -ENOMEM, "%s", last->name);
    int ret = 0;
    for (size_t i = 0; ret == 0 && i < chain->n; i++)
        if (chain->at[i].receipt.nobjects) /* else nothing had changed */
            ret = source_add(out, r, format, &chain->at[i], last->receipt.day, e);
    if (ret == 0 && asprintf(&out->what, "%s of %s", remote_name(r), last->receipt.day) < 0) {
        out->what = NULL;
        ret = err_sys(e, -ENOMEM, "%s", last->name);
    }
    return ret;
}

void fetch_source_close(struct fetch_source *s)
{
    for (size_t i = 0; i < s->n; i++) {
        free((char *)s->at[i].in.name);
        manifest_free(s->at[i].m);
        fetch_stream_free(s->stream[i]);
        free(s->folder[i]);
    }
    free(s->at);
    free(s->stream);
    free(s->folder);
    free(s->run);
    free(s->what);
    *s = (struct fetch_source){0};
}

const struct archived_run *fetch_source_spoilt(const struct fetch_source *s)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->stream[i] && fetch_stream_spoilt(s->stream[i]))
            return s->run[i];
    return s->misfit;
}
