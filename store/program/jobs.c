/* SPDX-License-Identifier: MIT */
#include "store/program/jobs.h"

#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/base/log.h"
#include "store/base/time.h"
#include "store/program/statefile.h"

#include <errno.h>
#include <string.h>

const char *const job_kind_names[JOB_KINDS] = {"archive", "fetch", "dump"};

void job_end_clear(struct job_end *e)
{
    free(e->day);
    free(e->remote);
    free(e->text);
    *e = (struct job_end){0};
}

void jobs_clear(struct jobs *j)
{
    for (int k = 0; k < JOB_KINDS; k++) {
        job_end_clear(&j->of[k].last);
        free(j->of[k].good_day);
    }
    *j = (struct jobs){0};
}

/* As JSON */

static void jobs_add_time(struct json_object *o, const char *key, const char *key_ns, int64_t ns)
{
    char text[TIME_TEXT];
    time_text(ns, text);
    json_add_text(o, key, text);
    json_add(o, key_ns, json_object_new_int64(ns));
}

struct json_object *job_end_json(const struct job_end *e)
{
    struct json_object *o = json_object_new_object();
    json_add_text(o, "result", history_result_names[e->result]);
    json_add(o, "code", json_object_new_int(e->code));
    jobs_add_time(o, "began", "began_ns", e->began_ns);
    jobs_add_time(o, "ended", "ended_ns", e->ended_ns);
    json_add_text(o, "day", e->day);
    json_add_text(o, "remote", e->remote);
    json_add_count(o, "bytes", e->bytes);
    json_add_count(o, "objects", e->objects);
    json_add_text(o, "text", e->text);
    return o;
}

struct json_object *jobs_json(const struct jobs *j)
{
    struct json_object *all = json_object_new_object();
    for (int k = 0; all && k < JOB_KINDS; k++) {
        struct json_object *o = json_object_new_object(), *good = NULL;
        for (int i = 0; i < HISTORY_RESULTS; i++)
            json_add_count(o, history_result_names[i], j->of[k].total[i]);
        if (j->of[k].unit)
            json_add_bool(o, "unit", true);
        json_add(o, "last", j->of[k].last.ended_ns ? job_end_json(&j->of[k].last) : NULL);
        if (j->of[k].good_ns) {
            good = json_object_new_object();
            json_add_text(good, "day", j->of[k].good_day);
            jobs_add_time(good, "ended", "ended_ns", j->of[k].good_ns);
        }
        json_add(o, "good", good);
        json_add(all, job_kind_names[k], o);
    }
    return all;
}

static bool jobs_read_number(struct json_object *o, const char *key, int64_t *out)
{
    struct json_object *v;
    if (!json_get(o, key, json_type_int, &v))
        return false;
    *out = json_object_get_int64(v);
    return true;
}

static bool jobs_read_count(struct json_object *o, const char *key, uint64_t *out)
{
    struct json_object *v;
    if (!json_get(o, key, json_type_int, &v))
        return false;
    *out = json_object_get_uint64(v);
    return true;
}

static bool job_end_read(struct json_object *o, struct job_end *out)
{
    int64_t code = 0;
    int result;
    autofree char *name = NULL;
    if (!json_get_text(o, "result", &name) || !name)
        return false;
    for (result = 0; result < HISTORY_RESULTS; result++)
        if (strcmp(name, history_result_names[result]) == 0)
            break;
    out->result = (enum history_result)result;
    bool good = result < HISTORY_RESULTS && jobs_read_number(o, "code", &code) &&
                jobs_read_number(o, "began_ns", &out->began_ns) &&
                jobs_read_number(o, "ended_ns", &out->ended_ns) &&
                jobs_read_count(o, "bytes", &out->bytes) &&
                jobs_read_count(o, "objects", &out->objects);
    out->code = (int)code;
    return good && json_get_text(o, "day", &out->day) && json_get_text(o, "remote", &out->remote) &&
           json_get_text(o, "text", &out->text);
}

/* NULL: there has been none. */
static bool jobs_read_part(struct json_object *o, const char *key, struct json_object **out)
{
    return json_object_object_get_ex(o, key, out) &&
           (!*out || json_object_is_type(*out, json_type_object));
}

static bool jobs_read_kind(struct json_object *o, struct jobs *j, int kind)
{
    struct json_object *v;
    for (int i = 0; i < HISTORY_RESULTS; i++)
        if (!jobs_read_count(o, history_result_names[i], &j->of[kind].total[i]))
            return false;
    if (json_get(o, "unit", json_type_boolean, &v)) /* else nobody has noted it */
        j->of[kind].unit = json_object_get_boolean(v);
    if (!jobs_read_part(o, "last", &v) || (v && !job_end_read(v, &j->of[kind].last)) ||
        !jobs_read_part(o, "good", &v))
        return false;
    return !v || (jobs_read_number(v, "ended_ns", &j->of[kind].good_ns) &&
                  json_get_text(v, "day", &j->of[kind].good_day));
}

static bool jobs_read_all(struct json_object *o, struct jobs *j)
{
    struct json_object *v;
    for (int k = 0; k < JOB_KINDS; k++)
        if (!json_get(o, job_kind_names[k], json_type_object, &v) || !jobs_read_kind(v, j, k))
            return false;
    return true;
}

/* The file */

int jobs_read(const char *state, struct jobs *out, struct err *e)
{
    struct json_object *o = NULL;
    *out = (struct jobs){0};
    int r = statefile_read(state, JOBS_FILE, &o, e);
    bool good = r == 0 && (!o || jobs_read_all(o, out));
    json_object_put(o);
    if (good || (r < 0 && r != -EBADMSG))
        return r;
    jobs_clear(out);
    return err_set(e, -EBADMSG,
                   "%s/" JOBS_FILE
                   " is damaged: how the nightly jobs ended before is lost, and the "
                   "next one begins it anew",
                   state);
}

static int copy(const char *text, char **out)
{
    *out = text ? strdup(text) : NULL;
    return text && !*out ? -ENOMEM : 0;
}

static int jobs_put(struct jobs *j, enum job_kind kind, const struct job_end *end)
{
    struct job_end own = *end;
    autofree char *good_day = NULL;
    own.day = own.remote = own.text = NULL;
    if (copy(end->day, &own.day) < 0 || copy(end->remote, &own.remote) < 0 ||
        copy(end->text, &own.text) < 0 || copy(end->day, &good_day) < 0) {
        job_end_clear(&own);
        return -ENOMEM;
    }
    job_end_clear(&j->of[kind].last);
    j->of[kind].last = own;
    j->of[kind].total[end->result]++;
    j->of[kind].unit |= end->unit;
    if (end->result != HISTORY_FAILED) {
        free(j->of[kind].good_day);
        j->of[kind].good_day = steal_ptr(&good_day);
        j->of[kind].good_ns = end->ended_ns;
    }
    return 0;
}

int jobs_add(const char *state, enum job_kind kind, const struct job_end *end, struct err *e)
{
    struct err why = {0};
    cleanup(jobs_clear) struct jobs j = {0};
    autoclose int lock = statefile_lock(state, e);
    if (lock < 0)
        return lock;
    int r = jobs_read(state, &j, &why);
    if (r < 0 && r != -EBADMSG)
        return err_set(e, r, "%s", why.text);
    if (r < 0)
        log_warning("%s", why.text);
    if ((r = jobs_put(&j, kind, end)) < 0)
        return err_sys(e, r, "%s/" JOBS_FILE, state);
    return statefile_write(lock, state, JOBS_FILE, jobs_json(&j), e);
}
