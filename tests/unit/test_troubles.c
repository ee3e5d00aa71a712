/* SPDX-License-Identifier: MIT */
/* troubles: what is wrong, by a report. */
#include "store/base/time.h"
#include "store/program/troubles.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(1465646400) * SECOND_NS)
#define HOUR (3600 * SECOND_NS)

/* A mount with which all is well, and what it consists of. */
struct well {
    struct report r;
    struct report_mount m;
    struct options o;
    struct store_paths paths;
    struct report_policy policy;
    struct cut_info cuts[9];
    struct history_entry entry[HISTORY_KINDS];
};

static void all_well(struct well *w)
{
    static char database[] = "db", policy[] = "rp", tar[] = "/srv/x.tar";
    memset(w, 0, sizeof(*w));
    options_default(&w->o);
    w->o.every_ns = HOUR;
    w->policy = (struct report_policy){database, policy, 1, 2, 3000, 40};
    w->m = (struct report_mount){.mounted_ns = NOW - DAY_NS, .restores = true};
    w->r = (struct report){.paths = &w->paths,
                           .options = &w->o,
                           .state = "/state",
                           .free_bytes = 50,
                           .disk_bytes = 100,
                           .reserve_bytes = 5,
                           .known = REPORT_CUTS,
                           .cuts = w->cuts,
                           .ncuts = 2,
                           .contents = {.known = true, .policies = &w->policy, .npolicies = 1},
                           .at_ns = NOW,
                           .mount = &w->m};
    for (int i = 0; i < 9; i++)
        w->cuts[i] = (struct cut_info){
            .base = i == 0, .head = {.number = i - 1, .wall_ns = NOW - (9 - i) * HOUR / 8}};
    for (int k = 0; k < HISTORY_KINDS; k++) {
        w->entry[k] = (struct history_entry){.ended_ns = NOW - HOUR, .what = tar};
        w->r.history.of[k].at = &w->entry[k];
        w->r.history.of[k].n = 1;
    }
}

/* There is exactly one, and it is this bad and says these words. */
static void is_the_only(const struct well *w, enum trouble_level level, const char *words)
{
    struct troubles t;
    assert_int_equal(troubles_find(&w->r, &t), 0);
    for (size_t i = 0; i < t.n && t.n != 1; i++)
        print_message("%s: %s: %s\n", words, t.at[i].what.text, t.at[i].why.text);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.count[level], 1);
    assert_int_equal(t.at[0].level, level);
    if (!strstr(t.at[0].what.text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, t.at[0].what.text);
    troubles_clear(&t);
}

static void none(const struct well *w)
{
    struct troubles t;
    assert_int_equal(troubles_find(&w->r, &t), 0);
    assert_int_equal(t.n, 0);
    assert_int_equal(troubles_worst(&t), TROUBLE_NOTE);
    troubles_clear(&t);
}

static void test_none(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    none(&w);
    w.r.mount = NULL;
    none(&w);
}

static void test_of_store(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    err_set(&w.r.cut_off, 0, "the restore of x.tar was cut off");
    is_the_only(&w, TROUBLE_BAD, "cut off");
    w.r.cut_off_unknown = true;
    is_the_only(&w, TROUBLE_UNKNOWN, "is unknown");
    w.r.cut_off_unknown = false;
    w.r.restoring = true;
    is_the_only(&w, TROUBLE_NOTE, "under way");
    all_well(&w);
    w.r.state = NULL;
    err_set(&w.r.lacks, 0, "/state: Read-only file system");
    is_the_only(&w, TROUBLE_WARN, "no state folder");
    all_well(&w);
    err_set(&w.r.lacks, 0, "/state: No space left on device");
    is_the_only(&w, TROUBLE_WARN, "Nothing can be remembered");
    all_well(&w);
    w.r.contents.known = false;
    err_set(&w.r.contents.unknown, 0, "/data: Permission denied");
    is_the_only(&w, TROUBLE_UNKNOWN, "What the store holds is unknown");
}

