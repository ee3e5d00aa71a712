/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/nightjob.h"

#include "mount-helper/nightly/dayname.h"
#include "mount-helper/nightly/hooks.h"
#include "mount-helper/nightly/remote.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/time.h"
#include "store/program/joblock.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

/* Before the job */

/* What is wrong with the command line beyond its words. */
static int nightjob_check(const struct nightjob_program *p, struct options *o, struct err *e)
{
    struct err why;
    if (o->start_stopped)
        return 0;
    if (!o->remote)
        return err_set(e, -EINVAL, "say where the days are kept, by --remote=NAME:");
    if (!o->container_format && !(o->container_format = strdup(DAYNAME_DEFAULT)))
        return err_sys(e, -ENOMEM, "%s", p->command.name);
    if (dayname_check(o->container_format, &why) < 0)
        return err_set(e, -EINVAL, "option --container-format=%s: %s", o->container_format,
                       why.text);
    if (o->rclone && *o->rclone && **o->rclone != '-')
        return err_set(e, -EINVAL, "%s: after -- come flags of rclone alone", *o->rclone);
    const int r = remote_check_extra(o->rclone, e);
    return r == 0 && p->check ? p->check(o, e) : r;
}

static int nightjob_begin(struct nightjob *j, const struct nightjob_program *p, struct err *e)
{
    char day[TIME_TEXT];
    const struct options *o = &j->snap.o;
    j->end.began_ns = j->began_ns = time_wall_ns();
    j->end.unit = getenv("INVOCATION_ID"); /* systemd.exec(5) */
    j->day = o->day == VALUE_NO_DAY ? time_today() + p->day : o->day;
    time_day_text(j->day, day);
    j->end.day = strdup(day);
    j->end.remote = strdup(o->remote);
    return j->end.day && j->end.remote ? 0 : err_sys(e, -ENOMEM, "%s", p->command.name);
}

/* A dry run makes no state folder. */
static enum snap_need nightjob_need(const struct nightjob *j, const struct nightjob_program *p)
{
    return j->snap.o.dry_run && p->need == SNAP_PATHS ? SNAP_LOOK : p->need;
}

static int nightjob_before(struct nightjob *j, enum job_kind kind, const char *result,
                           struct err *e)
{
    struct err why = {0};
    const struct hooks_about about = {.kind = kind, .day = j->end.day, .result = result};
    int r = j->snap.o.before ? hooks_run(j->snap.o.before, &about, &why) : 0;
    return r < 0 ? err_set(e, r, "--before: %s", why.text) : 0;
}

/* The job */

static int nightjob_open_and_run(struct nightjob *j, const struct nightjob_program *p)
{
    struct err e = {0};
    const struct options *o = &j->snap.o;
    int r = remote_open(o->remote, o->rclone, &j->remote, &e);
    if (r == 0)
        r = snap_open(&j->snap, nightjob_need(j, p), &e);
    if (r < 0)
        return snap_fail(r, &e);
    remote_set_patience(j->remote, o->retry_ns);
    return p->run(j);
}

/* A store without a state folder to write to can still be archived. */
static int nightjob_lock(struct nightjob *j, enum job_kind kind, int *lock, struct err *e)
{
    struct err why = {0};
    struct job_now now;
    const struct snap *s = &j->snap;
    if (s->o.wait_ns && s->state && joblock_look(s->state, &now, NULL) == 0 && now.working)
        snap_note("waiting for another job on this store");
    int r = !s->state || s->lacking
                ? err_set(&why, -ENOENT, "%s", s->lacks.text)
                : joblock_take(s->state, kind, s->o.wait_ns, snap_stopped, NULL, lock, &why);
    if (r == -EBUSY || r == -EINTR)
        return err_set(e, r, "%s", why.text);
    j->locked = r == 0;
    if (r < 0)
        snap_warn("%s; nothing keeps other jobs on this store away", why.text);
    return 0;
}

static int nightjob_run(struct nightjob *j, const struct nightjob_program *p, const char *result)
{
    struct err e = {0};
    autoclose int lock = -1;
    if (j->snap.o.dry_run)
        return nightjob_open_and_run(j, p);
    int r = nightjob_lock(j, p->kind, &lock, &e);
    if (r == 0)
        r = nightjob_before(j, p->kind, result, &e);
    return r < 0 ? snap_fail(r, &e) : nightjob_open_and_run(j, p);
}

/* After it */

static void nightjob_judge(struct nightjob *j, int code)
{
    struct err text = {0};
    j->end.code = code;
    j->end.ended_ns = time_wall_ns();
    j->end.result = code == EXIT_DONE        ? HISTORY_DONE
                    : code == EXIT_OMISSIONS ? HISTORY_OMISSIONS
                                             : HISTORY_FAILED;
    if (j->end.text || j->end.result == HISTORY_DONE)
        return;
    if (j->end.result == HISTORY_FAILED && snap_stopped(NULL))
        err_set(&text, 0, "interrupted");
    else
        snap_said(j->end.result == HISTORY_FAILED ? SNAP_SAY : SNAP_WARN, &text);
    j->end.text = strdup(text.text);
}

