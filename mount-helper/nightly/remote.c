/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote.h"

#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_words.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLDEST_MAJOR 1
#define OLDEST_MINOR 60
#define OUTPUT_MAX ((size_t)1 << 20)

/* What rclone is told by its environment. The caller's own counts, but for what would upset reading what
 * it prints. We try again ourselves. */
static const struct {
    const char *text;
    bool always;
} settings[] = {
    {"RCLONE_RETRIES=1", false},          {"RCLONE_LOW_LEVEL_RETRIES=3", false},
    {"RCLONE_CONTIMEOUT=20s", false},     {"RCLONE_TIMEOUT=2m", false},
    {"RCLONE_ASK_PASSWORD=false", false}, {"RCLONE_PROGRESS=false", true},
    {"RCLONE_USE_JSON_LOG=false", true},  {"RCLONE_LOG_FORMAT=date,time", true},
};
#define SETTINGS (sizeof(settings) / sizeof(*settings))

static bool is_same_setting(const char *a, const char *b)
{
    const size_t n = strcspn(b, "=") + 1;
    return strncmp(a, b, n) == 0;
}

static bool remote_replaces(const char *text)
{
    for (size_t i = 0; i < SETTINGS; i++)
        if (settings[i].always && is_same_setting(text, settings[i].text))
            return true;
    return false;
}

static char **remote_environment(void)
{
    size_t n = 0, have = 0;
    while (environ[have])
        have++;
    char **env = calloc(have + SETTINGS + 1, sizeof(*env));
    for (size_t i = 0; env && i < have; i++)
        if (!remote_replaces(environ[i]))
            env[n++] = environ[i];
    have = n;
    for (size_t i = 0; env && i < SETTINGS; i++) {
        bool set = false;
        for (size_t k = 0; k < have && !set; k++)
            set = is_same_setting(env[k], settings[i].text);
        if (!set)
            env[n++] = (char *)settings[i].text;
    }
    return env;
}

/* Fresh, or NULL: PATH has none. */
static char *remote_find_program(void)
{
    const char *path = getenv("PATH");
    for (const char *p = path && *path ? path : "/usr/local/bin:/usr/bin:/bin", *end; p;
         p = *end ? end + 1 : NULL) {
        char *found;
        end = p + strcspn(p, ":");
        if (asprintf(&found, "%.*s%srclone", (int)(end - p), p, end > p ? "/" : "./") < 0)
            return NULL;
        if (access(found, X_OK) == 0)
            return found;
        free(found);
    }
    return NULL;
}

static int remote_check_version(struct remote *r, struct err *e)
{
    cleanup(buffer_free) struct buffer text = {0};
    static const char *const words[] = {"version", NULL};
    unsigned major = 0, minor = 0;
    int code = remote_capture(r, words, NULL, "cannot be used", OUTPUT_MAX, &text, e);
    if (code < 0)
        return code == -EINTR ? code : -ENOEXEC;
    buffer_add(&text, "", 1);
    if (text.failed || sscanf(text.p, "rclone v%u.%u", &major, &minor) != 2 ||
        major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
        return err_set(e, -ENOEXEC, "%s is older than %d.%d: install a newer rclone", r->program,
                       OLDEST_MAJOR, OLDEST_MINOR);
    return 0;
}

/* Whether the output of `rclone listremotes` has the line NAME: . */
static bool remote_has_line(const struct buffer *text, const char *name, size_t n)
{
    for (const char *p = text->p, *end = p + text->n; p < end;) {
        const char *stop = memchr(p, '\n', (size_t)(end - p));
        stop = stop ? stop : end;
        if ((size_t)(stop - p) == n + 1 && memcmp(p, name, n) == 0 && p[n] == ':')
            return true;
        p = stop + 1;
    }
    return false;
}

static int remote_check_configured(struct remote *r, size_t n, struct err *e)
{
    cleanup(buffer_free) struct buffer text = {0};
    static const char *const words[] = {"listremotes", NULL};
    int code = remote_capture(r, words, NULL, "cannot be looked up", OUTPUT_MAX, &text, e);
    if (code < 0)
        return code == -EINTR ? code : -ENOEXEC;
    if (text.n && remote_has_line(&text, r->name, n))
        return 0;
    return err_set(
        e, -ENOEXEC,
        "rclone knows no remote %.*s: ; make it with 'rclone config', as the user of this "
        "job, or name its file by RCLONE_CONFIG",
        (int)n, r->name);
}

/* A folder of this machine is not made: its disk may not be mounted. */
static int remote_check_folder(const struct remote *r, struct err *e)
{
    if (!strchr(r->name, '/'))
        return err_set(e, -ENOEXEC,
                       "%s is no remote: write %s: for one that rclone knows, or ./%s "
                       "for a folder",
                       r->name, r->name, r->name);
    return access(r->name, F_OK) == 0
               ? 0
               : err_sys(e, -errno, "%s: make the folder, or mount its disk", r->name);
}

/* As rclone reads it: NAME:…, NAME,parameters:…, :type,parameters:… or a folder. */
static int remote_check_name(struct remote *r, struct err *e)
{
    const size_t n = strcspn(r->name, ":,/");
    if (*r->name == '\0' || *r->name == '-')
        return err_set(e, -EINVAL, "%s is no name of a remote: write NAME:", r->name);
    if (*r->name == ':')
        return 0;
    if (r->name[n] == '/' || r->name[n] == '\0' || !strchr(r->name, ':'))
        return remote_check_folder(r, e);
    return remote_check_configured(r, n, e);
}

static int remote_check_extra(char *const *extra, struct err *e)
{
    for (; extra && *extra; extra++)
        if (strcmp(*extra, "-P") == 0 || strcmp(*extra, "--progress") == 0)
            return err_set(e, -EINVAL,
                           "%s for rclone would be mixed into what it is read for: leave it out",
                           *extra);
    return 0;
}

int remote_open(const char *name, char *const *extra, struct remote **out, struct err *e)
{
    struct remote *r = calloc(1, sizeof(*r));
    int code = r ? remote_check_extra(extra, e) : -ENOMEM;
    if (code == 0) {
        r->name = name;
        r->extra = extra;
        remote_words_name(name, r->shown, sizeof(r->shown));
        r->env = remote_environment();
        r->program = remote_find_program();
        if (!r->env)
            code = -ENOMEM;
        else if (!r->program)
            code =
                err_set(e, -ENOEXEC, "rclone is not on PATH: install it (apt-get install rclone)");
    }
    if (code == 0)
        code = remote_check_version(r, e);
    if (code == 0)
        code = remote_check_name(r, e);
    if (code == 0)
        *out = r;
    else
        remote_close(r);
    return code;
}

void remote_close(struct remote *r)
{
    if (!r)
        return;
    free(r->program);
    free(r->env);
    free(r);
}

const char *remote_name(const struct remote *r)
{
    return r->shown;
}

void remote_set_patience(struct remote *r, int64_t ns)
{
    r->patience = ns;
}

void remote_part(struct remote *r, int64_t ns)
{
    r->parting = ns ? time_mono_ns() + ns : 0;
}
