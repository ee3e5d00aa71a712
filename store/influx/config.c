/* SPDX-License-Identifier: MIT */
#include "store/influx/config.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/influx/envfile.h"
#include "store/influx/toml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

/* Where an influxdb.conf sets each folder. */
static const struct {
    const char *table, *key;
} settings[STORE_FOLDERS] = {{"meta", "dir"}, {"data", "dir"}, {"data", "wal-dir"}};

/* Puts a copy of value in the place of *p. */
static int set(char **p, const char *value, struct err *e)
{
    char *copy = strdup(value);
    if (!copy)
        return err_sys(e, -ENOMEM, "configuration");
    free(*p);
    *p = copy;
    return 0;
}

struct reading {
    const char *name;
    struct store_paths paths;
    bool set[STORE_FOLDERS];
    struct err *e;
};

static int config_item(void *arg, const struct toml_item *i)
{
    struct reading *rd = arg;
    for (size_t k = 0; k < STORE_FOLDERS; k++) {
        const char *table = settings[k].table, *key = settings[k].key;
        if (i->depth != 2 || strcasecmp(i->key[0], table) || strcasecmp(i->key[1], key))
            continue;
        if (!i->string)
            return err_set(rd->e, -EINVAL, "%s:%u: %s in [%s] must be a string", rd->name, i->line,
                           key, table);
        if (rd->set[k])
            return err_set(rd->e, -EINVAL, "%s:%u: %s in [%s] is set a second time", rd->name,
                           i->line, key, table);
        rd->set[k] = true;
        return *i->string ? set(store_folder_of(&rd->paths, k), i->string, rd->e) : 0;
    }
    return 0;
}

int config_parse(const char *text, size_t len, const char *name, struct store_paths *out,
                 struct err *e)
{
    struct reading rd = {.name = name, .e = e};
    int r = toml_read(text, len, name, config_item, &rd, e);
    if (r < 0) {
        store_paths_free(&rd.paths);
        return r;
    }
    *out = rd.paths;
    return 0;
}

static int refuse_2x(const char *store, struct err *e)
{
    return err_set(e, -EINVAL, "%s belongs to InfluxDB 2.x; influxfs works with stores of 1.x only",
                   store);
}

/* The bbolt database that 2.x keeps instead of meta.db. */
static bool is_bolt(const char *store, const char *text, size_t len)
{
    static const unsigned char magic[] = {0xed, 0xda, 0x0c, 0xed};
    return strcmp(path_last(store), "influxd.bolt") == 0 ||
           (len >= 20 && memcmp(text + 16, magic, sizeof(magic)) == 0);
}

/* The configuration of a 2.x server, be it TOML, YAML or JSON. */
static bool is_2x_config(const char *text, size_t len)
{
    return memmem(text, len, "bolt-path", 9) || memmem(text, len, "engine-path", 11);
}

static bool exists_in(int dir, const char *name)
{
    struct stat st;
    return fstatat(dir, name, &st, 0) == 0;
}

/* A folder that an upgrade left with both kinds of store counts as 1.x. */
static bool is_2x_folder(int dir)
{
    static const char *const marks[] = {"influxd.bolt", "influxd.sqlite", "engine", "replicationq"};
    if (exists_in(dir, "meta"))
        return false;
    for (size_t i = 0; i < sizeof(marks) / sizeof(marks[0]); i++)
        if (exists_in(dir, marks[i]))
            return true;
    return false;
}

static int config_from_folder(const char *store, struct store_paths *out, struct err *e)
{
    autoclose int dir = open(store, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0)
        return err_sys(e, -errno, "%s", store);
    if (is_2x_folder(dir))
        return refuse_2x(store, e);
    for (size_t k = 0; k < STORE_FOLDERS; k++) {
        char **p = store_folder_of(out, k);
        *p = path_join(store, store_folder_names[k]);
        if (!*p)
            return err_sys(e, -ENOMEM, "%s", store);
    }
    return 0;
}

