/* SPDX-License-Identifier: MIT */
/* history: what ended is remembered, by several processes, in a bounded file; a damaged one costs
 * what it said and nothing else. */
#include "store/base/time.h"
#include "store/program/history.h"
#include "tests/unit/wipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <cmocka.h>

#define MINUTE_NS (60 * SECOND_NS)

static char folder[256];

static int setup(void **state)
{
    (void)state;
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof(folder), "%s/influxfs-history.XXXXXX", base ? base : "/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

static int teardown(void **state)
{
    (void)state;
    return wipe(folder);
}

static void add_entry(enum history_kind kind, const struct history_entry *entry)
{
    struct err e = {0};
    assert_int_equal(history_add(folder, kind, entry, &e), 0);
}

static void add(enum history_kind kind, enum history_result result, int64_t ended_ns,
                const char *what, const char *id)
{
    add_entry(kind, &(struct history_entry){
                        .result = result, .ended_ns = ended_ns, .what = what, .id = id});
}

/* The caller clears it. */
static struct history look(void)
{
    struct history h;
    struct err e = {0};
    assert_int_equal(history_read(folder, &h, &e), 0);
    return h;
}

static void nothing_yet(void **state)
{
    (void)state;
    struct history h = look();
    for (int k = 0; k < HISTORY_KINDS; k++)
        assert_int_equal(h.of[k].n, 0);
    history_clear(&h);
    assert_int_equal(wipe(folder), 0);
    h = look();
    assert_null(history_last(&h, HISTORY_BACKUP, HISTORY_DONE));
}

static void read_back(void **state)
{
    (void)state;
    add_entry(HISTORY_VERIFY, &(struct history_entry){.result = HISTORY_FAILED,
                                                      .ended_ns = 1234567890123456789,
                                                      .took_ns = 42,
                                                      .bytes = UINT64_C(1) << 60,
                                                      .what = "a \"b\"\n\\ \xff",
                                                      .id = "1f",
                                                      .text = "why: caf\xc3\xa9"});
    add(HISTORY_VERIFY, HISTORY_DONE, 1234567890123456790, "later", NULL);
    struct history h = look();
    assert_int_equal(h.of[HISTORY_VERIFY].n, 2);
    assert_int_equal(h.of[HISTORY_BACKUP].n, 0);
    assert_string_equal(h.of[HISTORY_VERIFY].at[0].what, "later");
    assert_null(h.of[HISTORY_VERIFY].at[0].id);
    assert_null(h.of[HISTORY_VERIFY].at[0].text);
    const struct history_entry *e = history_last(&h, HISTORY_VERIFY, HISTORY_FAILED);
    assert_ptr_equal(e, &h.of[HISTORY_VERIFY].at[1]);
    assert_true(e->ended_ns == 1234567890123456789 && e->took_ns == 42);
    assert_true(e->bytes == UINT64_C(1) << 60);
    assert_string_equal(e->what, "a \"b\"\n\\ \xef\xbf\xbd");
    assert_string_equal(e->id, "1f");
    assert_string_equal(e->text, "why: caf\xc3\xa9");
    history_clear(&h);
}

/* A monitor that reads now.tar all the time is one entry; what differs is another. */
static void again(void **state)
{
    (void)state;
    int64_t at = 1000 * MINUTE_NS;
    add(HISTORY_BACKUP, HISTORY_DONE, at, "b.tar", "1");
    add(HISTORY_BACKUP, HISTORY_DONE, at += MINUTE_NS, "now.tar", "1");
    add(HISTORY_BACKUP, HISTORY_DONE, at += 9 * MINUTE_NS, "now.tar", "2");   /* soon after */
    add(HISTORY_BACKUP, HISTORY_DONE, at += 900 * MINUTE_NS, "now.tar", "2"); /* the same bytes */
    struct history h = look();
    assert_int_equal(h.of[HISTORY_BACKUP].n, 2);
    assert_true(h.of[HISTORY_BACKUP].at[0].ended_ns == at);
    assert_string_equal(h.of[HISTORY_BACKUP].at[1].what, "b.tar");
    assert_int_equal(h.of[HISTORY_BACKUP].total[HISTORY_DONE], 4);
    history_clear(&h);
    add(HISTORY_BACKUP, HISTORY_DONE, at += 11 * MINUTE_NS, "now.tar", "3");
    add(HISTORY_BACKUP, HISTORY_FAILED, at += 1, "now.tar", "3");
    add(HISTORY_BACKUP, HISTORY_FAILED, at - MINUTE_NS, "now.tar",
        NULL); /* the clock was set back */
    h = look();
    assert_int_equal(h.of[HISTORY_BACKUP].n, 5);
    history_clear(&h);
}

static void bounded(void **state)
{
    (void)state;
    for (int i = 0; i < HISTORY_MOST + 10; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        add(HISTORY_RESTORE, i % 2 ? HISTORY_FAILED : HISTORY_DONE, i * SECOND_NS, name, NULL);
    }
    struct history h = look();
    assert_int_equal(h.of[HISTORY_RESTORE].n, HISTORY_MOST);
    for (int i = 0; i < HISTORY_MOST; i++)
        assert_int_equal(atoi(h.of[HISTORY_RESTORE].at[i].what), HISTORY_MOST + 9 - i);
    assert_int_equal(h.of[HISTORY_RESTORE].total[HISTORY_DONE], HISTORY_MOST / 2 + 5);
    assert_int_equal(h.of[HISTORY_RESTORE].total[HISTORY_FAILED], HISTORY_MOST / 2 + 5);
    history_clear(&h);
}

/* What was found bad stays, whatever else is verified, until the same is good, or gone. */
static void bad_until_good(void **state)
{
    (void)state;
    int64_t at = SECOND_NS;
    add(HISTORY_VERIFY, HISTORY_FAILED, at++, "b.tar", NULL);
    add(HISTORY_VERIFY, HISTORY_FAILED, at++, HISTORY_CUTS, NULL);
    for (int i = 0; i < HISTORY_MOST; i++) {
        char name[16];
        snprintf(name, sizeof(name), "%d", i);
        add(HISTORY_VERIFY, HISTORY_DONE, at++, name, NULL);
    }
    struct history h = look();
    assert_int_equal(h.of[HISTORY_VERIFY].n, HISTORY_MOST);
    assert_true(history_any_bad(&h) && history_cuts_bad(&h));
    assert_true(history_is_bad(&h, HISTORY_MOST - 1) && !history_is_bad(&h, 0));
    history_clear(&h);
    add(HISTORY_VERIFY, HISTORY_DONE, at++, HISTORY_CUTS, NULL);
    h = look();
    assert_true(history_any_bad(&h) && !history_cuts_bad(&h));
    history_clear(&h);
    add_entry(HISTORY_VERIFY,
              &(struct history_entry){
                  .result = HISTORY_FAILED, .ended_ns = at++, .what = "b.tar", .gone = true});
    h = look();
    assert_true(h.of[HISTORY_VERIFY].at[0].gone && !history_any_bad(&h));
    history_clear(&h);
    for (int i = 0; i < HISTORY_MOST + 2; i++) { /* all are bad: the oldest goes */
        char name[16];
        snprintf(name, sizeof(name), "bad %d", i);
        add(HISTORY_VERIFY, HISTORY_FAILED, at++, name, NULL);
    }
    h = look();
    assert_string_equal(h.of[HISTORY_VERIFY].at[HISTORY_MOST - 1].what, "bad 2");
    history_clear(&h);
}

static char *slurp(size_t *n)
{
    char path[300], *text = malloc(65536);
    snprintf(path, sizeof(path), "%s/history.json", folder);
    FILE *f = fopen(path, "r");
    *n = fread(text, 1, 65535, f);
    text[*n] = 0;
    fclose(f);
    return text;
}

static void put(const char *text, size_t n)
{
    char path[300];
    snprintf(path, sizeof(path), "%s/history.json", folder);
    FILE *f = fopen(path, "w");
    assert_int_equal(fwrite(text, 1, n, f), n);
    fclose(f);
}

static void expect_damaged(void)
{
    struct history h;
    struct err e = {0};
    assert_int_equal(history_read(folder, &h, &e), -EBADMSG);
    assert_non_null(strstr(e.text, "history.json is damaged"));
    for (int k = 0; k < HISTORY_KINDS; k++)
        assert_int_equal(h.of[k].n, 0);
}

static void damaged(void **state)
{
    (void)state;
    size_t n;
    add_entry(HISTORY_BACKUP,
              &(struct history_entry){.ended_ns = 1, .what = "b.tar", .id = "1", .text = "some"});
    autofree char *good = slurp(&n);
    for (size_t cut = 0; cut < n - 1; cut++) {
        put(good, cut);
        expect_damaged();
    }
    static const char *const values[] = {"\"ended_ns\":1", "\"what\":\"b.tar\"", "\"done\":1",
                                         "\"result\":\"done\"", "\"id\":\"1\""};
    for (size_t i = 0; i < sizeof(values) / sizeof(*values); i++) {
        autofree char *bad = strdup(good);
        char *at = strstr(bad, values[i]);
        assert_non_null(at);
        at = strchr(at, ':') + 1;
        memset(at, ' ', strcspn(at, ",\n"));
        memcpy(at, "[]", 1 + (at[1] == ' '));
        if (at[1] != ']') /* no space for a list: a word that JSON does not have */
            *at = '?';
        put(bad, n);
        expect_damaged();
    }
    add(HISTORY_BACKUP, HISTORY_DONE, 2, "c.tar", NULL);
    struct history h = look();
    assert_int_equal(h.of[HISTORY_BACKUP].n, 1);
    assert_string_equal(h.of[HISTORY_BACKUP].at[0].what, "c.tar");
    history_clear(&h);
}

#define WRITERS 4
#define EACH 25

static void several_writers(void **state)
{
    (void)state;
    for (int w = 0; w < WRITERS; w++) {
        if (fork() != 0)
            continue;
        for (int i = 0; i < EACH; i++) {
            char name[32];
            struct err e = {0};
            snprintf(name, sizeof(name), "%d/%d", w, i);
            const struct history_entry entry = {.ended_ns = i + 1, .what = name};
            if (history_add(folder, HISTORY_BACKUP, &entry, &e) < 0)
                _exit(1);
        }
        _exit(0);
    }
    for (int w = 0, status; w < WRITERS; w++) {
        wait(&status);
        assert_int_equal(status, 0);
    }
    struct history h = look();
    assert_int_equal(h.of[HISTORY_BACKUP].total[HISTORY_DONE], WRITERS * EACH);
    history_clear(&h);
}

static void not_writable(void **state)
{
    (void)state;
    struct err e = {0};
    const struct history_entry entry = {.what = "b.tar"};
    char path[300];
    snprintf(path, sizeof(path), "%s/history.json.tmp", folder);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_true(history_add(folder, HISTORY_BACKUP, &entry, &e) < 0);
    assert_non_null(strstr(e.text, folder));
    assert_int_equal(wipe(folder), 0);
    assert_int_equal(history_add(folder, HISTORY_BACKUP, &entry, &e), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(nothing_yet, setup, teardown),
        cmocka_unit_test_setup_teardown(read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(again, setup, teardown),
        cmocka_unit_test_setup_teardown(bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(bad_until_good, setup, teardown),
        cmocka_unit_test_setup_teardown(damaged, setup, teardown),
        cmocka_unit_test_setup_teardown(several_writers, setup, teardown),
        cmocka_unit_test_setup_teardown(not_writable, setup, teardown),
    };
    return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
