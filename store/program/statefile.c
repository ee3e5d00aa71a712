/* SPDX-License-Identifier: MIT */
#include "store/program/statefile.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/file.h>

#define FILE_MAX (4 << 20)
#define WAIT_NS (10 * SECOND_NS) /* for another process */
#define POLL_US 20000

static int open_state(const char *state)
{
    int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int statefile_read(const char *state, const char *name, struct json_object **out, struct err *e)
{
    autofree char *text = NULL;
    size_t len;
    autoclose int fd = open_state(state);
    *out = NULL;
    if (fd < 0)
        return fd == -ENOENT ? 0 : err_sys(e, fd, "%s", state);
    int r = io_read_file(fd, name, FILE_MAX, &text, &len);
    if (r == -ENOENT)
        return 0;
    if (r < 0 && r != -EFBIG)
        return err_sys(e, r, "%s/%s", state, name);
    struct json_object *o = r == 0 ? json_tokener_parse(text) : NULL;
    if (json_object_is_type(o, json_type_object)) {
        *out = o;
        return 0;
    }
    json_object_put(o);
    return -EBADMSG;
}

/* The folder itself is the lock. */
int statefile_lock(const char *state, struct err *e)
{
    const int64_t until = time_mono_ns() + WAIT_NS;
    autoclose int fd = open_state(state);
    if (fd < 0)
        return err_sys(e, fd, "%s", state);
    while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK && errno != EINTR)
            return err_sys(e, -errno, "%s", state);
        if (time_mono_ns() >= until)
            return err_set(e, -EAGAIN, "%s: another process has held it for ten seconds", state);
        usleep(POLL_US);
    }
    return steal_fd(&fd);
}

int statefile_write(int lock, const char *state, const char *name, struct json_object *o,
                    struct err *e)
{
    const int how = JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE;
    const char *text = o ? json_object_to_json_string_ext(o, how) : NULL;
    int r = text ? io_replace_file(lock, name, text, strlen(text), 0600) : -ENOMEM;
    json_object_put(o);
    return r < 0 ? err_sys(e, r, "%s/%s", state, name) : 0;
}

int statefile_remove(int lock, const char *state, const char *name, struct err *e)
{
    int r = unlinkat(lock, name, 0) < 0 ? -errno : io_sync_dir(lock);
    return r < 0 && r != -ENOENT ? err_sys(e, r, "%s/%s", state, name) : 0;
}
