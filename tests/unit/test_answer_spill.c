/* SPDX-License-Identifier: MIT */
/* answer_spill: what was put down is read back from any place, in memory, from a file, and again. */
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

static struct err err;

static void fill(uint8_t *bytes)
{
    for (size_t i = 0; i < ALL; i++)
        bytes[i] = (uint8_t)random64();
}

static void put_down(struct answer_spill *s, const uint8_t *bytes)
{
    for (size_t at = 0; at < ALL;) {
        size_t n = random_bits(11);
        n = n < ALL - at ? n : ALL - at;
        assert_int_equal(answer_spill_size(s), at);
        assert_int_equal(answer_spill_add(s, bytes + at, n, &err), 0);
        at += n;
    }
}

static void look_at(struct answer_spill *s, const uint8_t *bytes)
{
    uint8_t got[LONGEST];
    for (int i = 0; i < 2000; i++) {
        const size_t n = random64() % LONGEST, at = random64() % (ALL - n);
        assert_int_equal(answer_spill_read(s, at, got, n, &err), 0);
        assert_memory_equal(got, bytes + at, n);
    }
    assert_int_equal(answer_spill_read(s, ALL - 1, got, 1, &err), 0);
    assert_int_equal(answer_spill_read(s, ALL - 1, got, 2, &err), -EIO);
    assert_int_equal(answer_spill_read(s, UINT64_MAX, got, 2, &err), -EIO);
}

static void test_any_size(void **state)
{
    (void)state;
    static const size_t memory[] = {1, 5000, ALL / 2 + 1, ALL, 10 * ALL};
    static const size_t places[] = {0, 10, 1000000};
    uint8_t *bytes = malloc(ALL);
    assert_non_null(bytes);
    for (size_t i = 0; i < 5; i++) {
        struct answer_spill *s = NULL;
        assert_int_equal(answer_spill_new(memory[i], "/tmp", &s), 0);
        for (size_t turn = 0; turn < 3; turn++) {
            fill(bytes);
            put_down(s, bytes);
            assert_int_equal(answer_spill_look(s, places[turn], &err), 0);
            assert_int_equal(answer_spill_size(s), ALL);
            look_at(s, bytes);
            answer_spill_clear(s);
            assert_int_equal(answer_spill_size(s), 0);
        }
        answer_spill_free(s);
    }
    free(bytes);
}

/* What fits needs no folder; what does not names it. */
static void test_no_folder(void **state)
{
    (void)state;
    static const uint8_t bytes[8192];
    struct answer_spill *s = NULL;
    assert_int_equal(answer_spill_new(4096, "/none", &s), 0);
    assert_int_equal(answer_spill_add(s, bytes, 4096, &err), 0);
    assert_int_equal(answer_spill_look(s, 1, &err), 0);
    assert_int_equal(answer_spill_add(s, bytes, 1, &err), -ENOENT);
    assert_string_equal(err.text, "a temporary file in /none: No such file or directory");
    answer_spill_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_no_folder),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
