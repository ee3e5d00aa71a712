/* SPDX-License-Identifier: MIT */
#include "store/influx/server.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* How long an ending process may take to disappear: half a second. */
#define ENDING_TRIES 50
#define ENDING_PAUSE_US 10000

/* The strings of /proc/PID/cmdline or environ, one after the other. */
struct strings {
    char *s;
    size_t len;
};

static void strings_release(struct strings *s)
{
    free(s->s);
}

/* The one after cur, the first if cur is NULL, NULL at the end. */
static const char *next(const struct strings *s, const char *cur)
{
    cur = cur ? cur + strlen(cur) + 1 : s->s;
    return cur < s->s + s->len ? cur : NULL;
}

static const char *variable(const struct strings *env, const char *name)
{
    size_t n = strlen(name);
    for (const char *v = next(env, NULL); v; v = next(env, v))
        if (strncmp(v, name, n) == 0 && v[n] == '=' && v[n + 1])
            return v + n + 1;
    return NULL;
}

/* Opens a path as the process would: absolute ones from its root, links in them as well. */
static int server_open_as(const struct server *s, const char *path, int flags)
{
    flags |= O_CLOEXEC;
    int fd;
    if (!s) {
        fd = open(path, flags);
    } else if (*path != '/') {
        fd = openat(s->cwd, path, flags);
    } else {
        struct open_how how = {.flags = (unsigned)flags, .resolve = RESOLVE_IN_ROOT};
        fd = (int)syscall(SYS_openat2, s->root, path, &how, sizeof(how));
        if (fd < 0 && (errno == ENOSYS || errno == EPERM)) {
            path += strspn(path, "/");
            fd = openat(s->root, *path ? path : ".", flags);
        }
    }
    return fd < 0 ? -errno : fd;
}

static bool exists_as(const struct server *s, const char *path)
{
    autoclose int fd = server_open_as(s, path, O_PATH);
    return fd >= 0;
}