static void test_of_cuts(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    err_set(&w.r.broken, 0, "cuts/3 is damaged");
    is_the_only(&w, TROUBLE_BAD, "damaged");
    all_well(&w);
    w.r.known = REPORT_UNKNOWN_CUTS;
    err_set(&w.r.broken, 0, "/state: Permission denied");
    is_the_only(&w, TROUBLE_UNKNOWN, "unknown");
    all_well(&w);
    w.cuts[1].left_out = 1;
    is_the_only(&w, TROUBLE_WARN, "The newest cut is without 1 item of the store");
    w.cuts[1].left_out = 0;
    w.cuts[1].head.guard = CUT_GUARD_TRIPPED;
    is_the_only(&w, TROUBLE_WARN, "Cut 0 lost more");
    w.cuts[1].head.guard = CUT_GUARD_ACCEPTED;
    w.cuts[1].head.wall_ns = w.cuts[0].head.wall_ns - 1;
    is_the_only(&w, TROUBLE_NOTE, "The clock was set back before 1");
    all_well(&w);
    w.r.links.how = CUT_LINKS_COPIED;
    is_the_only(&w, TROUBLE_NOTE, "copy files");
}

/* However many cuts lost something, the list stays short. */
static void test_many_losses(void **state)
{
    struct well w;
    struct troubles t;
    (void)state;
    all_well(&w);
    w.r.ncuts = 9;
    for (int i = 1; i < 9; i++)
        w.cuts[i].head.guard = CUT_GUARD_TRIPPED;
    assert_int_equal(troubles_find(&w.r, &t), 0);
    assert_int_equal(t.n, 6);
    assert_string_equal(t.at[5].what.text, "3 more cuts lost more than the guard allows");
    troubles_clear(&t);
}

static void test_of_space(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    w.r.free_bytes = w.r.reserve_bytes;
    none(&w);
    w.r.reserve_bytes = 6;
    is_the_only(&w, TROUBLE_WARN, "Only 5 B are free on the disk of the state folder /state, ");
    is_the_only(&w, TROUBLE_WARN, "less than the reserve of 6 B, so no cut is made");
    w.r.free_bytes = 2;
    is_the_only(&w, TROUBLE_BAD, "Only 2 B");
    w.r.disk_bytes = w.r.free_bytes = w.r.reserve_bytes = 0;
    is_the_only(&w, TROUBLE_UNKNOWN, "disk of the state folder /state is unknown");
}

static void test_of_age(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    w.cuts[1].head.wall_ns = w.cuts[0].head.wall_ns = NOW - 3 * HOUR;
    is_the_only(&w, TROUBLE_BAD, "The timer has made no cut");
    w.m.timer.cut_ns = NOW - HOUR; /* nothing had changed */
    w.r.ncuts = 1;
    w.m.timer.cut_ns = 0;
    w.m.mounted_ns = NOW - HOUR; /* it has just begun */
    none(&w);
    all_well(&w);
    w.o.every_ns = 0;
    w.r.ncuts = 0;
    w.entry[HISTORY_BACKUP].ended_ns = NOW - 26 * HOUR;
    none(&w);
    w.entry[HISTORY_BACKUP].ended_ns = NOW - 27 * HOUR;
    is_the_only(&w, TROUBLE_WARN, "No cut or backup since 2016-06-10 09:00 UTC");
    w.entry[HISTORY_BACKUP].ended_ns = NOW - 51 * HOUR;
    is_the_only(&w, TROUBLE_BAD, "No cut or backup since 2016-06-09 09:00 UTC");
    w.entry[HISTORY_BACKUP].ended_ns = NOW + HOUR;
    is_the_only(&w, TROUBLE_WARN, "the clock was set back");
    w.r.history.of[HISTORY_BACKUP].n = 0;
    is_the_only(&w, TROUBLE_BAD, "No cut and no backup is known");
    w.m.last.success.at_ns = NOW - HOUR; /* somebody has read now.tar */
    none(&w);
    w.m.last.success.at_ns = 0;
    w.r.contents.npolicies = 0; /* nothing to be backed up */
    none(&w);
}

