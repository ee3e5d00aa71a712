/* SPDX-License-Identifier: MIT */
/* report_prom: exact values, names of any bytes as labels, and nothing about what is unknown. */
#include "store/program/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static char *print(const struct report *r)
{
    char *text;
    assert_int_equal(report_prom(r, &text), 0);
    return text;
}

/* Whether this is a whole line of the text. */
static bool has_line(const char *text, const char *line)
{
    size_t n = strlen(line);
    for (const char *p = text; (p = strstr(p, line)); p++)
        if ((p == text || p[-1] == '\n') && p[n] == '\n')
            return true;
    return false;
}

#define HAS(text, line)                                                                            \
    do {                                                                                           \
        if (!has_line(text, line))                                                                 \
            fail_msg("no line %s in:\n%s", line, text);                                            \
    } while (0)
#define LACKS(text, part) assert_null(strstr(text, part))

static void unknown(void **state)
{
    (void)state;
    const struct report r = {.known = REPORT_NO_CUTS};
    char *text = print(&r);
    HAS(text, "influxfs_store_known 0");
    HAS(text, "influxfs_backups_total{result=\"done\"} 0");
    LACKS(text, "influxfs_store_bytes");
    LACKS(text, "influxfs_influxd_seen");
    LACKS(text, "influxfs_state_free_bytes");
    LACKS(text, "influxfs_report_timestamp");
    LACKS(text, "cut_timestamp");
    LACKS(text, "influxfs_last_backup");
    LACKS(text, "influxfs_captures");
    free(text);
}

static void unknown_cuts(void **state)
{
    (void)state;
    struct report r = {.known = REPORT_UNKNOWN_CUTS, .cut_off_unknown = true};
    strcpy(r.broken.text, "Permission denied");
    char *text = print(&r);
    HAS(text, "influxfs_cuts_known 0");
    LACKS(text, "influxfs_cuts_damaged");
    LACKS(text, "influxfs_cuts 0");
    LACKS(text, "influxfs_retained");
    LACKS(text, "influxfs_restore_cut_off");
    LACKS(text, "Permission");
    free(text);
}

/* A folder that may not be read, on a disk that does not answer. */
static void unknown_state(void **state)
{
    (void)state;
    struct report r = {.known = REPORT_CUTS, .state = "/srv/influxfs"};
    strcpy(r.history_unknown.text, "Permission denied");
    char *text = print(&r);
    LACKS(text, "influxfs_state_free_bytes");
    LACKS(text, "_total{result");
    free(text);
}

/* Different names must give different series, and the text must stay UTF-8. */
static void hostile_names(void **state)
{
    (void)state;
    static const struct {
        const char *name, *label;
    } names[] = {
        {"plain", "plain"},
        {"a\"b\\c", "a\\\"b\\\\c"},
        {"two\nlines", "two\\nlines"},
        {"} 1\ninfluxfs_cuts 7", "} 1\\ninfluxfs_cuts 7"},
        {"\xff", "%FF"},
        {"%FF", "%25FF"},
        {"\r\x01\x7f", "%0D%01%7F"},
        {"caf\xc3\xa9 \xf0\x9f\x98\x80", "caf\xc3\xa9 \xf0\x9f\x98\x80"},
        {"caf\xe9", "caf%E9"},
        {"\xed\xa0\x80", "%ED%A0%80"},
        {"", ""},
    };
    enum { N = sizeof(names) / sizeof(*names) };
    struct report_policy policies[N];
    for (size_t i = 0; i < N; i++)
        policies[i] = (struct report_policy){.database = (char *)names[i].name,
                                             .policy = (char *)"p",
                                             .shards = i,
                                             .wal_bytes = UINT64_MAX - i};
    const struct report r = {
        .contents = {.known = true, .policies = policies, .npolicies = N},
    };
    char *text = print(&r);
    for (size_t i = 0; i < N; i++) {
        char line[256];
        snprintf(line, sizeof(line), "influxfs_store_shards{database=\"%s\",policy=\"p\"} %zu",
                 names[i].label, i);
        HAS(text, line);
        snprintf(line, sizeof(line),
                 "influxfs_store_bytes{database=\"%s\",policy=\"p\",kind=\"wal\"} %llu",
                 names[i].label, (unsigned long long)(UINT64_MAX - i));
        HAS(text, line);
    }
    assert_false(has_line(text, "influxfs_cuts 7"));
    free(text);
}

