/* SPDX-License-Identifier: MIT */
/* remote_sweep: which of what lies beside objects is removed, by a script in the place of rclone. */
#include "tests/unit/fake_rclone.h"

static bool is_ours(void *ctx, const char *name)
{
    (void)ctx;
    return *name == 'a';
}

static int sweep(const char *kind, const char *body, struct err *e)
{
    write_text("swept", "");
    setenv("kind", kind, 1);
    struct remote *r = opened(body);
    const int code = remote_sweep(r, "day", is_ours, NULL, e);
    remote_close(r);
    unsetenv("kind");
    return code;
}

static void assert_swept(const char *expected)
{
    char text[256];
    FILE *f = fopen(in_home("swept"), "r");
    assert_non_null(f);
    text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
    fclose(f);
    assert_string_equal(text, expected);
}

/* The listing shows a1 only; a2 is there all the same, its listing is older; a3 is what was left; b is not
 * ours. */
#define SEGMENTS                                                                                   \
    "folder() { printf '{\"Name\":\"%s\",\"Size\":-1,\"IsDir\":true}'\"$2\"'\\n' \"$1\"; }\n"      \
    "object() { printf '{\"Name\":\"%s\",\"Size\":9,\"IsDir\":false}\\n' \"$1\"; }\n"              \
    "case \"$1 $2 $last\" in\n"                                                                    \
    "'lsjson --stat 'fake:day/a2) object a2;;\n"                                                   \
    "'lsjson --stat '*) folder '';;\n"                                                             \
    "lsjson*day_segments) echo '['; folder a1 ,; folder a2 ,; folder a3 ,; folder b; echo ']';;\n" \
    "lsjson*day) echo '['; object a1; echo ']';;\n"                                                \
    "purge*) echo $last >>$d/swept;;\n"                                                            \
    "esac"

static void test_segments(void **arg)
{
    (void)arg;
    struct err e = {0};
    if (sweep("Swift container day", SEGMENTS, &e) < 0)
        fail_msg("%s", e.text);
    assert_swept("fake:day_segments/a3\n");
}

static void test_segments_no_answer(void **arg)
{
    (void)arg;
    struct err e = {0};
    assert_int_equal(sweep("Swift container day",
                           "[ \"$2\" = --stat ] && { echo '2026/01/02 03:04:05 Failed to lsjson: "
                           "connection refused' >&2; exit 1; }\n" SEGMENTS,
                           &e),
                     -EAGAIN);
    assert_swept("");
}

/* Uploads whose keys a store answers with may be anything. */
static void test_uploads(void **arg)
{
    (void)arg;
    struct err e = {0};
    if (sweep("S3 bucket day",
              "case \"$1 $2\" in\n"
              "lsjson*) printf '[\\n]\\n';;\n"
              "'backend list-multipart-uploads') echo '{\"day\":[null,3,[],{},{\"Key\":null},"
              "{\"Key\":7},{\"Key\":\"\"},{\"Key\":\"a1\"},{\"Key\":\"a/b\"},{\"Key\":\"b\"},"
              "{\"Key\":\"a2\"},{\"Key\":\"a2b\"}],\"x\":null}';;\n"
              "'backend cleanup') echo $last >>$d/swept;;\n"
              "esac",
              &e) < 0)
        fail_msg("%s", e.text);
    assert_swept("fake:day/a1\nfake:day/a2\nfake:day/a2b\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_segments),
        cmocka_unit_test(test_segments_no_answer),
        cmocka_unit_test(test_uploads),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