static void test_of_history(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    w.entry[HISTORY_VERIFY].result = HISTORY_FAILED;
    is_the_only(&w, TROUBLE_BAD, "The last verification of /srv/x.tar failed");
    w.entry[HISTORY_VERIFY].result = HISTORY_DONE;
    w.entry[HISTORY_BACKUP].result = HISTORY_OMISSIONS;
    is_the_only(&w, TROUBLE_WARN, "The last backup, of /srv/x.tar, left something out");
    w.entry[HISTORY_BACKUP].result = HISTORY_FAILED;
    is_the_only(&w, TROUBLE_WARN, "The last backup, of /srv/x.tar, failed");
    w.entry[HISTORY_BACKUP].result = HISTORY_DONE;
    w.entry[HISTORY_RESTORE].result = HISTORY_FAILED;
    w.m.restore.state = PROGRESS_REFUSED; /* the same one */
    is_the_only(&w, TROUBLE_WARN, "The last restore, of /srv/x.tar, failed");
    w.entry[HISTORY_RESTORE].ended_ns = NOW - 8 * DAY_NS;
    is_the_only(&w, TROUBLE_NOTE, "The last restore, of /srv/x.tar, failed");
    all_well(&w);
    w.entry[HISTORY_VERIFY].ended_ns = NOW - 10 * DAY_NS;
    is_the_only(&w, TROUBLE_NOTE, "verified since 2016-06-01");
}

/* A job that ended so, for a day, an hour ago; the last good one was as long ago as it says. */
static void job_ended(struct well *w, enum job_kind kind, enum history_result result, int64_t good)
{
    static char day[] = "2016-06-11", text[] = "swift: did not answer";
    w->r.jobs.of[kind].last = (struct job_end){.result = result,
                                               .began_ns = NOW - 2 * HOUR,
                                               .ended_ns = NOW - HOUR,
                                               .day = day,
                                               .text = result == HISTORY_DONE ? NULL : text};
    w->r.jobs.of[kind].good_ns = good ? NOW - good : 0;
    w->r.jobs.of[kind].total[result]++;
}

static void test_of_jobs(void **state)
{
    struct well w;
    (void)state;
    for (enum job_kind kind = JOB_ARCHIVE; kind < JOB_KINDS; kind++) {
        char words[64];
        all_well(&w);
        job_ended(&w, kind, HISTORY_DONE, 26 * HOUR);
        none(&w);
        w.r.jobs.of[kind].unit = true;
        snprintf(words, sizeof(words), "influxfs-%s has not ended well since 2016-06-10 09:00 UTC",
                 job_kind_names[kind]);
        job_ended(&w, kind, HISTORY_DONE, 27 * HOUR);
        is_the_only(&w, TROUBLE_WARN, words);
        job_ended(&w, kind, HISTORY_DONE, 51 * HOUR);
        is_the_only(&w, TROUBLE_BAD, "has not ended well");
        snprintf(words, sizeof(words), "The last influxfs-%s, for 2016-06-11, failed",
                 job_kind_names[kind]);
        job_ended(&w, kind, HISTORY_FAILED, 25 * HOUR);
        is_the_only(&w, TROUBLE_WARN, words);
        job_ended(&w, kind, HISTORY_FAILED, 0); /* it never ended well */
        is_the_only(&w, TROUBLE_WARN, words);
        job_ended(&w, kind, HISTORY_OMISSIONS, HOUR);
        is_the_only(&w, TROUBLE_WARN, "was done with omissions");
    }
    all_well(&w);
    err_set(&w.r.jobs_unknown, 0, "jobs.json is damaged");
    is_the_only(&w, TROUBLE_UNKNOWN, "How the nightly jobs ended is unknown");
    all_well(&w);
    w.r.job_now = (struct job_now){true, true, JOB_FETCH, 7, NOW - HOUR};
    is_the_only(&w, TROUBLE_NOTE, "influxfs-fetch is at work since 2016-06-11 11:00 UTC");
}