/* Cuts off the last part of path, leaving keep bytes; false if only one part is left. */
static bool cut_last(const char *path, size_t *keep)
{
    size_t n = *keep;
    while (n > 0 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    if (n == 0)
        return false;
    *keep = n;
    return true;
}

int place_find(const struct server *s, const char *path, struct place *out)
{
    autofree char *part = strdup(path);
    if (!part)
        return -ENOMEM;
    size_t keep = strlen(path);
    for (;;) {
        struct stat st;
        autoclose int fd = server_open_as(s, *part ? part : ".", O_PATH);
        if (fd >= 0) {
            if (fstat(fd, &st) < 0)
                return -errno;
            const char *rest = path + keep;
            *out = (struct place){st.st_dev, st.st_ino, rest + strspn(rest, "/")};
            return 0;
        }
        if ((fd != -ENOENT && fd != -ENOTDIR) || !*part)
            return fd;
        if (!cut_last(path, &keep))
            keep = 0;
        part[keep] = 0;
    }
}

static size_t without_slashes(const char *s)
{
    size_t n = strlen(s);
    while (n > 0 && s[n - 1] == '/')
        n--;
    return n;
}

bool place_same(const struct place *a, const struct place *b)
{
    size_t n = without_slashes(a->rest);
    return a->dev == b->dev && a->ino == b->ino && n == without_slashes(b->rest) &&
           memcmp(a->rest, b->rest, n) == 0;
}

/* The value of the last -config among the flags. *runs is false if the command is not "run", the
 * default command of influxd. */
static const char *server_config_argument(const struct strings *args, bool *runs)
{
    const char *found = NULL, *a = next(args, NULL);
    a = a ? next(args, a) : NULL;
    *runs = !a || *a == '-' || strcmp(a, "run") == 0;
    for (; a; a = next(args, a)) {
        const char *flag = a + (*a == '-');
        flag += flag > a && *flag == '-';
        if (flag == a || strncmp(flag, "config", 6) != 0)
            continue;
        if (flag[6] == '=')
            found = flag + 7;
        else if (!flag[6] && !(found = a = next(args, a)))
            break;
    }
    return found;
}

static int copy(char **p, const char *value)
{
    char *s = strdup(value);
    if (!s)
        return -ENOMEM;
    free(*p);
    *p = s;
    return 0;
}

/* The file that the server read; NULL: none. */
static int server_find_config(struct server *s, const struct strings *args,
                              const struct strings *env, bool *runs)
{
    const char *given = server_config_argument(args, runs), *home = variable(env, "HOME");
    bool by_argument = given && *given;
    if (!by_argument)
        given = variable(env, "INFLUXDB_CONFIG_PATH");
    if (by_argument && strcmp(given, "/dev/null") == 0)
        return 0;
    if (given)
        return copy(&s->paths.config, given);
    autofree char *own = NULL;
    if (asprintf(&own, "%s/.influxdb/influxdb.conf", home ? home : "") < 0) {
        own = NULL;
        return -ENOMEM;
    }
    if (exists_as(s, own))
        return copy(&s->paths.config, own);
    if (exists_as(s, "/etc/influxdb/influxdb.conf"))
        return copy(&s->paths.config, "/etc/influxdb/influxdb.conf");
    return 0;
}

/* HOME and the user's entry seldom differ; builds of influxd prefer one or the other, so the one
 * with a store counts. */
static int server_home_paths(struct server *s, const struct process *p, const struct strings *env)
{
    struct stat st;
    struct passwd pw, *found = NULL;
    char buf[4096];
    const char *home = variable(env, "HOME");
    autofree char *data = NULL;
    if (asprintf(&data, "%s/.influxdb/data", home ? home : "") < 0) {
        data = NULL;
        return -ENOMEM;
    }
    if ((!home || !exists_as(s, data)) && fstat(p->dir, &st) == 0 &&
        getpwuid_r(st.st_uid, &pw, buf, sizeof(buf), &found) == 0 && found)
        home = found->pw_dir;
    for (size_t i = 0; home && i < STORE_FOLDERS; i++) {
        char **path = store_folder_of(&s->paths, i);
        if (asprintf(path, "%s/.influxdb/%s", home, store_folder_names[i]) < 0) {
            *path = NULL;
            return -ENOMEM;
        }
    }
    return 0;
}

static int server_file_paths(struct server *s, struct err *e)
{
    struct stat st;
    const char *name = s->paths.config;
    autoclose int fd = server_open_as(s, name, O_RDONLY | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return err_sys(e, fd, "its configuration %s", name);
    if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > CONFIG_MAX)
        return err_set(e, -EINVAL, "its configuration %s is not a regular file of at most 1 MiB",
                       name);
    autofree char *text = malloc((size_t)st.st_size + 1);
    if (!text)
        return -ENOMEM;
    int r = io_pread_all(fd, text, (size_t)st.st_size, 0);
    struct store_paths p;
    if (r == 0)
        r = config_parse(text, (size_t)st.st_size, name, &p, e);
    if (r < 0)
        return r;
    p.config = steal_ptr(&s->paths.config);
    s->paths = p;
    return 0;
}

static int server_env_paths(struct server *s, const struct strings *env)
{
    int r = 0;
    for (size_t i = 0; r == 0 && i < STORE_FOLDERS; i++) {
        const char *value = variable(env, store_folder_variables[i]);
        if (value)
            r = copy(store_folder_of(&s->paths, i), value);
    }
    return r;
}

static bool env_is_enough(const struct strings *env)
{
    size_t i = 0;
    while (i < STORE_FOLDERS && variable(env, store_folder_variables[i]))
        i++;
    return i == STORE_FOLDERS;
}

/* The input of everything else. An ending process has no folders and no arguments left. */
static int look_into(const struct process *p, struct server *s, struct strings *args,
                     struct strings *env)
{
    s->root = openat(p->dir, "root", O_PATH | O_DIRECTORY | O_CLOEXEC);
    s->cwd = s->root < 0 ? -1 : openat(p->dir, "cwd", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (s->cwd < 0)
        return errno == ENOENT ? -ESRCH : -errno;
    int r = process_read(p, "cmdline", &args->s, &args->len);
    if (r == 0)
        r = process_read(p, "environ", &env->s, &env->len);
    return r == 0 && args->len == 0 ? -ESRCH : r;
}

/* As server_read; the caller releases *s in any case. */
static int server_read_into(const struct process *p, struct server *s, struct err *e)
{
    bool runs = true;
    cleanup(strings_release) struct strings args = {0}, env = {0};
    int r = look_into(p, s, &args, &env);
    if (r < 0)
        return err_sys(e, r, "it cannot be looked into");
    r = server_find_config(s, &args, &env, &runs);
    if (r == 0 && (!runs || process_holds_name(p, "influxd.bolt")))
        return 0;
    if (r == 0)
        r = s->paths.config ? server_file_paths(s, e) : server_home_paths(s, p, &env);
    if (r < 0 && r != -ENOMEM && env_is_enough(&env))
        r = 0;
    if (r == 0)
        r = server_env_paths(s, &env);
    return r < 0 ? r : 1;
}

int server_read(const struct process *p, struct server *out, struct err *e)
{
    cleanup(server_close) struct server s = {.root = -1, .cwd = -1};
    int r = server_read_into(p, &s, e);
    for (int i = 0; i < ENDING_TRIES && r == -ESRCH && process_is_alive(p); i++) {
        usleep(ENDING_PAUSE_US);
        server_close(&s);
        r = server_read_into(p, &s, e);
    }
    if (r < 0 && !process_is_alive(p))
        return -ESRCH;
    if (r == 1) {
        *out = s;
        s = (struct server){.root = -1, .cwd = -1};
    }
    return r;
}

void server_close(struct server *s)
{
    cleanup_close(&s->root);
    cleanup_close(&s->cwd);
    store_paths_free(&s->paths);
    s->root = s->cwd = -1;
}