static int config_variable(void *arg, const char *variable, const char *value)
{
    struct reading *rd = arg;
    for (size_t k = 0; k < STORE_FOLDERS; k++)
        if (strcmp(variable, store_folder_variables[k]) == 0)
            return set(store_folder_of(&rd->paths, k), value, rd->e);
    return 0;
}

static bool has_line_break(const char *value)
{
    return value[strcspn(value, "\r\n")] != 0;
}

int config_parse_defaults(const char *text, size_t len, const char *name, struct store_paths *out,
                          struct err *e)
{
    struct reading rd = {.name = name, .e = e};
    int r = envfile_read(text, len, name, config_variable, &rd, e);
    for (size_t k = 0; r == 0 && k < STORE_FOLDERS; k++) {
        const char *value = store_folder(&rd.paths, k);
        if (value && has_line_break(value))
            r = err_set(
                e, -EINVAL,
                "%s: %s holds a line break, as after a quote that is not closed: correct it", name,
                store_folder_variables[k]);
        else if (value && *value)
            r = set(store_folder_of(out, k), value, e);
    }
    store_paths_free(&rd.paths);
    return r;
}

/* The environment file of the package's unit, owned by the caller; NULL: absent, which is
 * allowed. */
static int read_defaults(const char *store, char **text, size_t *len, struct err *e)
{
    autofree char *real = realpath(store, NULL), *package = realpath(CONFIG_PACKAGE, NULL);
    *text = NULL;
    if (!real || !package || strcmp(real, package) != 0)
        return 0;
    int r = io_read_file(AT_FDCWD, CONFIG_DEFAULTS, CONFIG_MAX, text, len);
    if (r == -ENOENT || r == -ENOTDIR)
        return 0;
    return r < 0 ? err_sys(e, r, CONFIG_DEFAULTS ", by which the service may set folders") : 0;
}

static int config_from_defaults(const char *store, struct store_paths *out, struct err *e)
{
    autofree char *text = NULL;
    size_t len;
    int r = read_defaults(store, &text, &len, e);
    return r < 0 || !text ? r : config_parse_defaults(text, len, CONFIG_DEFAULTS, out, e);
}

static int config_from_environment(struct store_paths *out, struct err *e)
{
    int r = 0;
    for (size_t k = 0; r == 0 && k < STORE_FOLDERS; k++) {
        const char *value = getenv(store_folder_variables[k]);
        if (value && *value)
            r = set(store_folder_of(out, k), value, e);
    }
    return r;
}

static int config_from_file(const char *store, struct store_paths *out, struct err *e)
{
    autofree char *text = NULL;
    size_t len = 0;
    int r = io_read_file(AT_FDCWD, store, CONFIG_MAX, &text, &len);
    if ((r == 0 || r == -EFBIG) && is_bolt(store, text, len))
        return refuse_2x(store, e);
    if (r == -EFBIG || r == -EINVAL)
        return err_set(e, -EINVAL, "%s is neither an influxdb.conf nor a folder", store);
    if (r < 0)
        return err_sys(e, r, "%s", store);
    r = config_parse(text, len, store, out, e);
    if ((r == -EINVAL || (r == 0 && !out->meta && !out->data)) && is_2x_config(text, len))
        return refuse_2x(store, e);
    if (r == 0)
        r = set(&out->config, store, e);
    if (r == 0)
        r = config_from_defaults(store, out, e);
    return r < 0 ? r : config_from_environment(out, e);
}

static int config_from_override(const struct store_paths *override, struct store_paths *out,
                                struct err *e)
{
    int r = 0;
    for (size_t k = 0; r == 0 && override && k < STORE_FOLDERS; k++) {
        const char *value = store_folder(override, k);
        if (value && !*value)
            return err_set(e, -EINVAL, "%s= names no folder", store_folder_names[k]);
        if (value)
            r = set(store_folder_of(out, k), value, e);
    }
    return r;
}

