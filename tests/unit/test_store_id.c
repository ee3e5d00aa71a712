/* SPDX-License-Identifier: MIT */
/* store_id: made once, by whomever; kept; and not replaced when it is damaged. */
#include "store/base/cleanup.h"
#include "store/influx/store_id.h"
#include "tests/unit/store_builder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define THREADS 8

struct asking {
    const char *state;
    struct store_id id;
    int r;
};

static void *ask(void *arg)
{
    struct asking *a = arg;
    a->r = store_id_get(a->state, &a->id, NULL);
    return NULL;
}

static void made_once(void **state)
{
    (void)state;
    char *folder = temp_folder();
    struct asking by[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        by[i] = (struct asking){.state = folder};
        assert_int_equal(pthread_create(&threads[i], NULL, ask, &by[i]), 0);
    }
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(by[i].r, 0);
        assert_int_equal(strlen(by[i].id.text), STORE_ID);
        assert_string_equal(by[i].id.text, by[0].id.text);
        assert_true(by[i].id.made_ns == by[0].id.made_ns && by[0].id.made_ns > 0);
    }
    char *other = temp_folder();
    struct store_id id;
    assert_int_equal(store_id_get(other, &id, NULL), 0);
    assert_string_not_equal(id.text, by[0].id.text);
    tree_remove(other);
    tree_remove(folder);
}

static void damaged(void **state)
{
    (void)state;
    static const char *const bad[] = {"", "\n", "0123456789abcdef0123456789abcdef",
                                      "0123456789abcdef0123456789ABCDEF\n",
                                      "0123456789abcdef0123456789abcdef\n\n"};
    char *folder = temp_folder();
    struct store_id id;
    struct err e;
    autofree char *path = NULL;
    assert_true(asprintf(&path, "%s/id", folder) > 0);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        autoclose int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
        assert_int_equal(io_write_all(fd, bad[i], strlen(bad[i])), 0);
        assert_int_equal(store_id_get(folder, &id, &e), -EBADMSG);
        assert_non_null(strstr(e.text, "/id is not the id of a store"));
    }
    tree_remove(folder);
    assert_int_equal(store_id_get("/nonexistent", &id, &e), -ENOENT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(made_once), cmocka_unit_test(damaged)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
