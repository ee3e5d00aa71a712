/* SPDX-License-Identifier: MIT */
/* archived: the days of a remote that is in memory, and what of them is good. */
#include "mount-helper/nightly/archived.h"
#include "store/base/array.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define STORE "0123456789abcdef0123456789abcdef"
#define SUM "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define F DAYNAME_DEFAULT

/* The remote. */

static struct object {
    char path[200];
    struct buffer text; /* of a receipt */
    uint64_t size;      /* of any other object */
    bool unlisted;
} objects[64];
static size_t nobjects;
static struct {
    const char *path;
    int code;
} fault;

static int failing(const char *path, struct err *e)
{
    return fault.path && strcmp(path, fault.path) == 0 ? err_sys(e, fault.code, "%s", path) : 0;
}

const char *remote_name(const struct remote *r)
{
    (void)r;
    return "memory:";
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const struct remote_entry *)a)->name, ((const struct remote_entry *)b)->name);
}

const struct remote_entry *remote_list_find(const struct remote_list *l, const char *name)
{
    const struct remote_entry key = {.name = (char *)name};
    return l->n ? bsearch(&key, l->at, l->n, sizeof(key), by_name) : NULL;
}

void remote_list_clear(struct remote_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->at[i].name);
    free(l->at);
    *l = (struct remote_list){0};
}

static void list_entry(struct remote_list *l, const char *below, uint64_t size)
{
    char *name = strndup(below, strcspn(below, "/"));
    for (size_t i = 0; i < l->n; i++)
        if (strcmp(l->at[i].name, name) == 0) {
            free(name);
            return;
        }
    assert_true(array_grow(&l->at, l->n));
    l->at[l->n++] =
        (struct remote_entry){.name = name, .size = size, .folder = strchr(below, '/') != NULL};
}

int remote_list(struct remote *r, const char *path, struct remote_list *out, struct err *e)
{
    const size_t n = strlen(path);
    int ret = failing(path, e);
    (void)r;
    *out = (struct remote_list){0};
    for (size_t i = 0; ret == 0 && i < nobjects; i++) {
        const struct object *o = &objects[i];
        if (!o->unlisted && (!n || (strncmp(o->path, path, n) == 0 && o->path[n] == '/')))
            list_entry(out, o->path + n + (n > 0), o->size);
    }
    if (out->n)
        qsort(out->at, out->n, sizeof(*out->at), by_name);
    return ret < 0 ? ret : out->n ? 0 : err_sys(e, -ENOENT, "memory:%s", path);
}

static struct object *find_object(const char *path)
{
    for (size_t i = 0; i < nobjects; i++)
        if (strcmp(objects[i].path, path) == 0)
            return &objects[i];
    return NULL;
}

int remote_get(struct remote *r, const char *path, size_t max, struct buffer *out, struct err *e)
{
    const struct object *o = find_object(path);
    int ret = failing(path, e);
    (void)r;
    if (ret < 0)
        return ret;
    if (!o || o->text.n > max)
        return err_sys(e, o ? -EFBIG : -ENOENT, "memory:%s", path);
    buffer_add(out, o->text.p, o->text.n);
    return 0;
}

int remote_stat(struct remote *r, const char *path, struct remote_stat *out, struct err *e)
{
    const struct object *o = find_object(path);
    int ret = failing(path, e);
    (void)r;
    if (ret < 0 || !o)
        return ret < 0 ? ret : err_sys(e, -ENOENT, "memory:%s", path);
    *out = (struct remote_stat){.size = o->size};
    return 0;
}

static struct object *put(const char *path, uint64_t size)
{
    struct object *o = &objects[nobjects++];
    assert_true(nobjects <= sizeof(objects) / sizeof(*objects));
    *o = (struct object){.size = size};
    snprintf(o->path, sizeof(o->path), "%s", path);
    return o;
}

static int clear_remote(void **state)
{
    (void)state;
    for (size_t i = 0; i < nobjects; i++)
        buffer_free(&objects[i].text);
    nobjects = 0;
    fault.path = NULL;
    return 0;
}

/* What runs have left there. */

#define SHARDS(day) "2016-06-" day "/2016-06-" day "/shards/"
#define RECEIPT(day) "01234567-201606" day "T235500Z.json"

/* A run of 23:55 of a day of June 2016: an object of seven bytes, and its receipt; number -1: a full
 * one. It builds on a run of another day. */
