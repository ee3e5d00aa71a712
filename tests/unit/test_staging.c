/* SPDX-License-Identifier: MIT */
/* Whose turn it is in the staging area of a store, and of whom the status speaks meanwhile. */
#include "store/restore/staging.h"

#include "store/base/time.h"
#include "tests/unit/targets.h"

#include <pthread.h>

struct scene {
    char *root;
    struct account *account;
    struct staging *staging;
    struct manifest *full;
};

/* They are compared and never looked into. */
static const char uploads[2];
#define FIRST ((const struct upload *)&uploads[0])
#define SECOND ((const struct upload *)&uploads[1])

static struct staging *open_staging(const struct scene *s)
{
    char path[3][PATH_MAX];
    struct staging *st = NULL;
    for (int i = 0; i < 3; i++)
        snprintf(path[i], sizeof(path[i]), "%s/%s", s->root, target_kind_name((enum target_kind)i));
    const struct store_paths paths = {path[0], path[1], path[2], NULL};
    const struct session_options o = {
        .paths = &paths, .uid = (uid_t)-1, .gid = (gid_t)-1, .state_fd = -1};
    assert_int_equal(staging_open(&o, s->account, &st), 0);
    return st;
}

static int set_up(void **state)
{
    static const char json[] =
        "{\"version\":1,\"id\":\"B\",\"kind\":\"full\",\"parent\":null,\"number\":null,"
        "\"created\":\"2016-06-11T12:00:00Z\",\"host\":\"h\",\"index\":7,\"skew_ns\":0,"
        "\"files\":[],\"removed\":[],\"removed_folders\":[],\"left_out\":[]}";
    struct scene *s = calloc(1, sizeof(*s));
    assert_non_null(s);
    s->root = temp_folder();
    put(s->root, "meta/meta.db", "old");
    assert_int_equal(account_open(-1, &s->account), 0);
    s->staging = open_staging(s);
    assert_int_equal(manifest_parse(json, strlen(json), &s->full, NULL), 0);
    *state = s;
    return 0;
}

static int tear_down(void **state)
{
    struct scene *s = *state;
    staging_close(s->staging);
    account_close(s->account);
    manifest_free(s->full);
    tree_remove(s->root);
    free(s);
    return 0;
}

static void begin(struct scene *s)
{
    struct stage *stage = NULL;
    struct err e = {0};
    if (staging_begin(s->staging, s->full, &stage, &e) < 0)
        fail_msg("%s", e.text);
    stage_free(stage);
}

/* As when it was given up. */
static void take_back(struct scene *s, const struct upload *u)
{
    cleanup(manifest_freep) struct manifest *full = NULL;
    cleanup(targets_freep) struct targets *t = staging_take_back(s->staging, u, &full);
    assert_non_null(t);
    assert_string_equal(full->id, "B");
    assert_int_equal(targets_tidy(t, NULL), 0);
}

static void test_one_at_a_time(void **state)
{
    struct scene *s = *state;
    assert_true(staging_take(s->staging, FIRST));
    assert_false(staging_take_free(s->staging));
    assert_false(staging_leave(s->staging));
    assert_true(staging_take_free(s->staging));
    assert_false(staging_leave(s->staging));
}

/* One that receives may never end, so that another waits for it a little only. */
static void test_receiving(void **state)
{
    struct scene *s = *state;
    struct manifest *full = NULL;
    assert_true(staging_take(s->staging, FIRST));
    begin(s);
    assert_true(is_there(s->root, "data.restoring"));
    const int64_t before = time_mono_ns();
    assert_false(staging_take(s->staging, SECOND));
    assert_true(time_mono_ns() - before >= 2 * SECOND_NS);
    assert_null(staging_take_back(s->staging, SECOND, &full));
    take_back(s, FIRST);
    assert_null(staging_take_back(s->staging, FIRST, &full));
    staging_leave(s->staging);
    assert_true(staging_take(s->staging, SECOND));
    staging_leave(s->staging);
}

