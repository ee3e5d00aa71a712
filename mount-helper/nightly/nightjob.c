/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/nightjob.h"

#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/time.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>

/* What is wrong with the command line beyond its words. */
static int nightjob_check(const struct nightjob_program *p, const struct options *o, struct err *e)
{
    if (!o->remote)
        return err_set(e, -EINVAL, "say where the days are kept, by --remote=NAME:");
    return p->check ? p->check(o, e) : 0;
}

static int nightjob_open(struct nightjob *j, const struct nightjob_program *p, struct err *e)
{
    return snap_open(&j->snap, j->snap.o.dry_run && p->need == SNAP_PATHS ? SNAP_LOOK : p->need, e);
}

static int nightjob_work(struct nightjob *j, const struct nightjob_program *p)
{
    struct err e = {0};
    char day[TIME_TEXT];
    const int32_t given = j->snap.o.day;
    j->began_ns = time_wall_ns();
    j->day = given == VALUE_NO_DAY ? time_today() + p->day : given;
    time_day_text(j->day, day);
    j->end.day = strdup(day);
    int r = j->end.day ? nightjob_open(j, p, &e) : -ENOMEM;
    return r < 0 ? snap_fail(r, &e) : p->run(j);
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
        code = nightjob_work(&j, p);
    }
    snap_close(&j.snap);
    json_object_put(j.json);
    job_end_clear(&j.end);
    options_clear(&j.snap.o);
    snap_say_end();
    return nightjob_finish(code);
}