static struct object *put_run(unsigned day, int64_t number, unsigned follows, unsigned base,
                              const char *parent)
{
    char id[16], path[200], before[RECEIPT_NAME], full[RECEIPT_NAME], object[80];
    struct receipt_object part = {.name = object, .size = 7, .sha256 = SUM};
    struct receipt c = {.form = number < 0 ? RECEIPT_FULL : RECEIPT_INCREMENTAL,
                        .store = STORE,
                        .id = id,
                        .parent = (char *)parent,
                        .number = number,
                        .objects = &part,
                        .nobjects = 1};
    struct err e = {""};
    snprintf(c.day, sizeof(c.day), "2016-06-%02u", day % 100);
    snprintf(c.run, sizeof(c.run), "201606%02uT235500Z", day % 100);
    snprintf(id, sizeof(id), "id%u", day);
    snprintf(object, sizeof(object), "01234567-%s-x.tar", c.run);
    if (number >= 0) {
        snprintf(before, sizeof(before), "01234567-201606%02uT235500Z.json", follows % 100);
        snprintf(full, sizeof(full), "01234567-201606%02uT235500Z.json", base % 100);
        c.follows.name = before;
        c.base.name = full;
        snprintf(c.follows.day, sizeof(c.follows.day), "2016-06-%02u", follows % 100);
        snprintf(c.base.day, sizeof(c.base.day), "2016-06-%02u", base % 100);
    }
    snprintf(path, sizeof(path), "%s/%s/shards/%s", c.day, c.day, object);
    put(path, 7);
    snprintf(path, sizeof(path), "%s/%s/shards/01234567-%s.json", c.day, c.day, c.run);
    struct object *o = put(path, 100);
    if (receipt_text(&c, &o->text, &e) != 0)
        fail_msg("%s", e.text);
    return o;
}

static void look(int day, struct archived_day *d)
{
    struct err e = {""};
    if (archived_look(NULL, F, 16952 + day, DAYNAME_SHARDS, "", d, &e) != 0)
        fail_msg("%s", e.text);
    assert_int_equal(d->n, 1);
}

/* The run of a day is not good, for this reason. */
static void must_be_bad(int day, const char *why)
{
    cleanup(archived_day_clear) struct archived_day d;
    look(day, &d);
    assert_int_equal(d.runs[0].code, -EBADMSG);
    if (!strstr(d.runs[0].why.text, why))
        fail_msg("%s", d.runs[0].why.text);
}

static void days_are_found_newest_first(void **state)
{
    autofree int32_t *days = NULL;
    size_t n = 7;
    (void)state;
    assert_int_equal(archived_days(NULL, F, &days, &n, NULL), 0);
    assert_int_equal(n, 0);
    free(days);
    put(SHARDS("11") "x", 1);
    put(SHARDS("13") "x", 1);
    put("2015-12-31/x", 1);
    put("photos/x", 1);
    put("2016-06-12", 1); /* a file, no container */
    put("2016-6-10/x", 1);
    assert_int_equal(archived_days(NULL, F, &days, &n, NULL), 0);
    assert_int_equal(n, 3);
    assert_int_equal(days[0], 16965);
    assert_int_equal(days[1], 16963);
    assert_int_equal(days[2], 16800);
}

static void what_cannot_be_listed_is_not_empty(void **state)
{
    struct archived_day d;
    struct err e = {""};
    int32_t *days = NULL;
    size_t n;
    (void)state;
    put_run(11, -1, 0, 0, NULL);
    fault.path = "";
    fault.code = -EACCES;
    assert_int_equal(archived_days(NULL, F, &days, &n, &e), -EACCES);
    assert_true(e.text[0] && !days);
    fault.path = "2016-06-11/2016-06-11/shards";
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_SHARDS, "", &d, &e), -EACCES);
    fault.path = SHARDS("11") RECEIPT("11");
    fault.code = -EAGAIN;
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_SHARDS, "", &d, &e), -EAGAIN);
    assert_int_equal(archived_look(NULL, F, 16970, DAYNAME_SHARDS, "", &d, &e), -ENOENT);
}

static void a_whole_run_is_good(void **state)
{
    cleanup(archived_day_clear) struct archived_day d;
    (void)state;
    put_run(11, -1, 0, 0, NULL);
    put(SHARDS("11") "01234567-20160611T235500Z.sha256", 1);
    put(SHARDS("11") "01234567-20160611T110000Z-full.tar", 7);
    look(11, &d);
    assert_int_equal(d.runs[0].code, 0);
    assert_true(d.runs[0].known);
    assert_int_equal(d.runs[0].day, 16963);
    assert_string_equal(d.runs[0].receipt.id, "id11");
    assert_int_equal(d.list.n, 4);
    assert_true(archived_needs(&d, RECEIPT("11")));
    assert_true(archived_needs(&d, "01234567-20160611T235500Z.sha256"));
    assert_true(archived_needs(&d, "01234567-20160611T235500Z-x.tar"));
    assert_false(archived_needs(&d, "01234567-20160611T235500Z-y.tar"));
    assert_false(archived_needs(&d, "01234567-20160611T110000Z-full.tar"));
}

