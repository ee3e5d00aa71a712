/* SPDX-License-Identifier: MIT */
/* node, ino, material: what is found again, what is freed and when, and who shares a number. */
#include "fs/ino.h"
#include "fs/material.h"
#include "fs/node.h"
#include "store/base/time.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define THREADS 4

struct thing {
    struct node node;
    struct thing *above;
    struct node_table *table;
    int key;
};

static int freed;

static void thing_free(struct node *n)
{
    struct thing *t = (struct thing *)n;
    __atomic_add_fetch(&freed, 1, __ATOMIC_RELAXED);
    if (t->above)
        node_unpin(t->table, &t->above->node);
    free(t);
}

static const struct node_ops thing_ops = {.free = thing_free};

static struct thing *thing(struct node_table *t, enum node_kind kind, int key, struct thing *above)
{
    struct thing *n = calloc(1, sizeof(*n));
    struct node *out;
    node_init(&n->node, &thing_ops, kind, (ino_t)key, above ? &above->node : NULL);
    n->table = t;
    n->key = key;
    n->above = above;
    if (above)
        node_repin(t, &above->node);
    assert_int_equal(node_find_or_add(t, &n->node, &n->key, sizeof(n->key), &out), 0);
    return (struct thing *)out;
}

static void test_one_node_of_a_kind_and_key(void **state)
{
    (void)state;
    struct node_table *t = node_table_new();
    freed = 0;
    struct thing *a = thing(t, NODE_LIVE, 1, NULL);
    assert_ptr_equal(thing(t, NODE_LIVE, 1, NULL), a);
    assert_int_equal(freed, 1); /* the second one, which was not needed */
    assert_int_equal(a->node.pins, 2);
    struct thing *b = thing(t, NODE_CUT, 1, NULL), *c = thing(t, NODE_LIVE, 2, NULL);
    assert_true(b != a && c != a && b->node.id != a->node.id);
    int key = 2, absent = 3;
    assert_ptr_equal(node_find(t, NODE_LIVE, &key, sizeof(key)), c);
    assert_null(node_find(t, NODE_CUT, &key, sizeof(key)));
    assert_null(node_find(t, NODE_LIVE, &absent, sizeof(absent)));
    node_table_free(t);
    assert_int_equal(freed, 4);
}

static void test_kept_by_pins_and_lookups(void **state)
{
    (void)state;
    struct node_table *t = node_table_new();
    freed = 0;
    struct thing *a = thing(t, NODE_LIVE, 1, NULL);
    uint64_t id = a->node.id;
    node_looked_up(t, &a->node);
    node_looked_up(t, &a->node);
    node_unpin(t, &a->node);
    assert_ptr_equal(node_pin(t, id), a);
    node_unpin(t, &a->node);
    node_forget(t, id, 1);
    assert_int_equal(freed, 0);
    node_forget(t, id, 1);
    assert_int_equal(freed, 1);
    assert_null(node_pin(t, id));
    a = thing(t, NODE_LIVE, 1, NULL);
    assert_true(a->node.id > id); /* never used again */
    node_table_free(t);
}

/* As in a view: a node goes, and its folder with it unless it is used itself. */
static void test_folder_is_pinned(void **state)
{
    (void)state;
    struct node_table *t = node_table_new();
    freed = 0;
    struct thing *top = thing(t, NODE_VIEW, 1, NULL);
    struct thing *child = thing(t, NODE_VIEW_ENTRY, 2, top);
    assert_int_equal(child->node.up, top->node.ino);
    assert_int_equal(top->node.up, INO_ROOT);
    node_unpin(t, &top->node);
    assert_int_equal(freed, 0);
    node_unpin(t, &child->node);
    assert_int_equal(freed, 2);
    top = thing(t, NODE_VIEW, 1, NULL);
    child = thing(t, NODE_VIEW_ENTRY, 2, top);
    node_looked_up(t, &top->node);
    node_looked_up(t, &child->node);
    node_table_free(t); /* whatever is left: each once */
    assert_int_equal(freed, 4);
}

static void *look_up(void *arg)
{
    struct node_table *t = arg;
    for (int i = 0; i < 2000; i++) {
        struct thing *n = thing(t, NODE_LIVE, i % 7, NULL);
        node_looked_up(t, &n->node);
        uint64_t id = n->node.id;
        node_unpin(t, &n->node);
        node_forget(t, id, 1);
    }
    return NULL;
}

static void test_threads_find_and_free(void **state)
{
    (void)state;
    struct node_table *t = node_table_new();
    pthread_t threads[THREADS];
    freed = 0;
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up, t), 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(freed, THREADS * 2000);
    node_table_free(t);
}

static void test_places_share_no_number(void **state)
{
    (void)state;
    const ino_t all[] = {INO_ROOT,
                         INO_NAMED_FOLDER,
                         INO_UPLOADS,
                         INO_NUMBERS,
                         INO_AT_TARS,
                         ino_named("a.tar", 5),
                         ino_named("b.tar", 5),
                         ino_live(1, 0),
                         ino_live(1, 1),
                         ino_live(1, 2),
                         ino_hashed(INO_IN_VIEW, 1),
                         ino_hashed(INO_IN_DUMP, 1)};
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++)
        for (size_t k = 0; k < i; k++)
            assert_true(all[i] != all[k]);
    assert_int_equal(ino_hashed(INO_IN_VIEW, UINT64_MAX) >> 60, INO_IN_VIEW);
    assert_int_equal(ino_named("any", 3) >> 43, 0);
    assert_true(ino_named("any", 3) >= INO_NAMED);
}

static int let_go;

static void count(void *ctx, void *value)
{
    (void)ctx, (void)value;
    let_go++;
}

static void test_material_is_let_go_in_time(void **state)
{
    (void)state;
    struct materials all;
    struct material m = {0};
    char first, second;
    let_go = 0;
    materials_init(&all, LIFE_DUMP, count, NULL); /* 10 s and 10 s */
    assert_null(material_open(&all, &m));
    material_set(&all, &m, &first);
    time_shift(0, 9 * SECOND_NS);
    materials_expire(&all);
    assert_ptr_equal(material_open(&all, &m), &first);
    time_shift(0, 100 * SECOND_NS);
    materials_expire(&all);
    materials_drop_all(&all);
    material_set(&all, &m, &second); /* it is open: it stays */
    assert_int_equal(let_go, 1);
    assert_ptr_equal(material_open(&all, &m), &first);
    material_close(&all, &m);
    material_close(&all, &m);
    material_set(&all, &m, &second);
    assert_int_equal(let_go, 2);
    time_shift(0, 111 * SECOND_NS);
    materials_expire(&all);
    assert_int_equal(let_go, 3);
    assert_null(material_open(&all, &m));
    material_set(&all, &m, &first);
    material_drop(&all, &m);
    material_drop(&all, &m);
    assert_int_equal(let_go, 4);
    materials_clear(&all);
    time_shift(0, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_node_of_a_kind_and_key),
        cmocka_unit_test(test_kept_by_pins_and_lookups),
        cmocka_unit_test(test_folder_is_pinned),
        cmocka_unit_test(test_threads_find_and_free),
        cmocka_unit_test(test_places_share_no_number),
        cmocka_unit_test(test_material_is_let_go_in_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