static void nightjob_remember(const struct nightjob *j, enum job_kind kind, const char *state)
{
    struct err why = {0};
    if (!state || jobs_add(state, kind, &j->end, &why) == 0)
        return;
    snap_warn("%s; how this job ended is not remembered", why.text);
}

static void nightjob_after(struct nightjob *j, enum job_kind kind, const char *result)
{
    struct err why = {0};
    const bool failed = j->end.result == HISTORY_FAILED;
    const char *command = failed ? j->snap.o.on_failure : j->snap.o.after;
    const struct hooks_about about = {kind, j->end.day, result, &j->end};
    if (command && hooks_run(command, &about, &why) < 0)
        snap_warn("--%s: %s", failed ? "on-failure" : "after", why.text);
}

static void add_keys(struct json_object *to, struct json_object *from)
{
    json_object_object_foreach(from, key, value)
    {
        json_object_object_add(to, key, json_object_get(value));
    }
}

static void nightjob_print(struct nightjob *j, enum job_kind kind)
{
    struct json_object *o = json_object_new_object(), *end = job_end_json(&j->end);
    json_add_text(o, "job", job_kind_names[kind]);
    json_add_bool(o, "dry_run", j->snap.o.dry_run);
    add_keys(o, end);
    if (j->json)
        add_keys(o, j->json);
    json_add(o, "warnings", snap_warnings_json());
    json_object_put(end);
    snap_print_json(o);
}

/* The store is closed, and the lock let go of, before the last hook: it may unmount the disk, or start
 * another job. */
static int nightjob_work(struct nightjob *j, const struct nightjob_program *p)
{
    struct err e = {0};
    autofree char *result = NULL, *state = NULL;
    int code, r = nightjob_begin(j, p, &e);
    if (r == 0)
        r = snap_open_folders(&j->snap, nightjob_need(j, p), &e);
    if (r == 0 && j->snap.state && asprintf(&result, "%s/" JOBS_FILE, j->snap.state) < 0)
        r = -ENOMEM;
    code = r < 0 ? snap_fail(r, &e) : nightjob_run(j, p, result);
    state = steal_ptr(&j->snap.state);
    remote_close(j->remote);
    j->remote = NULL;
    snap_close(&j->snap);
    nightjob_judge(j, code);
    if (!j->snap.o.dry_run) {
        nightjob_remember(j, p->kind, state);
        nightjob_after(j, p->kind, result);
    }
    if (j->snap.o.json)
        nightjob_print(j, p->kind);
    return code;
}

static int nightjob_heal(struct nightjob *j, const struct nightjob_program *p)
{
    struct err e = {0};
    int r = snap_open_folders(&j->snap, SNAP_LOOK, &e);
    const int code = r < 0 ? snap_fail(r, &e) : p->heal(j);
    snap_close(&j->snap);
    return code;
}

/* If the output was not written, the job has failed. */
static int nightjob_finish(int code)
{
    bool done = code == EXIT_DONE || code == EXIT_OMISSIONS;
    if (!done || (fflush(stdout) == 0 && !ferror(stdout)))
        return code;
    snap_say("standard output: %s", strerror(errno));
    return EXIT_FAILED;
}

int nightjob_main(int argc, char **argv, const struct nightjob_program *p)
{
    struct err e = {0};
    struct nightjob j = {.snap.command = &p->command};
    io_guard_stdio();
    /* libarchive converts member names by the locale. */
    setlocale(LC_CTYPE, "C.UTF-8");
    snap_say_as(p->command.name);
    snap_catch_signals();
    int code = EXIT_DONE, r = command_parse_one(argc, argv, &p->command, &j.snap.o, &e);
    const bool asked = j.snap.o.version || j.snap.o.help;
    snap_say_begin(j.snap.o.quiet, j.snap.o.log);
    if (r == 0 && !asked)
        r = nightjob_check(p, &j.snap.o, &e);
    if (r < 0) {
        snap_say("%s", e.text);
        code = EXIT_USAGE;
    } else if (j.snap.o.version) {
        printf("%s %s\n", p->command.name, INFLUXFS_VERSION);
    } else if (j.snap.o.help) {
        command_help_one(&p->command);
    } else {
        code = j.snap.o.start_stopped ? nightjob_heal(&j, p) : nightjob_work(&j, p);
    }
    json_object_put(j.json);
    job_end_clear(&j.end);
    options_clear(&j.snap.o);
    snap_say_end();
    return nightjob_finish(code);
}