/* What ran by hand once was for what had happened then, and need not run again; but an archive. */
static void test_of_jobs_by_hand(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    job_ended(&w, JOB_FETCH, HISTORY_DONE, 51 * HOUR);
    job_ended(&w, JOB_DUMP, HISTORY_DONE, 51 * HOUR);
    none(&w);
    job_ended(&w, JOB_DUMP, HISTORY_DONE, 51 * HOUR);
    is_the_only(&w, TROUBLE_BAD, "influxfs-dump has not ended well");
    all_well(&w);
    job_ended(&w, JOB_ARCHIVE, HISTORY_DONE, 51 * HOUR);
    is_the_only(&w, TROUBLE_BAD, "influxfs-archive has not ended well");
}

/* What it says to do can be done, for a day and for several. */
static void test_of_jobs_again(void **state)
{
    static char days[] = "2016-06-01/2016-07-01";
    struct well w;
    struct troubles t;
    (void)state;
    all_well(&w);
    job_ended(&w, JOB_DUMP, HISTORY_FAILED, 0);
    assert_int_equal(troubles_find(&w.r, &t), 0);
    assert_non_null(strstr(t.at[0].todo.text, "or by hand with --day=2016-06-11."));
    troubles_clear(&t);
    w.r.jobs.of[JOB_DUMP].last.day = days;
    assert_int_equal(troubles_find(&w.r, &t), 0);
    assert_non_null(
        strstr(t.at[0].todo.text, "or by hand with --from=2016-06-01 --to=2016-07-01."));
    troubles_clear(&t);
}

/* What an archive did is a backup, and what a fetch did a restore, and stands in the history. */
static void test_of_jobs_once(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    job_ended(&w, JOB_ARCHIVE, HISTORY_FAILED, 0);
    w.entry[HISTORY_BACKUP].ended_ns = NOW - HOUR - 1;
    w.entry[HISTORY_BACKUP].result = HISTORY_FAILED;
    is_the_only(&w, TROUBLE_WARN, "The last influxfs-archive");
    w.entry[HISTORY_BACKUP].ended_ns = NOW - 3 * HOUR; /* another one */
    job_ended(&w, JOB_ARCHIVE, HISTORY_DONE, HOUR);
    is_the_only(&w, TROUBLE_WARN, "The last backup, of /srv/x.tar, failed");
    all_well(&w);
    job_ended(&w, JOB_FETCH, HISTORY_FAILED, 0);
    w.entry[HISTORY_RESTORE].ended_ns = NOW - HOUR;
    w.entry[HISTORY_RESTORE].result = HISTORY_FAILED;
    is_the_only(&w, TROUBLE_WARN, "The last influxfs-fetch");
    all_well(&w);
    w.o.every_ns = 0;
    w.r.ncuts = 0;
    w.entry[HISTORY_BACKUP].ended_ns = NOW - 51 * HOUR;
    job_ended(&w, JOB_ARCHIVE, HISTORY_DONE, 51 * HOUR);
    is_the_only(&w, TROUBLE_BAD, "No cut or backup since");
    w.entry[HISTORY_BACKUP].ended_ns = NOW - HOUR; /* by other means */
    is_the_only(&w, TROUBLE_BAD, "influxfs-archive has not ended well");
}

static void test_unknown_history(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    w.r.ncuts = 0;
    w.o.every_ns = 0;
    for (int k = 0; k < HISTORY_KINDS; k++)
        w.r.history.of[k].n = 0;
    err_set(&w.r.history_unknown, 0, "history.json: Permission denied");
    is_the_only(&w, TROUBLE_UNKNOWN, "is unknown");
}