static void runs_are_sorted_and_chosen_by_store(void **state)
{
    cleanup(archived_day_clear) struct archived_day all, own;
    (void)state;
    put_run(11, -1, 0, 0, NULL);
    put(SHARDS("11") "00000000-20160611T235600Z.json", 1);
    put(SHARDS("11") "01234567-20160611T110000Z.json", 1);
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_SHARDS, "", &all, NULL), 0);
    assert_int_equal(all.n, 3);
    assert_string_equal(all.runs[0].name, "00000000-20160611T235600Z.json");
    assert_string_equal(all.runs[1].name, RECEIPT("11"));
    assert_string_equal(all.runs[2].name, "01234567-20160611T110000Z.json");
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_SHARDS, STORE, &own, NULL), 0);
    assert_int_equal(own.n, 2);
}

static void damage_is_told_and_keeps_what_may_be_needed(void **state)
{
    cleanup(archived_day_clear) struct archived_day d;
    struct object *o = put_run(11, -1, 0, 0, NULL);
    (void)state;
    o->text.p[30] ^= 1;
    must_be_bad(11, "its own sum is another");
    look(11, &d);
    assert_false(d.runs[0].known);
    assert_true(archived_needs(&d, "01234567-20160611T235500Z-x.tar"));
    assert_true(archived_needs(&d, "01234567-20160611T235500Z-anything"));
    assert_false(archived_needs(&d, "01234567-20160611T235501Z-x.tar"));
    o->text.n = 0;
    must_be_bad(11, "no receipt");
    fault.path = SHARDS("11") RECEIPT("11");
    fault.code = -EIO;
    must_be_bad(11, RECEIPT("11"));
}

static void an_object_missing_or_of_another_size_is_told(void **state)
{
    struct object *o;
    (void)state;
    put_run(11, -1, 0, 0, NULL);
    o = find_object(SHARDS("11") "01234567-20160611T235500Z-x.tar");
    o->size = 8;
    must_be_bad(11, "has 8 bytes, and should have 7");
    strcpy(o->path, "elsewhere");
    must_be_bad(11, "01234567-20160611T235500Z-x.tar is missing");
}

/* The store itself is asked before an object is called missing. */
static void a_listing_may_lag(void **state)
{
    cleanup(archived_day_clear) struct archived_day d, again;
    const char *path = SHARDS("11") "01234567-20160611T235500Z-x.tar";
    (void)state;
    put_run(11, -1, 0, 0, NULL);
    find_object(path)->unlisted = true;
    look(11, &d);
    assert_int_equal(d.runs[0].code, 0);
    fault.path = path;
    fault.code = -EAGAIN;
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_SHARDS, "", &again, NULL), -EAGAIN);
}

/* And for the receipt of a run of which it shows anything. */
static void a_receipt_may_lag(void **state)
{
    cleanup(archived_day_clear) struct archived_day d, none, again;
    (void)state;
    put_run(11, -1, 0, 0, NULL);
    put(SHARDS("11") "01234567-20160611T235500Z.begun", 7);
    put(SHARDS("11") "01234567-20160611T110000Z-full.tar", 7);
    find_object(SHARDS("11") RECEIPT("11"))->unlisted = true;
    look(11, &d);
    assert_string_equal(d.runs[0].name, RECEIPT("11"));
    assert_int_equal(d.runs[0].code, 0);
    assert_true(archived_needs(&d, "01234567-20160611T235500Z-x.tar"));
    assert_false(archived_needs(&d, "01234567-20160611T110000Z-full.tar"));
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_SHARDS, "00000000", &none, NULL), 0);
    assert_int_equal(none.n, 0);
    fault.path = SHARDS("11") RECEIPT("11");
    fault.code = -EAGAIN;
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_SHARDS, "", &again, NULL), -EAGAIN);
}

static void a_receipt_elsewhere_is_not_of_that_place(void **state)
{
    struct object *o = put_run(11, -1, 0, 0, NULL);
    (void)state;
    put(SHARDS("12") "01234567-20160611T235500Z-x.tar", 7);
    strcpy(o->path, SHARDS("12") RECEIPT("11"));
    must_be_bad(12, "does not belong there");
    strcpy(o->path, SHARDS("11") RECEIPT("12"));
    must_be_bad(11, "does not belong there");
    cleanup(archived_day_clear) struct archived_day d;
    strcpy(o->path, "2016-06-11/2016-06-11/influxdb/" RECEIPT("11"));
    assert_int_equal(archived_look(NULL, F, 16963, DAYNAME_DUMPS, "", &d, NULL), 0);
    assert_int_equal(d.runs[0].code, -EBADMSG);
}

