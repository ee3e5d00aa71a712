/* SPDX-License-Identifier: MIT */
/* report_html: the page is whole, short and honest, whatever the report holds. */
#include "store/base/time.h"
#include "store/program/report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NOW (INT64_C(1465646400) * SECOND_NS)
#define HOUR (3600 * SECOND_NS)

/* Ends an element or an attribute, if anything does; opens others; reorders a line. */
#define HOSTILE                                                                                    \
    "</bdi></td></title></style></script>\"'><script>alert(1)</script><img src=x onerror=alert(2)" \
    ">\xe2\x80\xae\xff&lt;\x01"
static char hostile[] = HOSTILE;

static struct options options;
static struct store_paths paths = {(char[]){"/s/meta"}, (char[]){"/s/data"}, (char[]){"/s/wal"},
                                   (char[]){"/etc/influxdb.conf"}};
static struct report_mount mount;

static struct report empty_report(void)
{
    options_default(&options);
    mount = (struct report_mount){.mounted_ns = NOW - HOUR, .restores = true};
    return (struct report){.paths = &paths,
                           .options = &options,
                           .free_bytes = 50,
                           .disk_bytes = 100,
                           .state = "/s/influxfs",
                           .known = REPORT_CUTS,
                           .contents.known = true,
                           .at_ns = NOW,
                           .mount = &mount};
}

/* Every element is closed by its own name, and no "<" or "&" stands where it may not: so no text
 * has got out of its place. Returns how many elements there are. */
static size_t check_elements(const char *page)
{
    char open[64][16];
    size_t depth = 0, n = 0;
    const char *p = strstr(page, "<html"), *style = strstr(page, "<style>");
    while ((p = strchr(p, '<'))) {
        char name[16] = "";
        const char *end = strchr(p, '>');
        assert_non_null(end);
        assert_int_equal(sscanf(p, p[1] == '/' ? "</%15[a-z0-9]" : "<%15[a-z0-9]", name), 1);
        if (p[1] == '/') {
            assert_true(depth > 0);
            assert_string_equal(name, open[--depth]);
        } else if (end[-1] != '/') {
            assert_true(depth < 64);
            strcpy(open[depth++], name);
        }
        n++;
        p = p == style ? strstr(p, "</style>") : end;
    }
    assert_int_equal(depth, 0);
    return n;
}

static void check_entities(const char *page)
{
    static const char *const known[] = {"&lt;", "&gt;", "&amp;", "&quot;", "&#39;"};
    for (const char *p = page; (p = strchr(p, '&')); p++) {
        bool is = false;
        for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++)
            is = is || strncmp(p, known[i], strlen(known[i])) == 0;
        assert_true(is);
    }
    for (const char *p = page; *p; p++)
        assert_true((unsigned char)*p >= ' ' || *p == '\n');
}

/* The page, which has none of what a page of ours may not have; the caller frees it. */
static char *page_of(const struct report *r)
{
    static const char *const never[] = {
        "<script", "<img",   "<iframe", "<a ",          "http-equiv=\"refresh",
        "http:",   "https:", "url(",    "@import",      "style=\"",
        "<object", "<form",  "<base",   "\xe2\x80\xae", "\xff"};
    char *page;
    assert_int_equal(report_html(r, &page), 0);
    check_elements(page);
    check_entities(page);
    for (size_t i = 0; i < sizeof(never) / sizeof(*never); i++)
        if (strstr(page, never[i]))
            fail_msg("%s is in the page", never[i]);
    return page;
}

static void has(const char *page, const char *words)
{
    if (!strstr(page, words))
        fail_msg("\"%s\" is not in the page", words);
}

static void has_not(const char *page, const char *words)
{
    if (strstr(page, words))
        fail_msg("\"%s\" is in the page", words);
}

static void test_empty(void **state)
{
    struct report r = empty_report();
    struct report_policy policy = {hostile, hostile, 1, 1, 1, 1};
    char *page = page_of(&r);
    (void)state;
    has(page, "<h1>All is well</h1>");
    has(page, "No database has a file.");
    has(page, "There is no cut.");
    has(page, "No restore, verification or backup is known.");
    has(page, "<time datetime=\"2016-06-11T12:00:00Z\">");
    has_not(page, "<svg class=\"timeline\"");
    free(page);
    r.mount = NULL; /* influxsnap */
    r.use = REPORT_IN_USE;
    page = page_of(&r);
    has(page, "In use <b>yes</b>");

    has_not(page, "This mount");
    free(page);
    r = (struct report){.paths = &paths, .options = &options, .contents.known = true, .at_ns = NOW};
    r.contents.policies = &policy; /* and no state folder */
    r.contents.npolicies = 1;
    page = page_of(&r);
    has(page, "<h1>1 thing is wrong, 1 needs a look</h1>");
    free(page);
}