static void test_of_mount(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    w.m.last.error = (struct report_event){NOW, "now.tar", "it did not settle"};
    is_the_only(&w, TROUBLE_WARN, "The last error: now.tar");
    w.m.timer.cut_ns = NOW + 1; /* it did later */
    none(&w);
    w.m.timer.cut_ns = 0;
    w.entry[HISTORY_RESTORE].ended_ns = NOW + 1; /* another time it went well */
    w.m.timer.error = (struct report_event){NOW, "cut", "No space left on device"};
    is_the_only(&w, TROUBLE_WARN, "The timer failed: cut");
    w.m.last.error = w.m.timer.error; /* told once */
    w.m.last.success.at_ns = 0;
    is_the_only(&w, TROUBLE_WARN, "The timer failed: cut");
    all_well(&w);
    w.m.held_to = 16 << 20;
    is_the_only(&w, TROUBLE_NOTE, "Readers are held to 16.0 MiB a second");
    all_well(&w);
    w.m.timer.fold.held_back = true;
    is_the_only(&w, TROUBLE_NOTE, "in use");
}

static void test_of_capture(void **state)
{
    struct well w;
    (void)state;
    all_well(&w);
    struct report_capture *c = &w.m.last.capture;
    assert_int_equal(omissions_add(&c->left_out, "lost+found", 1, 1, OMITTED_FOREIGN), 0);
    none(&w);
    assert_int_equal(omissions_add(&c->left_out, "db/rp/9", 2, 2048, OMITTED_UNKNOWN), 0);
    is_the_only(&w, TROUBLE_WARN, "left out 1 item of the store, 2.0 KiB");
    omissions_clear(&c->left_out);
    assert_int_equal(report_texts_add(&c->damaged, "data/x.tsm: its index"), 0);
    is_the_only(&w, TROUBLE_BAD, "1 file of the store is damaged");
    report_texts_clear(&c->damaged);
}

/* The worst first; those of one level as they were found. */
static void test_order(void **state)
{
    struct well w;
    struct troubles t;
    (void)state;
    all_well(&w);
    w.m.held_to = 16 << 20;
    w.r.links.how = CUT_LINKS_COPIED;
    w.r.free_bytes = 1;
    err_set(&w.r.lacks, 0, "full");
    assert_int_equal(troubles_find(&w.r, &t), 0);
    assert_int_equal(t.n, 4);
    assert_int_equal(t.at[0].level, TROUBLE_BAD);
    assert_int_equal(t.at[1].level, TROUBLE_WARN);
    assert_non_null(strstr(t.at[2].what.text, "copy"));
    assert_non_null(strstr(t.at[3].what.text, "held"));
    troubles_clear(&t);
}

static void test_of_files(void **state)
{
    struct well w;
    struct troubles t;
    (void)state;
    all_well(&w);
    w.r.files_limit = 1000;
    w.policy.files = 799; /* and meta.db */
    assert_int_equal(troubles_find(&w.r, &t), 0);
    assert_int_equal(t.n, 0);
    troubles_clear(&t);
    w.policy.files = 800;
    is_the_only(&w, TROUBLE_WARN, "801 files, and a snapshot can hold 1000 open");
    w.policy.files = 999;
    is_the_only(&w, TROUBLE_WARN, "1000 files");
    w.policy.files = 1000;
    is_the_only(&w, TROUBLE_BAD, "1001 files, and a snapshot can hold only 1000");
    w.r.contents.known = false;
    assert_int_equal(troubles_find(&w.r, &t), 0);
    assert_int_equal(t.n, 0);
    troubles_clear(&t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_none),         cmocka_unit_test(test_of_store),
        cmocka_unit_test(test_of_cuts),      cmocka_unit_test(test_many_losses),
        cmocka_unit_test(test_of_space),     cmocka_unit_test(test_of_age),
        cmocka_unit_test(test_of_history),   cmocka_unit_test(test_unknown_history),
        cmocka_unit_test(test_of_mount),     cmocka_unit_test(test_of_capture),
        cmocka_unit_test(test_of_jobs),      cmocka_unit_test(test_of_jobs_again),
        cmocka_unit_test(test_of_jobs_once), cmocka_unit_test(test_of_jobs_by_hand),
        cmocka_unit_test(test_of_files),     cmocka_unit_test(test_order),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