static void times(void **state)
{
    (void)state;
    struct cut_info cut = {.head = {.wall_ns = 1795679941387901007}, .left_out = 3};
    struct history_entry entry = {.result = HISTORY_OMISSIONS,
                                  .ended_ns = 1000000001,
                                  .took_ns = -5,
                                  .bytes = 9,
                                  .what = "secret/path",
                                  .text = "secret text"};
    struct report r = {.known = REPORT_CUTS, .cuts = &cut, .ncuts = 1, .at_ns = 7};
    r.history.of[HISTORY_VERIFY].at = &entry;
    r.history.of[HISTORY_VERIFY].n = 1;
    r.history.of[HISTORY_VERIFY].total[HISTORY_OMISSIONS] = 12;
    char *text = print(&r);
    HAS(text, "influxfs_report_timestamp_seconds 0.000000007");
    HAS(text, "influxfs_last_cut_timestamp_seconds 1795679941.387901007");
    HAS(text, "influxfs_last_cut_left_out 3");
    HAS(text, "influxfs_verifications_total{result=\"omissions\"} 12");
    HAS(text, "influxfs_last_verification_timestamp_seconds{result=\"omissions\"} 1.000000001");
    HAS(text, "influxfs_last_verification_duration_seconds -0.000000005");
    HAS(text, "influxfs_last_verification_success 1");
    HAS(text, "influxfs_cuts_kept_as{how=\"unknown\"} 1");
    HAS(text, "influxfs_cuts_kept_as{how=\"linked\"} 0");
    LACKS(text, "secret");
    free(text);
}

static void jobs(void **state)
{
    (void)state;
    struct report r = {.known = REPORT_NO_CUTS};
    char *text = print(&r);
    HAS(text, "influxfs_jobs_known 1");
    HAS(text, "influxfs_jobs_total{kind=\"dump\",result=\"failed\"} 0");
    LACKS(text, "_job_success{");
    free(text);
    char days[] = "2016-06-01/2016-07-01", secret[] = "secret";
    r.jobs.of[JOB_DUMP].total[HISTORY_FAILED] = 3;
    r.jobs.of[JOB_DUMP].last = (struct job_end){.result = HISTORY_FAILED,
                                                .began_ns = 1000000000,
                                                .ended_ns = 3500000000,
                                                .day = secret,
                                                .remote = secret,
                                                .bytes = 7,
                                                .objects = 2,
                                                .text = secret};
    r.jobs.of[JOB_DUMP].good_ns = 500000000;
    r.jobs.of[JOB_DUMP].good_day = days;
    text = print(&r);
    HAS(text, "influxfs_jobs_total{kind=\"dump\",result=\"failed\"} 3");
    HAS(text, "influxfs_last_job_timestamp_seconds{kind=\"dump\",result=\"failed\"} 3.500000000");
    HAS(text, "influxfs_last_job_success{kind=\"dump\"} 0");
    HAS(text, "influxfs_last_job_duration_seconds{kind=\"dump\"} 2.500000000");
    HAS(text, "influxfs_last_job_bytes{kind=\"dump\"} 7");
    HAS(text, "influxfs_last_job_objects{kind=\"dump\"} 2");
    HAS(text, "influxfs_last_good_job_timestamp_seconds{kind=\"dump\"} 0.500000000");
    HAS(text, "influxfs_last_good_job_day_timestamp_seconds{kind=\"dump\"} 1467244800.000000000");
    LACKS(text, "_job_success{kind=\"archive\"}");
    LACKS(text, "secret");
    free(text);
    days[11] = 'x'; /* no day */
    text = print(&r);
    LACKS(text, "job_day_timestamp_seconds{");
    free(text);
    strcpy(r.jobs_unknown.text, "damaged");
    text = print(&r);
    HAS(text, "influxfs_jobs_known 0");
    LACKS(text, "jobs_total");
    LACKS(text, "_job_");
    free(text);
}

static void each_metric_once(void **state)
{
    (void)state;
    struct cut_info cut = {.base = true};
    struct report_mount m = {.mounted_ns = 1, .restores = true};
    struct report r = {.known = REPORT_CUTS,
                       .cuts = &cut,
                       .ncuts = 1,
                       .have_usage = true,
                       .state = "/",
                       .contents = {.known = true},
                       .mount = &m};
    m.last.capture.at_ns = 1;
    char *text = print(&r);
    size_t n = 0;
    for (char *p = text; (p = strstr(p, "# TYPE ")); p++, n++) {
        char name[100];
        snprintf(name, sizeof(name), "# TYPE %.*s ", (int)strcspn(p + 7, " "), p + 7);
        assert_null(strstr(p + 1, name));
    }
    assert_true(n > 40);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unknown),       cmocka_unit_test(unknown_cuts),
        cmocka_unit_test(hostile_names), cmocka_unit_test(times),
        cmocka_unit_test(unknown_state), cmocka_unit_test(each_metric_once),
        cmocka_unit_test(jobs),
    };
    return cmocka_run_group_tests_name("report_prom", tests, NULL, NULL);
}