static void test_hostile_texts(void **state)
{
    struct report r = empty_report();
    struct report_policy policy = {hostile, hostile, 1, 1, 1, 1};
    struct cut_info cuts[2] = {{.base = true, .head.number = -1, .head.wall_ns = NOW - HOUR},
                               {.head.number = 0, .head.wall_ns = NOW, .bytes = 5}};
    struct history_entry entry = {HISTORY_FAILED, NOW, 1, 1, hostile, hostile, hostile, false};
    struct store_paths odd = {hostile, hostile, hostile, hostile};
    const char *excluded = hostile;
    struct waiting waiting = {hostile, 1, hostile, hostile, hostile};
    char *warning = hostile, *page;
    (void)state;
    r.paths = &odd;
    r.state = hostile;
    r.contents.policies = &policy;
    r.contents.npolicies = 1;
    r.cuts = cuts;
    r.ncuts = 2;
    snprintf(cuts[1].head.lost.names, sizeof(cuts[1].head.lost.names), "%s\n%s", hostile, hostile);
    cuts[1].head.lost.files = cuts[1].head.lost.bytes = cuts[1].head.lost.policies = 2;
    cuts[1].head.guard = CUT_GUARD_TRIPPED;
    for (int k = 0; k < HISTORY_KINDS; k++) {
        r.history.of[k].at = &entry;
        r.history.of[k].n = 1;
    }
    for (int k = 0; k < JOB_KINDS; k++)
        r.jobs.of[k].last = (struct job_end){.result = HISTORY_FAILED,
                                             .ended_ns = NOW,
                                             .day = hostile,
                                             .remote = hostile,
                                             .text = hostile};
    strcpy(r.lacks.text, hostile);
    strcpy(r.jobs_unknown.text, hostile);
    strcpy(r.broken.text, hostile);
    strcpy(r.cut_off.text, hostile);
    strcpy(r.in_use.text, hostile);
    strcpy(r.history_unknown.text, hostile);
    r.use = REPORT_IN_USE;
    strcpy(r.links.why.text, hostile);
    r.links.how = CUT_LINKS_COPIED;
    mount.mountpoint = hostile;
    options.rules.exclude = &excluded;
    options.rules.nexclude = 1;
    mount.restore = (struct progress){.state = PROGRESS_RECEIVING,
                                      .name = hostile,
                                      .error = hostile,
                                      .warnings = &warning,
                                      .nwarnings = 1,
                                      .waiting = {&waiting, 1}};
    mount.last.error.at_ns = mount.timer.error.at_ns = mount.last.success.at_ns = NOW;
    memcpy(mount.last.error.what, hostile, 63);
    strcpy(mount.last.error.text, hostile);
    mount.last.success = mount.timer.error = mount.last.error;
    page = page_of(&r);
    has(page, "&lt;/bdi&gt;&lt;/td&gt;&lt;/title&gt;");
    has(page, "[U+202E]\xef\xbf\xbd&amp;lt;[U+0001]");
    free(page);
}

/* Thousands of everything make a page that a telephone can load, and the sums are still right. */
static void test_very_much(void **state)
{
    enum { N = 5000 };
    struct report r = empty_report();
    struct report_policy *policies = calloc(N, sizeof(*policies));
    struct cut_info *cuts = calloc(N, sizeof(*cuts));
    struct history_entry *entries = calloc(N, sizeof(*entries));
    static char names[N][256];
    char *page;
    (void)state;
    assert_true(policies && cuts && entries);
    for (int i = 0; i < N; i++) {
        memset(names[i], '"', 255); /* six bytes each in the page */
        snprintf(names[i], 6, "%05d", i);
        names[i][5] = '"';
        policies[i] = (struct report_policy){names[i], names[i], 1, 1, 1024, 0};
        cuts[i] = (struct cut_info){.base = i == 0, .bytes = 1, .head.number = i - 1};
        cuts[i].head.wall_ns = NOW - (N - i) * (HOUR / 60);
        cuts[i].head.guard = i ? CUT_GUARD_TRIPPED : CUT_GUARD_FINE;
        cuts[i].head.lost = (struct cut_lost){.files = 1, .bytes = 1, .of = 2, .policies = 9};
        snprintf(cuts[i].head.lost.names, CUT_LOST_NAMES, "%.255s\n%.255s", names[i], names[i]);
        entries[i] = (struct history_entry){.what = names[i], .text = names[i], .ended_ns = NOW};
    }
    r.contents.policies = policies;
    r.contents.npolicies = N;
    r.cuts = cuts;
    r.ncuts = N;
    for (int k = 0; k < HISTORY_KINDS; k++) {
        r.history.of[k].at = entries;
        r.history.of[k].n = N;
    }
    page = page_of(&r);
    print_message("%zu bytes\n", strlen(page));
    assert_true(strlen(page) < 600000);
    has(page, "4,960 smaller ones");
    has(page, "title=\"5,120,000 bytes\">4.9 MiB");
    has(page, "4,965 older cuts");
    has(page, "share a bar");
    has(page, "4992 earlier ones");
    has(page, "4994 more cuts lost more than the guard allows");
    free(page);
    free(policies);
    free(cuts);
    free(entries);
}

