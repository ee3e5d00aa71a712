/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote.h"

#include "mount-helper/nightly/remote_internal.h"
#include "mount-helper/nightly/remote_words.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OLDEST_MAJOR 1
#define OLDEST_MINOR 60
#define GRACE_NS (10 * SECOND_NS) /* for rclone to take back what it has begun */
#define OUTPUT_MAX ((size_t)1 << 20)

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
    if (text.failed || sscanf(text.p, "rclone v%u.%u", &major, &minor) != 2)
        return err_set(e, -ENOEXEC, "%s does not say its version: is it rclone?", r->program);
    if (major < OLDEST_MAJOR || (major == OLDEST_MAJOR && minor < OLDEST_MINOR))
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
    const char *file = getenv("RCLONE_CONFIG");
    if (file && *file && access(file, F_OK) < 0)
        return err_set(e, -ENOEXEC, "rclone knows no remote %.*s: ; RCLONE_CONFIG=%s: %s", (int)n,
                       r->name, file, strerror(errno));
    return err_set(
        e, -ENOEXEC,
        "rclone knows no remote %.*s: ; make it with 'rclone config', as the user of this "
        "job, or name its file by RCLONE_CONFIG",
        (int)n, r->name);
}

/* As rclone reads it: NAME:…, :type:… or a folder of this machine. That is not made: its disk may not be
 * mounted. Of a folder, rclone needs not be asked what it can do. */
static int remote_check_name(struct remote *r, struct err *e)
{
    const size_t n = strcspn(r->name, ":/");
    if (*r->name == ':')
        return 0;
    if (r->name[n] == ':')
        return remote_check_configured(r, n, e);
    if (access(r->name, F_OK) < 0)
        return err_sys(e, -errno, "%s: make the folder, or mount its disk", r->name);
    r->asked = r->reads_to_sum = true;
    return 0;
}

int remote_open(const char *name, char *const *extra, struct remote **out, struct err *e)
{
    struct remote *r = calloc(1, sizeof(*r));
    int code = r ? remote_check_extra(extra, e) : -ENOMEM;
    if (code == 0) {
        r->name = name;
        r->extra = extra;
        r->times.grace = GRACE_NS;
        remote_words_name(name, r->shown, sizeof(r->shown));
        r->times.who = r->shown;
        for (int k = 0; k < 2; k++)
            r->env[k] = remote_settings_environment(k);
        r->program = remote_find_program();
        if (!r->env[0] || !r->env[1])
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
    free(r->env[0]);
    free(r->env[1]);
    free(r);
}

const char *remote_name(const struct remote *r)
{
    return r->shown;
}

int64_t remote_set_patience(struct remote *r, int64_t ns)
{
    const int64_t before = r->patience;
    r->patience = ns;
    return before;
}

void remote_wind_up(struct remote *r, int64_t ns)
{
    r->times.until = ns ? time_mono_ns() + ns : 0;
}
