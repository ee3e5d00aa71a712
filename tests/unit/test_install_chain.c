/* SPDX-License-Identifier: MIT */
/* A number takes the place of the store that it builds on, whenever it is killed. */
#include "tests/unit/kill.h"

static void test_kill_chain(void **state)
{
    (void)state;
    kill_everywhere(CHAIN);
}

static void test_kill_chain_mounted(void **state)
{
    (void)state;
    if (!private_mounts()) {
        print_message("needs root and private mounts, which a bare chroot does not allow\n");
        skip();
    }
    kill_everywhere(CHAIN_MOUNTED);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_chain),
        cmocka_unit_test(test_kill_chain_mounted),
    };
    int r = kill_main(argc, argv);
    return r >= 0 ? r : cmocka_run_group_tests(tests, NULL, NULL);
}
