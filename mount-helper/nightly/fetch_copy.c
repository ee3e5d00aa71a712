/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/fetch_copy.h"

#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/influxsnap/setlook.h"

#include <inttypes.h>
#include <stdio.h>

static uint64_t total(const struct fetch_source *s)
{
    uint64_t n = 0;
    for (size_t i = 0; i < s->n; i++)
        n += s->at[i].size;
    return n;
}

static int copy_number(const struct restoring_stream *from, struct fetch_into *to,
                       struct meter *meter, struct err *e)
{
    struct err why = {0};
    char name[32];
    snprintf(name, sizeof(name), "%" PRId64 ".tar", from->m->number);
    int r = fetch_into_write(to, name, &from->in, meter, &why);
    return r < 0 ? err_set(e, r,
                           "the store was restored as of what comes before number %" PRId64
                           ", but not further: %s",
                           from->m->number, why.text)
                 : 0;
}

/* Numbers that came first would be judged by what the store holds now. */
int fetch_copy(const struct fetch_source *s, struct fetch_into *to, struct err *e)
{
    struct meter meter;
    meter_begin(&meter, "unpacking", total(s));
    int r = fetch_into_write(to, path_last(s->at[0].in.name), &s->at[0].in, &meter, e);
    for (size_t i = 1; r == 0 && i < s->n; i++)
        r = copy_number(&s->at[i], to, &meter, e);
    meter_end(&meter);
    return r;
}

static int copy_verify_set(const struct tar_stream *in, struct meter *meter, struct err *e)
{
    struct advise advise = {0};
    struct tar_counts counts;
    struct setlook *set = NULL;
    int r = setlook_open_stream(in, &(struct set_options){0}, &set, e);
    if (r == 0)
        r = setlook_verify(set, meter, &advise, &counts, e);
    if (r == 0)
        setlook_tell(set);
    advise_clear(&advise);
    setlook_close(set);
    return r;
}

static int copy_verify(const struct tar_stream *in, struct meter *meter, struct err *e)
{
    struct advise advise = {0};
    struct tar_counts counts;
    cleanup(manifest_freep) struct manifest *m = NULL;
    int r = tar_verify_stream(in, meter, &advise, &counts, &m, e);
    advise_clear(&advise);
    return r;
}

int fetch_copy_verify(const struct fetch_source *s, struct err *e)
{
    struct meter meter;
    int r = 0;
    meter_begin(&meter, "verifying", total(s));
    for (size_t i = 0; r == 0 && i < s->n; i++) {
        const struct restoring_stream *from = &s->at[i];
        r = from->m ? copy_verify(&from->in, &meter, e) : copy_verify_set(&from->in, &meter, e);
    }
    meter_end(&meter);
    return r;
}