/* Follows the chain of a day's run; n: how long it is, or an error with these words. */
static void must_follow(int day, int n, const char *words)
{
    cleanup(archived_day_clear) struct archived_day d;
    cleanup(archived_chain_clear) struct archived_chain c;
    struct err e = {""};
    look(day, &d);
    int r = archived_chain(NULL, F, &d.runs[0], &c, &e);
    if (n < 0) {
        assert_int_equal(r, n);
        assert_int_equal(c.n, 0);
        if (!strstr(e.text, words))
            fail_msg("%s", e.text);
        return;
    }
    assert_int_equal(r, 0);
    assert_int_equal(c.n, n);
    assert_string_equal(c.at[n - 1].name, d.runs[0].name);
    for (int i = 1; i < n; i++)
        assert_string_equal(c.at[i].receipt.parent, c.at[i - 1].receipt.id);
}

static void put_chain(void)
{
    put_run(11, -1, 0, 0, NULL);
    put_run(12, 0, 11, 11, "id11");
    put_run(14, 1, 12, 11, "id12");
}

static void a_chain_begins_with_the_full_one(void **state)
{
    (void)state;
    put_chain();
    must_follow(11, 1, NULL);
    must_follow(12, 2, NULL);
    must_follow(14, 3, NULL);
}

static void what_a_chain_lacks_is_named(void **state)
{
    (void)state;
    put_chain();
    struct object *o = find_object(SHARDS("12") "01234567-20160612T235500Z-x.tar");
    o->size = 3;
    must_follow(14, -ESTALE, "which is not good: " SHARDS("12"));
    o->size = 7;
    strcpy(find_object(SHARDS("11") RECEIPT("11"))->path, "elsewhere");
    must_follow(14, -ESTALE, RECEIPT("11") " of 2016-06-11, which is not there");
    for (size_t i = 0; i < 2; i++) /* and without its container */
        strcpy(objects[i].path, "elsewhere");
    must_follow(14, -ESTALE, RECEIPT("11") " of 2016-06-11, which is not there");
    fault.path = "2016-06-12/2016-06-12/shards";
    fault.code = -EAGAIN;
    must_follow(14, -EAGAIN, "2016-06-12");
}

static void what_does_not_fit_is_refused(void **state)
{
    (void)state;
    put_chain();
    put_run(15, 2, 14, 11, "other");
    must_follow(15, -ESTALE, "holds another state");
    put_run(16, 3, 14, 11, "id14");
    must_follow(16, -ESTALE, "number");
    put_run(17, 2, 14, 12, "id14");
    must_follow(17, -ESTALE, "begins with " RECEIPT("12"));
    put_run(18, 0, 13, 13, "id13");
    must_follow(18, -ESTALE, "not there");
}

static void a_bad_run_has_no_chain(void **state)
{
    (void)state;
    put_chain();
    find_object(SHARDS("14") "01234567-20160614T235500Z-x.tar")->size = 3;
    must_follow(14, -ESTALE, "has 3 bytes");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(days_are_found_newest_first, clear_remote),
        cmocka_unit_test_teardown(what_cannot_be_listed_is_not_empty, clear_remote),
        cmocka_unit_test_teardown(a_whole_run_is_good, clear_remote),
        cmocka_unit_test_teardown(runs_are_sorted_and_chosen_by_store, clear_remote),
        cmocka_unit_test_teardown(damage_is_told_and_keeps_what_may_be_needed, clear_remote),
        cmocka_unit_test_teardown(an_object_missing_or_of_another_size_is_told, clear_remote),
        cmocka_unit_test_teardown(a_listing_may_lag, clear_remote),
        cmocka_unit_test_teardown(a_receipt_may_lag, clear_remote),
        cmocka_unit_test_teardown(a_receipt_elsewhere_is_not_of_that_place, clear_remote),
        cmocka_unit_test_teardown(a_chain_begins_with_the_full_one, clear_remote),
        cmocka_unit_test_teardown(what_a_chain_lacks_is_named, clear_remote),
        cmocka_unit_test_teardown(what_does_not_fit_is_refused, clear_remote),
        cmocka_unit_test_teardown(a_bad_run_has_no_chain, clear_remote),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