static int check_complete(const char *store, const struct store_paths *p, struct err *e)
{
    for (size_t k = 0; k < STORE_FOLDERS; k++)
        if (!store_folder(p, k))
            return err_set(e, -EINVAL,
                           "%s does not set %s in [%s]: set it there, or give %s=FOLDER", store,
                           settings[k].key, settings[k].table, store_folder_names[k]);
    return 0;
}

static int config_make_absolute(char **p, struct err *e)
{
    size_t n = strlen(*p);
    while (n > 1 && (*p)[n - 1] == '/')
        (*p)[--n] = 0;
    if (**p == '/')
        return 0;
    autofree char *cwd = getcwd(NULL, 0);
    if (!cwd)
        return err_sys(e, -errno, "working folder");
    char *whole = path_join(cwd, *p);
    if (!whole)
        return err_sys(e, -ENOMEM, "%s", *p);
    free(*p);
    *p = whole;
    return 0;
}

int config_load(const char *store, const struct store_paths *override, struct store_paths *out,
                struct err *e)
{
    struct stat st;
    if (stat(store, &st) < 0)
        return err_sys(e, -errno, "%s", store);
    autofree char *whole = NULL;
    cleanup(store_paths_free) struct store_paths p = {0};
    int r = set(&whole, store, e);
    if (r == 0)
        r = config_make_absolute(&whole, e);
    if (r == 0)
        r = S_ISDIR(st.st_mode) ? config_from_folder(whole, &p, e) : config_from_file(whole, &p, e);
    if (r == 0)
        r = config_from_override(override, &p, e);
    if (r == 0)
        r = check_complete(whole, &p, e);
    for (size_t k = 0; r == 0 && k < STORE_FOLDERS; k++)
        r = config_make_absolute(store_folder_of(&p, k), e);
    if (r < 0)
        return r;
    *out = p;
    p = (struct store_paths){0};
    return 0;
}

#define AUTH_VARIABLE "INFLUXDB_HTTP_AUTH_ENABLED"

/* As Go's ParseBool. influxd refuses to start with anything else, so that value must not disable
 * the check. */
static bool is_false(const char *value)
{
    static const char *const words[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        if (strcmp(value, words[i]) == 0)
            return true;
    return false;
}

static int config_auth(void *arg, const struct toml_item *i)
{
    bool *asks = arg;
    if (i->depth == 2 && strcasecmp(i->key[0], "http") == 0 &&
        strcasecmp(i->key[1], "auth-enabled") == 0)
        *asks = !i->word || !is_false(i->word);
    return 0;
}

struct auth {
    bool said, asks;
};

static int config_auth_variable(void *arg, const char *variable, const char *value)
{
    struct auth *a = arg;
    if (strcmp(variable, AUTH_VARIABLE) == 0)
        *a = (struct auth){.said = *value, .asks = !is_false(value)};
    return 0;
}

int config_asks_passwords(const char *file, bool *out, struct err *e)
{
    autofree char *text = NULL, *defaults = NULL;
    const char *variable = getenv(AUTH_VARIABLE);
    size_t len = 0;
    bool asks = false;
    struct auth service = {0};
    int r = io_read_file(AT_FDCWD, file, CONFIG_MAX, &text, &len);
    if (r < 0)
        return err_sys(e, r, "%s", file);
    if ((r = toml_read(text, len, file, config_auth, &asks, e)) < 0 ||
        (r = read_defaults(file, &defaults, &len, e)) < 0)
        return r;
    if (defaults)
        r = envfile_read(defaults, len, CONFIG_DEFAULTS, config_auth_variable, &service, e);
    if (r < 0)
        return r;
    if (variable && *variable)
        *out = !is_false(variable);
    else
        *out = service.said ? service.asks : asks;
    return 0;
}
