/* SPDX-License-Identifier: MIT */
/* answer_spill: arrays hold what was put into them, in memory, in a file, and after they were cleared, and
 * share the memory and the file; and what fails is told. */
#include "store/points/answer_spill.h"
#include "tests/unit/chance.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define ALL 100000
#define LONGEST 3000
#define NUMBERS 20000

static struct err err;
static struct points_spilled spilled;

/* The growth of a list that fails, by its number; 0: none. */
static size_t allocations, fails_at;

/* A stand-in for that of the library. */
void *reallocarray(void *p, size_t n, size_t size)
{
    return ++allocations == fails_at ? NULL : realloc(p, n * size);
}

static struct answer_spill *new_spill(size_t memory, const char *folder)
{
    struct answer_spill *s = NULL;
    assert_int_equal(answer_spill_new(memory, folder, &spilled, &s), 0);
    return s;
}

static struct answer_array *new_array(struct answer_spill *s, size_t size)
{
    struct answer_array *a = NULL;
    assert_int_equal(answer_array_new(s, size, &a), 0);
    return a;
}

static void put_bytes(struct answer_array *a, uint8_t *bytes)
{
    for (size_t i = 0; i < ALL; i++)
        bytes[i] = (uint8_t)random64();
    for (size_t at = 0; at < ALL;) {
        size_t n = random_bits(11);
        n = n < ALL - at ? n : ALL - at;
        assert_int_equal(answer_array_count(a), at);
        answer_array_put(a, bytes + at, n);
        at += n;
    }
}

/* Reads anywhere, and writes anywhere, in the array and in the copy. */
static void use_bytes(struct answer_array *a, uint8_t *bytes)
{
    uint8_t got[LONGEST];
    for (int i = 0; i < 2000; i++) {
        const size_t n = random64() % LONGEST, at = random64() % (ALL - n);
        answer_array_take(a, at, got, n);
        assert_memory_equal(got, bytes + at, n);
        got[0] = (uint8_t)i;
        answer_array_write(a, at, got, n > 0);
        bytes[at] = n > 0 ? got[0] : bytes[at];
    }
}

static void add_numbers(struct answer_array *a)
{
    for (uint64_t i = 0; i < NUMBERS; i++) {
        const uint64_t number = ~i;
        answer_array_add(a, &number);
    }
    for (uint64_t i = 0; i < NUMBERS; i += 3)
        *(uint64_t *)answer_array_change(a, i) = i;
}

static void check_numbers(struct answer_array *a)
{
    assert_int_equal(answer_array_count(a), NUMBERS);
    for (int k = 0; k < NUMBERS; k++) {
        const uint64_t i = random64() % NUMBERS, *number = answer_array_at(a, i);
        assert_int_equal(*number, i % 3 ? ~i : i);
    }
}

static void test_any_size(void **state)
{
    (void)state;
    static const size_t memory[] = {1, 5000, ALL / 2 + 1, 20 * ALL};
    uint8_t *bytes = malloc(ALL);
    assert_non_null(bytes);
    for (size_t i = 0; i < 4; i++) {
        struct answer_spill *s = new_spill(memory[i], "/tmp");
        struct answer_array *texts = new_array(s, 1), *numbers = new_array(s, sizeof(uint64_t));
        for (int turn = 0; turn < 3; turn++) {
            answer_array_clear(numbers);
            add_numbers(numbers);
            answer_array_clear(texts);
            put_bytes(texts, bytes);
            use_bytes(texts, bytes);
            check_numbers(numbers);
        }
        assert_int_equal(answer_spill_check(s, &err), 0);
        const uint64_t file = spilled.bytes;
        assert_true(i < 3 ? file >= ALL / 2 : file == 0);
        /* What another array had in the file is used again. */
        answer_array_free(numbers);
        numbers = new_array(s, sizeof(uint64_t));
        add_numbers(numbers);
        check_numbers(numbers);
        use_bytes(texts, bytes);
        assert_int_equal(spilled.bytes, file);
        answer_array_free(texts);
        answer_array_free(numbers);
        answer_spill_free(s);
        assert_int_equal(spilled.bytes, 0);
        assert_true(spilled.most >= file);
    }
    free(bytes);
}

/* What an array does not have is an error, and later reads give zeros. */
static void test_beyond(void **state)
{
    (void)state;
    struct answer_spill *s = new_spill(1 << 20, "/tmp");
    struct answer_array *a = new_array(s, 1);
    uint8_t got[4] = "xyz";
    answer_array_put(a, "abc", 3);
    answer_array_take(a, 1, got, 2);
    assert_memory_equal(got, "bcz", 4);
    answer_array_take(a, UINT64_MAX, got, 2);
    assert_memory_equal(got, "\0\0z", 4);
    assert_int_equal(answer_spill_check(s, &err), -EIO);
    assert_string_equal(err.text, "a temporary file in /tmp: Input/output error");
    answer_array_free(a);
    answer_spill_free(s);
}

/* What fits needs no folder; what does not names it. */
static void test_no_folder(void **state)
{
    (void)state;
    static const uint8_t bytes[8192];
    struct answer_spill *s = new_spill(4096, "/none");
    struct answer_array *a = new_array(s, 1);
    uint8_t got = 1;
    answer_array_put(a, bytes, 4096);
    assert_int_equal(answer_spill_check(s, &err), 0);
    answer_array_put(a, bytes, 1);
    assert_int_equal(answer_spill_check(s, &err), -ENOENT);
    assert_string_equal(err.text, "a temporary file in /none: No such file or directory");
    answer_array_put(a, bytes, sizeof(bytes));
    answer_array_take(a, sizeof(bytes), &got, 1);
    assert_int_equal(answer_spill_check(s, NULL), -ENOENT);
    answer_array_free(a);
    answer_spill_free(s);
    assert_int_equal(spilled.bytes, 0);
}

/* When memory runs out, what was there stays or reads as zeros, and what is put down is lost. */
static void test_no_memory(void **state)
{
    (void)state;
    for (fails_at = 1; fails_at < 200; fails_at++) {
        struct answer_spill *s = new_spill(1 << 16, "/tmp");
        struct answer_array *a = new_array(s, sizeof(uint64_t));
        allocations = 0;
        for (uint64_t i = 0; i < NUMBERS; i++)
            answer_array_add(a, &i);
        answer_array_extend(a, NUMBERS);
        for (uint64_t i = 0; i < 2 * NUMBERS; i += 7) {
            const uint64_t had = *(const uint64_t *)answer_array_at(a, i);
            assert_true(had == 0 || had == i);
            *(uint64_t *)answer_array_change(a, i) = i;
        }
        const size_t all = allocations;
        assert_int_equal(answer_spill_check(s, NULL), all < fails_at ? 0 : -ENOMEM);
        answer_array_free(a);
        answer_spill_free(s);
        if (all < fails_at)
            break;
    }
    assert_in_range(fails_at, 5, 199);
    fails_at = 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_beyond),
        cmocka_unit_test(test_no_folder),
        cmocka_unit_test(test_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