/* The largest database first, whatever its name, and its policies by size. */
static void test_order(void **state)
{
    struct report r = empty_report();
    struct report_policy policies[] = {
        {.database = (char[]){"a"}, .policy = (char[]){"one"}, .data_bytes = 500},
        {.database = (char[]){"b"}, .policy = (char[]){"two"}, .data_bytes = 300},
        {.database = (char[]){"b"}, .policy = (char[]){"three"}, .wal_bytes = 400}};
    static const char *const order[] = {">three<", ">two<", ">one<"};
    r.contents.policies = policies;
    r.contents.npolicies = 3;
    char *page = page_of(&r);
    const char *at = page;
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        at = strstr(at, order[i]);
        assert_non_null(at);
    }
    free(page);
}

/* Cuts at one moment, or with a clock that was set far back, or forward: bars within the line. */
static void test_odd_times(void **state)
{
    static const int64_t times[][3] = {{NOW, NOW, NOW},
                                       {NOW, NOW - 900 * DAY_NS, NOW - DAY_NS},
                                       {NOW - 1, NOW + 90 * DAY_NS, NOW},
                                       {1, 2, INT64_MAX / 2},
                                       {INT64_MIN, 0, INT64_MAX / 2}};
    (void)state;
    for (size_t i = 0; i < sizeof(times) / sizeof(*times); i++) {
        struct report r = empty_report();
        struct cut_info cuts[3] = {{.base = true}, {.bytes = 7}, {.bytes = 9, .head.number = 1}};
        for (size_t k = 0; k < 3; k++)
            cuts[k].head.wall_ns = times[i][k];
        r.cuts = cuts;
        r.ncuts = 3;
        char *page = page_of(&r);
        has(page, "<svg class=\"timeline\"");
        size_t bars = 0;
        for (const char *p = page; (p = strstr(p, "class=\"added\" x=\"")); bars++) {
            double x = strtod(strchr(p, 'x') + 3, NULL);
            p += 10;
            assert_true(x >= 0 && x < 100);
        }
        assert_true(bars >= 1 && bars <= 2);
        free(page);
    }
}

static void test_jobs(void **state)
{
    struct report r = empty_report();
    char day[] = "2016-06-11", remote[] = "swift:";
    (void)state;
    r.jobs.of[JOB_FETCH].last = (struct job_end){.result = HISTORY_OMISSIONS,
                                                 .began_ns = NOW - HOUR,
                                                 .ended_ns = NOW,
                                                 .day = day,
                                                 .remote = remote,
                                                 .bytes = 2048};
    char *page = page_of(&r);
    has(page, "<h3>Nightly jobs</h3>");
    has(page, "influxfs-fetch for 2016-06-11 from swift:</bdi>");
    has(page, "2.0 KiB</span> in 1 h<");
    has(page, "The last influxfs-fetch, for 2016-06-11, was done with omissions");
    has_not(page, "influxfs-archive");
    has_not(page, "No restore, verification or backup is known");
    free(page);
}

static void test_restore_under_way(void **state)
{
    struct report r = empty_report();
    char name[] = "base.tar";
    (void)state;
    mount.restore = (struct progress){.state = PROGRESS_RECEIVING,
                                      .name = name,
                                      .bytes = 512,
                                      .total_bytes = 1024,
                                      .files = 1,
                                      .total_files = 3,
                                      .started_ns = NOW};
    char *page = page_of(&r);
    has(page, "A restore is under way");
    has(page, "base.tar</bdi> is being received and checked: <span class=\"size\" title=\"512 "
              "bytes\">512 B</span> of ");
    has(page, "width=\"50.000%\"");
    free(page);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty),     cmocka_unit_test(test_hostile_texts),
        cmocka_unit_test(test_very_much), cmocka_unit_test(test_order),
        cmocka_unit_test(test_odd_times), cmocka_unit_test(test_restore_under_way),
        cmocka_unit_test(test_jobs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
