/* SPDX-License-Identifier: MIT */
/* remote_words: what rclone 1.60.1 was seen to say, as one line and as an error. */
#include "mount-helper/nightly/remote_words.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define DATE "2026/11/26 14:45:04 "

static void assert_words(const char *text, int exit_code, const char *words, int code)
{
    char got[REMOTE_WORDS];
    remote_words(text, exit_code, got);
    assert_string_equal(got, words);
    if (remote_words_code(got, NULL, exit_code) != code)
        fail_msg("%s: is %d", words, remote_words_code(got, NULL, exit_code));
}

static void test_swift(void **arg)
{
    (void)arg;
    assert_words(DATE
                 "ERROR : : error listing: directory not found\n" DATE
                 "Failed to lsjson with 2 errors: last error was: error in ListJSON: directory "
                 "not found\n",
                 3, "directory not found", -ENOENT);
    assert_words(DATE "ERROR : x: Post request put error: Operation forbidden\n" DATE
                      "Failed to rcat with 2 errors: last error was: Operation forbidden\n",
                 1, "Operation forbidden", -EACCES);
    assert_words(DATE "Failed to create file system for \"swift:c1\": Authorization Failed\n", 1,
                 "Authorization Failed", -EACCES);
    assert_words(DATE "Failed to rcat with 2 errors: last error was: Too Large Object\n", 1,
                 "Too Large Object", -ENOSPC);
    assert_words(DATE "Failed to create file system for \"swift:\": Get "
                      "\"http://127.0.0.1:30663/auth/v1.0\": dial tcp 127.0.0.1:30663: connect: "
                      "connection refused\n",
                 1,
                 "Get \"http://127.0.0.1:30663/auth/v1.0\": dial tcp 127.0.0.1:30663: connect: "
                 "connection refused",
                 -EAGAIN);
    assert_words(DATE "ERROR : a: Couldn't delete: HTTP Error: 503: 503 Service Unavailable\n", 1,
                 "a: Couldn't delete: HTTP Error: 503: 503 Service Unavailable", -EAGAIN);
    assert_words(DATE "ERROR : x: Post request put error: Object Corrupted\n" DATE
                      "Failed to rcat with 2 errors: last error was: Object Corrupted\n",
                 1, "Object Corrupted", -EBADMSG);
    assert_words(DATE "Failed to rmdir: Container Not Empty\n", 1, "Container Not Empty",
                 -ENOTEMPTY);
}

static void test_s3(void **arg)
{
    (void)arg;
    assert_words(DATE "ERROR : Attempt 1/1 failed with 1 errors and: AccessDenied: Access Denied.\n"
                      "\tstatus code: 403, request id: tx7a, host id: tx7a\n" DATE
                      "Failed to mkdir: AccessDenied: Access Denied.\n"
                      "\tstatus code: 403, request id: tx7a, host id: tx7a\n",
                 1, "AccessDenied: Access Denied. status code: 403", -EACCES);
    assert_words(DATE
                 "Failed to rcat with 2 errors: last error was: EntityTooLarge: Upload exceeds "
                 "quota.\n\tstatus code: 400, request id: tx3d\n",
                 1, "EntityTooLarge: Upload exceeds quota. status code: 400", -ENOSPC);
    assert_words(DATE "Failed to lsjson: Get \"http://a/v1\": net/http: timeout awaiting response "
                      "headers\n",
                 1, "Get \"http://a/v1\": net/http: timeout awaiting response headers", -EAGAIN);
    assert_words(
        DATE "NOTICE: S3 bucket b path c: Warning: running mkdir does nothing\n" DATE
             "Failed to mkdir: RequestError: send request failed\n"
             "caused by: Put \"http://a/b\": read: connection reset by peer\n",
        1,
        "RequestError: send request failed caused by: Put \"http://a/b\": read: connection "
        "reset by peer",
        -EAGAIN);
    assert_words(DATE "Failed to rmdir: NoSuchBucket: The specified bucket does not exist.\n"
                      "\tstatus code: 404, request id: txe7\n",
                 1, "NoSuchBucket: The specified bucket does not exist. status code: 404", -ENOENT);
}

