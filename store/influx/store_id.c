/* SPDX-License-Identifier: MIT */
#include "store/influx/store_id.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>

#define NAME "id"

static int store_id_read(int state_fd, struct store_id *out)
{
    autofree char *text = NULL;
    size_t len;
    struct stat st;
    int r = io_read_file(state_fd, NAME, STORE_ID + 1, &text, &len);
    if (r < 0)
        return r == -EFBIG ? -EBADMSG : r;
    if (len != STORE_ID + 1 || text[STORE_ID] != '\n' ||
        strspn(text, "0123456789abcdef") != STORE_ID)
        return -EBADMSG;
    if (fstatat(state_fd, NAME, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return -errno;
    memcpy(out->text, text, STORE_ID);
    out->text[STORE_ID] = 0;
    out->made_ns = time_from_spec(&st.st_mtim);
    return 0;
}

static int store_id_make(int state_fd)
{
    char text[STORE_ID + 2];
    uint64_t random[2];
    if (getrandom(random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64 "\n", random[0], random[1]);
    return io_replace_file(state_fd, NAME, text, STORE_ID + 1, 0600);
}

static int store_id_fail(int r, const char *state, struct err *e)
{
    if (r == -EBADMSG)
        return err_set(e, r,
                       "%s/" NAME " is not the id of a store; if it is removed, the store gets "
                       "another id",
                       state);
    return r < 0 ? err_sys(e, r, "%s/" NAME, state) : 0;
}

int store_id_look(const char *state, struct store_id *out, struct err *e)
{
    autoclose int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, -errno, "the state folder %s", state);
    return store_id_fail(store_id_read(fd, out), state, e);
}

int store_id_get(const char *state, struct store_id *out, struct err *e)
{
    autoclose int fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_sys(e, -errno, "the state folder %s", state);
    int r = store_id_read(fd, out);
    if (r == -ENOENT) {
        /* Of several that find none, one makes it; the others wait for that. */
        while (flock(fd, LOCK_EX) < 0)
            if (errno != EINTR)
                return err_sys(e, -errno, "the state folder %s", state);
        r = store_id_read(fd, out);
        if (r == -ENOENT && (r = store_id_make(fd)) == 0)
            r = store_id_read(fd, out);
    }
    return store_id_fail(r, state, e);
}
