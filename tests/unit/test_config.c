/* SPDX-License-Identifier: MIT */
/* config: which folders an influxdb.conf, a folder, the environment and the options give. */
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/config.h"
#include "store/influx/envfile.h"
#include "store/influx/toml.h"
#include "tests/unit/wipe.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static char root[64];

static int set_up(void **state)
{
    (void)state;
    strcpy(root, "/tmp/influxfs-config-XXXXXX");
    return mkdtemp(root) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return wipe(root);
}

static char *below(const char *rel)
{
    static char path[256];
    snprintf(path, sizeof(path), "%s/%s", root, rel);
    return path;
}

static char *write_file(const char *rel, const char *text, size_t len)
{
    int fd = open(below(rel), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(io_write_all(fd, text, len), 0);
    assert_int_equal(io_close(&fd), 0);
    return below(rel);
}

struct variables {
    char text[256];
};

static int note_variable(void *arg, const char *variable, const char *value)
{
    struct variables *v = arg;
    size_t n = strlen(v->text);
    assert_true(*variable == 'A' || *variable == 'B');
    if (*variable == 'A' && v->text[0] == 'A') /* set again */
        n = 0;
    snprintf(v->text + n, sizeof(v->text) - n, "%s=%s|", variable, value);
    return 0;
}

/* What systemd 252 gave the process of a unit, with each of these files as its EnvironmentFile=;
 * NULL: nothing, since it ignored the whole file. */
static void test_environment_files(void **state)
{
#define T(text) text, sizeof(text) - 1
    static const struct {
        const char *text;
        size_t len;
        const char *variables;
    } all[] = {
        {T("A=/srv/a\n"), "A=/srv/a|"},
        {T("A = /srv/a\n"), "A=/srv/a|"},
        {T("  A=/srv/a  \n"), "A=/srv/a|"},
        {T("A=/srv/a"), "A=/srv/a|"},
        {T("A=/srv/a\r\nB=/b\r\n"), "A=/srv/a|B=/b|"},
        {T("A=\n"), "A=|"},
        {T("A=/x\nA=\n"), "A=|"},
        {T("export A=/srv/a\n"), ""},
        {T("export  A = /srv/a\n"), ""},
        {T("#A=/x\n"), ""},
        {T(";A=/x\n"), ""},
        {T("  # A=/x\n"), ""},
        {T("# c \\\nA=/srv/a\n"), ""},
        {T("# c \\\\\nA=/srv/a\n"), "A=/srv/a|"},
        {T("A=/srv/a # no\n"), "A=/srv/a # no|"},
        {T("A=/srv/a#b\n"), "A=/srv/a#b|"},
        {T("A=/sr\\\nv/a\n"), "A=/srv/a|"},
        {T("A=\\\n/srv/a\n"), "A=/srv/a|"},
        {T("A=/srv/a\\\nB=/b\n"), "A=/srv/aB=/b|"},
        {T("A=/srv\\ a\n"), "A=/srv a|"},
        {T("A=\\/srv\\n\\t\n"), "A=/srvnt|"},
        {T("A=/srv/a\\"), "A=/srv/a|"},
        {T("A=/srv/a  \\\n  b\n"), "A=/srv/a    b|"},
        {T("A='/srv/a'\n"), "A=/srv/a|"},
        {T("A=\"/srv/a\"\n"), "A=/srv/a|"},
        {T("A=\"a\"b\n"), "A=ab|"},
        {T("A=\"a\" b\n"), "A=ab|"},
        {T("A=\"a\" \"b\"\n"), "A=ab|"},
        {T("A=\"a\"'b'\n"), "A=ab|"},
        {T("A=a\"b\"\n"), "A=a\"b\"|"},
        {T("A=a'b'c\n"), "A=a'b'c|"},
        {T("A= \"/a b \" \n"), "A=/a b |"},
        {T("A=\"/a\nb\"\nB=c\n"), "A=/a\nb|B=c|"},
        {T("A='/a\nb'\nB=c\n"), "A=/a\nb|B=c|"},
        {T("A='a\\\nb'\n"), "A=a\\\nb|"},
        {T("A=\"a\\\nb\"\n"), "A=ab|"},
        {T("A=\"a\\\"b\\\\c\\$d\\`e\\nf\\'\"\n"), "A=a\"b\\c$d`e\\nf\\'|"},
        {T("A='a\\'\n"), "A=a\\|"},
        {T("A=\"/srv/a\nB=c\n"), "A=/srv/a\nB=c\n|"},
        {T("A='/srv/a\nB=c"), "A=/srv/a\nB=c|"},
        {T("A=\"/srv/a  "), "A=/srv/a  |"},
        {T("A=\"/a\" \\\nb\n"), "A=/ab|"},
        {T("A=\"a\"\\\n"), "A=a|"},
        {T("1A=x\nA=y\n"), "A=y|"},
        {T("A-B=x\nA=y\n"), "A=y|"},
        {T("A\n=x\n"), ""},
        {T("=x\nA=y\n"), "A=y|"},
        {T("A\nB=x\n"), "B=x|"},
        {T("A B=x\n"), ""},
        {T("A=x=y\n"), "A=x=y|"},
        {T("A==x\n"), "A==x|"},
        {T("A=$B ${B} %n\n"), "A=$B ${B} %n|"},
        {T("A=\tx\t\n"), "A=x|"},
        {T("A=x\ty\n"), "A=x\ty|"},
        {T("A=\"x\001\"\nB=c\n"), "A=x\001|B=c|"},
        {T("A=caf\303\251\n"), "A=caf\303\251|"},
        {T("A=caf\351\nB=c\n"), NULL},
        {T("A=x\000\nB=c\n"), NULL},
        {T("B=\377\nA=x\n"), NULL},
        {T("\357\273\277A=x\nB=c\n"), "B=c|"},
        {T("A\t=x\n"), "A=x|"},
        {T("A=a\\"), "A=a|"},
        {T("A=\"a\\"), "A=a|"},
        {T("A='"), "A=|"},
        {T("A"), ""},
        {T("A="), "A=|"},
        {T("A= \\\n"), "A=|"},
        {T("A=x\013y\n"), "A=x\013y|"},
        {T("A=x\014\n"), "A=x\014|"},
        {T("A=b\"c d\"e\n"), "A=b\"c d\"e|"},
        {T("A=b \"c\" \n"), "A=b \"c\"|"},
        {T("A=x\n\nB=y"), "A=x|B=y|"},
        {T("A=\"\"\n"), "A=|"},
        {T("A=''b\n"), "A=b|"},
        {T("A=\"x\"\ty\n"), "A=xy|"},
        {T("A=\"x\"#y\n"), "A=x#y|"},
        {T("A=\"x\" #y\n"), "A=x#y|"},
        {T("A=\"x\";y\n"), "A=x;y|"},
        {T("A=~/x\n"), "A=~/x|"},
        {T("A=x\177\n"), "A=x\177|"},
        {T("\\\nA=x\n"), "A=x|"},
        {T("A\\\nB=x\n"), "B=x|"},
        {T("B\\=c\nA=x\n"), "A=x|"},
        {T("A=\360\237\230\200\n"), "A=\360\237\230\200|"},
        {T("A=\355\240\200\nB=c\n"), NULL},
        {T("A=\357\277\276\nB=c\n"), NULL},
        {T("A=\302\205x\nB=c\n"), "A=\302\205x|B=c|"},
        {T("A='x\177'\nB=c\n"), "A=x\177|B=c|"},
        {T("# \377\nA=x\n"), "A=x|"},
        {T("A=x\\\r\ny\n"), "A=x|"},
        {T("A=\"x\r\ny\"\n"), "A=x\r\ny|"},
        {T("A=\"x\\\r\ny\"\n"), "A=x\\\r\ny|"},
    };
#undef T
    (void)state;
    for (size_t i = 0; i < sizeof(all) / sizeof(*all); i++) {
        struct variables got = {0};
        struct err e = {0};
        int r = envfile_read(all[i].text, all[i].len, "FILE", note_variable, &got, &e);
        if (r != (all[i].variables ? 0 : -EINVAL) ||
            (r == 0 && strcmp(got.text, all[i].variables) != 0))
            fail_msg("%s: %d, %s, %s", all[i].text, r, got.text, e.text);
        if (r < 0)
            assert_non_null(strstr(e.text, "FILE:1: "));
    }
}

/* The environment file of the package's service. */
static void test_defaults(void **state)
{
    (void)state;
    static const char text[] = "# INFLUXDB_META_DIR=/comment\n"
                               "INFLUXD_OPTS=\"-pidfile /x\"\n"
                               "INFLUXDB_DATA_DIR=/first\n"
                               "  INFLUXDB_DATA_DIR = /last\n"
                               "INFLUXDB_DATA_WAL_DIR='/with space/w' \r\n"
                               "export INFLUXDB_DATA_DIR=\"/exported\"\n"
                               "INFLUXDB_META_DIRS=/x\n"
                               "INFLUXDB_META_DIR=\"";
    static const char emptied[] = "INFLUXDB_DATA_DIR=/x\nINFLUXDB_DATA_DIR=\n";
    static const char unclosed[] = "INFLUXDB_DATA_DIR=\"/x\nINFLUXDB_META_DIR=/m\n";
    struct store_paths p = {0};
    struct err e = {0};
    assert_int_equal(config_parse_defaults(text, sizeof(text) - 1, "FILE", &p, NULL), 0);
    assert_null(p.meta);
    assert_string_equal(p.data, "/last");
    assert_string_equal(p.wal, "/with space/w");
    assert_int_equal(config_parse_defaults(emptied, sizeof(emptied) - 1, "FILE", &p, NULL), 0);
    assert_string_equal(p.data, "/last");
    assert_int_equal(config_parse_defaults(unclosed, sizeof(unclosed) - 1, "FILE", &p, &e),
                     -EINVAL);
    assert_non_null(strstr(e.text, "FILE: INFLUXDB_DATA_DIR holds a line break"));
    assert_string_equal(p.data, "/last");
    store_paths_free(&p);
    assert_int_equal(config_parse_defaults(text, 5, "FILE", &p, NULL), 0);
    assert_null(p.meta);
    store_paths_free(&p);
}

static void parses_to(const char *text, const char *meta, const char *data, const char *wal)
{
    static const char none[] = "(none)";
    struct store_paths p;
    struct err e = {0};
    if (config_parse(text, strlen(text), "t.conf", &p, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(p.meta ? p.meta : none, meta ? meta : none);
    assert_string_equal(p.data ? p.data : none, data ? data : none);
    assert_string_equal(p.wal ? p.wal : none, wal ? wal : none);
    assert_null(p.config);
    store_paths_free(&p);
}

static void refuses(const char *text, const char *words)
{
    struct store_paths p = {.meta = (char *)"untouched"};
    struct err e = {0};
    assert_int_equal(config_parse(text, strlen(text), "t.conf", &p, &e), -EINVAL);
    if (!strstr(e.text, words))
        fail_msg("\"%s\" is not in \"%s\"", words, e.text);
    assert_string_equal(p.meta, "untouched");
    assert_int_equal(config_parse(text, strlen(text), "t.conf", &p, NULL), -EINVAL);
}

static void test_plain(void **state)
{
    (void)state;
    parses_to("", NULL, NULL, NULL);
    parses_to("[meta]\ndir=\"/m\"\n[data]\ndir=\"/d\"\nwal-dir=\"/w\"", "/m", "/d", "/w");
    parses_to("\xef\xbb\xbf# it\r\nreporting-disabled = true\r\n\r\n  [ meta ]  # here\r\n"
              "  dir = '/m' # x\r\n[\tdata\t]\r\nwal-dir\t=\t\"/w\"\r\n  dir = \"/d\"\r\n",
              "/m", "/d", "/w");
    parses_to("[Meta]\nDIR=\"/m\"\n[data]\ndir=\"\"\n", "/m", NULL, NULL);
}

static void test_keys(void **state)
{
    (void)state;
    parses_to("meta.dir = '/m'\ndata . \"dir\" = '/d'\n'data'.wal-dir='/w'", "/m", "/d", "/w");
    parses_to("meta = { dir = '/m', x = [ { dir = '/no' } ] }\ndata = {dir='/d','wal-dir'=\"/w\"}",
              "/m", "/d", "/w");
    parses_to("\"meta.dir\" = '/no'\ndir = '/no'\n[http]\ndir='/no'\n[meta.sub]\ndir='/no'\n"
              "[[data]]\ndir='/no'\n[data]\nx.dir='/no'\n",
              NULL, NULL, NULL);
}

static void test_strings(void **state)
{
    (void)state;
    parses_to("meta.dir = \"/a\\\\b\\\"c\\td\\u00e9\\U0001F600\"", "/a\\b\"c\td\u00e9\U0001F600",
              NULL, NULL);
    parses_to("meta.dir = '/a\\b\"'", "/a\\b\"", NULL, NULL);
    parses_to("meta.dir = \"\"\"\n/a\\\n   \n  /b\"c\"\"\"\"", "/a/b\"c\"", NULL, NULL);
    parses_to("meta.dir = '''/x''y'''", "/x''y", NULL, NULL);
    parses_to("meta.dir = \"/a#b\" # c\n", "/a#b", NULL, NULL);
}

/* A folder's name is any bytes. */
static void test_latin1(void **state)
{
    (void)state;
    parses_to("[meta]\ndir = \"/m\xe9ta\"\n[data]\ndir = '/d\xff'\n", "/m\xe9ta", "/d\xff", NULL);
}

static void test_passed_over(void **state)
{
    (void)state;
    parses_to(
        "a = [ 1, 2.5e+3, \"x]\", 'y', # c ]\n [ true, [] ], {b = [\"\"\"\n[data]\n\"\"\"]}\n,]\n"
        "t = 1979-05-27T07:32:00.5-07:00\n[[graphite]]\n  templates = [\n    \"*.app env\",\n"
        "    'x',\n  ]\n[[udp]]\n[meta]\nnote = '''\n[data]\ndir = '/no'\n'''\ndir = '/m'",
        "/m", NULL, NULL);
}

static void test_refused(void **state)
{
    (void)state;
    refuses("[meta]\n\ndir = /var/lib\n", "t.conf:3:");
    refuses("[meta\ndir = 'x'\n", "t.conf:1:");
    refuses("[meta] dir = 'x'\n", "t.conf:1:");
    refuses("\n\n= 'x'\n", "t.conf:3:");
    refuses("meta.dir 'x'", "t.conf:1:");
    refuses("meta..dir = 'x'", "t.conf:1:");
    refuses("[meta]\ndir = \"x\ny\"\n", "without an end");
    refuses("meta.dir = 'x", "without an end");
    refuses("meta.dir = '''x\n\n", "t.conf:3:");
    refuses("meta.dir = \"\\q\"", "escape");
    refuses("meta.dir = \"\\u0000\"", "no character");
    refuses("meta.dir = \"\\ud800\"", "no character");
    refuses("meta.dir = \"\\u12\"", "digits");
    refuses("meta.dir = \"a\x01\"", "control");
    refuses("meta.dir = [1 2]", "comma");
    refuses("meta.dir = ", "value");
    refuses("meta.dir = 5", "must be a string");
    refuses("meta.dir = ['x']", "must be a string");
    refuses("meta.dir = 'a'\nmeta.dir = 'b'", "second time");
    refuses("bolt-path: /x\n", "t.conf:1:");
}

static void test_hostile(void **state)
{
    (void)state;
    char deep[4096];
    memset(deep, '[', sizeof(deep) - 1);
    memcpy(deep, "a=", 2);
    deep[sizeof(deep) - 1] = 0;
    refuses(deep, "nested");
    memset(deep, 'k', sizeof(deep) - 1);
    refuses(deep, "expected");
    for (size_t i = 1; i < 200; i += 2)
        deep[i] = '.';
    refuses(deep, "parts");
    /* Every cut and every changed byte of a file ends without harm, whatever the verdict. */
    static const char text[] =
        "\xef\xbb\xbf[meta]\ndir = \"\\u00e9\\\\\"\n[[x]]\na = [1, {b = '''\n'''}]\n"
        "[data]\ndir = \"\"\"\\\n /d\"\"\"\nwal-dir = 'w' # c\r\n";
    for (size_t i = 0; i < sizeof(text); i++)
        for (int c = 0; c < 256; c++) {
            autofree char *copy = malloc(sizeof(text));
            struct store_paths p = {0};
            memcpy(copy, text, sizeof(text));
            copy[i] = (char)c;
            config_parse(copy, c ? sizeof(text) - 1 : i, "t", &p, NULL);
            store_paths_free(&p);
        }
}

static void loads_to(const char *store, const struct store_paths *override, const char *meta,
                     const char *data, const char *wal, const char *config)
{
    struct store_paths p;
    struct err e = {0};
    if (config_load(store, override, &p, &e) < 0)
        fail_msg("%s", e.text);
    assert_string_equal(p.meta, meta);
    assert_string_equal(p.data, data);
    assert_string_equal(p.wal, wal);
    assert_string_equal(p.config ? p.config : "", config);
    store_paths_free(&p);
}

static void load_refuses(const char *store, int code, const char *words)
{
    struct store_paths p;
    struct err e = {0};
    assert_int_equal(config_load(store, NULL, &p, &e), code);
    if (!strstr(e.text, words) || !strstr(e.text, store))
        fail_msg("\"%s\" is not in \"%s\"", words, e.text);
}

static void test_folder(void **state)
{
    (void)state;
    char want[3][128];
    static const char *const names[] = {"meta", "data", "wal"};
    for (int i = 0; i < 3; i++)
        snprintf(want[i], sizeof(want[i]), "%s/%s", root, names[i]);
    setenv("INFLUXDB_DATA_DIR", "/env", 1);
    loads_to(root, NULL, want[0], want[1], want[2], "");
    loads_to(below("//"), NULL, want[0], want[1], want[2], "");
    loads_to("/", NULL, "/meta", "/data", "/wal", "");
    struct store_paths o = {.data = (char *)"/o//", .wal = (char *)"/"};
    loads_to(root, &o, want[0], "/o", "/", "");
    unsetenv("INFLUXDB_DATA_DIR");
    load_refuses(below("none"), -ENOENT, "No such file");
}

static void test_file(void **state)
{
    (void)state;
    static const char text[] = "[meta]\ndir='/m/'\n[data]\ndir='/d'\nwal-dir='/w'\n";
    char conf[128], cwd[4096], want[8192];
    strcpy(conf, write_file("influxdb.conf", text, strlen(text)));
    loads_to(conf, NULL, "/m", "/d", "/w", conf);
    setenv("INFLUXDB_DATA_DIR", "/env", 1);
    setenv("INFLUXDB_DATA_WAL_DIR", "/envwal", 1);
    setenv("INFLUXDB_META_DIR", "", 1);
    struct store_paths o = {.wal = (char *)"rel/"};
    assert_non_null(getcwd(cwd, sizeof(cwd)));
    snprintf(want, sizeof(want), "%s/rel", cwd);
    loads_to(conf, &o, "/m", "/env", want, conf);
    unsetenv("INFLUXDB_DATA_DIR");
    unsetenv("INFLUXDB_DATA_WAL_DIR");
    unsetenv("INFLUXDB_META_DIR");
    load_refuses(write_file("a", "[meta]\ndir='/m'\n[data]\ndir='/d'", 31), -EINVAL,
                 "wal-dir in [data]");
    load_refuses(write_file("a", "[data]\nwal-dir='/m'\ndir='/d'", 28), -EINVAL, "dir in [meta]");
    load_refuses(write_file("a", "nonsense\n", 9), -EINVAL, ":1:");
    load_refuses("/dev/null", -EINVAL, "neither");
    setenv("INFLUXDB_DATA_WAL_DIR", "/w", 1);
    char *a = write_file("a", "[meta]\ndir='/m'\n[data]\ndir='/d'", 31);
    loads_to(a, NULL, "/m", "/d", "/w", a);
    unsetenv("INFLUXDB_DATA_WAL_DIR");
}

static bool asks(const char *text)
{
    struct err e = {""};
    bool yes = false;
    if (config_asks_passwords(write_file("auth.toml", text, strlen(text)), &yes, &e) < 0)
        fail_msg("%s", e.text);
    return yes;
}

static void test_passwords(void **state)
{
    static const char on[] = "[http]\nauth-enabled = true\n";
    (void)state;
    assert_false(asks(""));
    assert_false(asks("[http]\n# auth-enabled = true\nauth-enabled = false\n"));
    assert_false(asks("auth-enabled = true\n[httpd]\nauth-enabled = true\n[[http]]\n"
                      "auth-enabled = true\n[http]\nx = [{auth-enabled = true}]\n"));
    assert_true(asks(on));
    assert_true(asks("[HTTP]\n  Auth-Enabled=true # yes\n"));
    assert_true(asks("http = {enabled = false, auth-enabled = true}"));
    assert_true(asks("[http]\nauth-enabled = true\nhttps-enabled = false\n"));
    assert_true(asks("[http]\nauth-enabled = 'false'\n")); /* influxd would not start */
    setenv("INFLUXDB_HTTP_AUTH_ENABLED", "", 1);
    assert_true(asks(on));
    setenv("INFLUXDB_HTTP_AUTH_ENABLED", "f", 1);
    assert_false(asks(on));
    setenv("INFLUXDB_HTTP_AUTH_ENABLED", "T", 1);
    assert_true(asks(""));
    unsetenv("INFLUXDB_HTTP_AUTH_ENABLED");
}

static void test_2x(void **state)
{
    (void)state;
    static const char bolt[32] = {[16] = (char)0xed, (char)0xda, 0x0c, (char)0xed};
    load_refuses(write_file("some.db", bolt, sizeof(bolt)), -EINVAL, "2.x");
    load_refuses(write_file("c.yml", "bolt-path: /x\nengine-path: /y\n", 30), -EINVAL, "2.x");
    load_refuses(write_file("c.toml", "bolt-path = \"/x\"\n", 17), -EINVAL, "2.x");
    assert_int_equal(io_mkdir_p(below("two/engine"), 0700, (uid_t)-1, (gid_t)-1), 0);
    load_refuses(below("two"), -EINVAL, "2.x");
    assert_int_equal(io_mkdir_p(below("both/engine"), 0700, (uid_t)-1, (gid_t)-1), 0);
    assert_int_equal(io_mkdir_p(below("both/meta"), 0700, (uid_t)-1, (gid_t)-1), 0);
    struct store_paths p;
    assert_int_equal(config_load(below("both"), NULL, &p, NULL), 0);
    store_paths_free(&p);
}

int main(void)
{
    static const char *const own[] = {"INFLUXDB_META_DIR", "INFLUXDB_DATA_DIR",
                                      "INFLUXDB_DATA_WAL_DIR"};
    for (int i = 0; i < 3; i++)
        unsetenv(own[i]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_plain),
        cmocka_unit_test(test_environment_files),
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_keys),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_latin1),
        cmocka_unit_test(test_passed_over),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_hostile),
        cmocka_unit_test_setup_teardown(test_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_file, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_passwords, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_2x, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