static void test_rclone_itself(void **arg)
{
    (void)arg;
    assert_words(
        "Error: unknown flag: --nope\nUsage:\n  rclone lsjson remote:path [flags]\n\nFlags:\n"
        "  -h, --help   help\n\nUse \"rclone help\" for more.\n\n" DATE
        "Fatal error: unknown flag: --nope\n",
        1, "unknown flag: --nope", -EIO);
    assert_words("Error: unknown flag: --nope\nUsage:\n  rclone\n", 1, "unknown flag: --nope",
                 -EIO);
    assert_words(DATE "Failed to create file system for \"nope:\": didn't find section in config "
                      "file\n",
                 1, "didn't find section in config file", -ENOEXEC);
    assert_words(DATE "NOTICE: Config file \"/x\" not found - using defaults\n", 137,
                 "rclone was ended by signal 9", -EIO);
    assert_words("", 9, "rclone ended with exit code 9 and said nothing", -EIO);
    assert_words("\n \n", 1, "rclone ended with exit code 1 and said nothing", -EIO);
    assert_words("/usr/bin/rclone: something\nof the loader\n", 1, "of the loader", -EIO);
    assert_words("panic: runtime error: x\n\ngoroutine 1 [running]:\n", 2,
                 "panic: runtime error: x goroutine 1 [running]:", -EIO);
}

/* What a local disk says, whose paths may hold any word. */
static void test_folder(void **arg)
{
    (void)arg;
    assert_words(DATE "Failed to rcat with 2 errors: last error was: write /srv/quota/x: no space "
                      "left on device\n",
                 1, "write /srv/quota/x: no space left on device", -ENOSPC);
    assert_words(DATE "Failed to rcat: mkdir /srv/quota: permission denied\n", 1,
                 "mkdir /srv/quota: permission denied", -EACCES);
    assert_words(DATE "Failed to rcat: open /srv/EOF: is a directory\n", 1,
                 "open /srv/EOF: is a directory", -EIO);
}

/* Names are no words of an error. */
static void test_names(void **arg)
{
    (void)arg;
    static const struct {
        const char *words, *path;
        int exit_code, code;
    } cases[] = {
        {"Get \"http://h/d/NoSuchKey\": dial tcp 10.0.0.1:80: connect: connection refused",
         "d/NoSuchKey", 1, -EAGAIN},
        {"open /srv/d/NoSuchKey/x: is a directory", "d/NoSuchKey/x", 1, -EIO},
        {"NoSuchKey: Couldn't delete: Operation forbidden", "d/NoSuchKey", 1, -EACCES},
        {"connection refused: broken", "d/connection refused", 1, -EIO},
        {"quota exceeded.gz: connection reset by peer", "d/quota exceeded.gz", 1, -EAGAIN},
        {"d: connection refused", "connection refused/d", 1, -EAGAIN},
        {"directory not found", "AccessDenied", 3, -ENOENT},
        {"AccessDenied: directory not found", "", 3, -ENOENT},
        {"a lone \" and Operation forbidden", NULL, 1, -EACCES},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        const int code = remote_words_code(cases[i].words, cases[i].path, cases[i].exit_code);
        if (code != cases[i].code)
            fail_msg("%s: is %d", cases[i].words, code);
    }
}

static void test_secrets(void **arg)
{
    (void)arg;
    char shown[64];
    assert_words(DATE "Failed to cat: Get \"https://joe:hunter2@host/x?X-Amz-Signature=abc&b=1\": "
                      "broken\n",
                 1, "Get \"https://***@host/x?X-Amz-Signature=***&b=1\": broken", -EIO);
    assert_words(DATE "Failed to create file system for \":s3,secret_access_key='a:b c',x=y:b\": "
                      "nope\n",
                 1, "nope", -EIO);
    assert_words(DATE "ERROR : :s3,secret_access_key='a:b c',x=y:b: cannot\n", 1,
                 ":s3,***:b: cannot", -EIO);
    remote_words_name(":swift,key=secret,user=joe:c/d", shown, sizeof(shown));
    assert_string_equal(shown, ":swift,***:c/d");
    remote_words_name("swift,key=\"x:y\":", shown, sizeof(shown));
    assert_string_equal(shown, "swift,***:");
    remote_words_name("swift:c/d, e", shown, sizeof(shown));
    assert_string_equal(shown, "swift:c/d, e");
}

/* Any length and any bytes. */
static void test_long(void **arg)
{
    (void)arg;
    char text[4096], got[REMOTE_WORDS];
    for (unsigned n = 0; n < 1200; n++) {
        snprintf(text, sizeof(text), DATE "Failed to x: %*s://u:%*s@h,k=v:%*s\n", (int)n, "a",
                 (int)n, "p", (int)n, "\x01\xff");
        remote_words(text, 1, got);
        assert_true(strlen(got) < REMOTE_WORDS);
        assert_null(strstr(got, "k=v"));
    }
    memset(text, ',', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    remote_words(text, 1, got);
    assert_true(strlen(got) < REMOTE_WORDS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_swift),         cmocka_unit_test(test_s3),
        cmocka_unit_test(test_rclone_itself), cmocka_unit_test(test_folder),
        cmocka_unit_test(test_secrets),       cmocka_unit_test(test_long),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