static void *leave_later(void *arg)
{
    struct scene *s = arg;
    usleep(100000);
    take_back(s, FIRST);
    staging_leave(s->staging);
    return NULL;
}

static void test_waits(void **state)
{
    struct scene *s = *state;
    pthread_t thread;
    assert_true(staging_take(s->staging, FIRST));
    begin(s);
    assert_int_equal(pthread_create(&thread, NULL, leave_later, s), 0);
    assert_true(staging_take(s->staging, SECOND));
    staging_leave(s->staging);
    pthread_join(thread, NULL);
}

static void test_owed(void **state)
{
    struct scene *s = *state;
    assert_false(staging_take_owed(s->staging));
    assert_true(staging_take(s->staging, FIRST));
    staging_owe(s->staging);
    assert_false(staging_take_owed(s->staging)); /* the one who has it will return it */
    assert_true(staging_leave(s->staging));
    assert_true(staging_take_owed(s->staging));
    assert_false(staging_leave(s->staging));
    assert_false(staging_take_owed(s->staging));
}

/* After an exchange that could not be finished nobody begins, but by another mount. */
static void test_half(void **state)
{
    struct scene *s = *state;
    struct targets *t = NULL;
    struct err e = {0};
    assert_int_equal(staging_may_begin(s->staging, false, &e), 0);
    assert_true(staging_take(s->staging, FIRST));
    assert_int_equal(staging_prepare(s->staging, &t, &e), 0);
    staging_keep_half(s->staging, t);
    staging_owe(s->staging);
    staging_leave(s->staging);
    assert_false(staging_take_owed(s->staging));
    assert_false(staging_take(s->staging, SECOND));
    assert_int_equal(staging_may_begin(s->staging, false, &e), -EIO);
}

/* Another session, as another process has it, cannot begin while the first waits for its snapshot. */
static void test_held(void **state)
{
    struct scene *s = *state;
    struct staging *other = open_staging(s);
    struct err e = {0};
    assert_int_equal(staging_may_begin(s->staging, true, &e), 0);
    assert_int_equal(staging_may_begin(other, false, &e), -EBUSY);
    assert_non_null(strstr(e.text, "another influxfs is restoring this store"));
    assert_true(staging_take(s->staging, FIRST));
    begin(s);
    assert_int_equal(staging_may_begin(other, true, &e), -EBUSY);
    take_back(s, FIRST);
    staging_leave(s->staging);
    assert_int_equal(staging_may_begin(other, true, &e), 0);
    assert_int_equal(staging_may_begin(s->staging, false, &e), -EBUSY);
    staging_close(other);
    assert_int_equal(staging_may_begin(s->staging, false, &e), 0);
}

static void expect_status(struct scene *s, const char *words)
{
    autofree char *text = NULL;
    assert_int_equal(account_json(s->account, &text), 0);
    if (!strstr(text, words))
        fail_msg("%s, not %s", text, words);
}

static void test_status(void **state)
{
    struct scene *s = *state;
    account_receiving(s->account, FIRST, "first");
    account_receiving(s->account, SECOND, "second"); /* the last to begin, */
    account_verified(s->account, FIRST, "first");
    expect_status(s, "\"name\":\"second\"");
    account_refused(s->account, SECOND, "second", "why"); /* until it has ended; */
    account_verified(s->account, FIRST, "first");
    expect_status(s, "\"name\":\"first\"");
    assert_true(staging_take(s->staging, SECOND)); /* or the one that has the staging area, */
    account_receiving(s->account, FIRST, "first again");
    account_progress(s->account, SECOND, 77);
    expect_status(s, "\"name\":\"first\"");
    expect_status(s, "\"bytes\":77");
    staging_leave(s->staging);
    assert_true(staging_take(s->staging, NULL)); /* or the session's own work. */
    account_verified(s->account, SECOND, "second");
    expect_status(s, "\"name\":\"first\"");
    staging_leave(s->staging);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_one_at_a_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_receiving, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_waits, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_owed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_half, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_held, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_status, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
