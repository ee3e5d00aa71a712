/* SPDX-License-Identifier: MIT */
/* Mounting, and why it failed: FUSE may be missing or forbidden in many ways, and of those in which
 * fusermount3 fails it tells standard error only. */
#include "fs/daemon.h"

#include "store/base/cleanup.h"
#include "store/base/log.h"

#include <errno.h>
#include <fcntl.h>
#include <fuse_lowlevel.h>
#include <string.h>
#include <sys/mman.h>

#define FUSE_DEVICE "/dev/fuse"

struct words {
    char text[512]; /* what was said, as one line; or "" */
};

/* Takes standard error for itself while libfuse, or fusermount3 for it, mounts. */
static int mounting_listen(struct fuse_session *s, const char *path, struct words *w)
{
    autoclose int own = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    autoclose int said = memfd_create("fusermount3", MFD_CLOEXEC);
    bool listens = own >= 0 && said >= 0 && dup2(said, STDERR_FILENO) >= 0;
    int r = fuse_session_mount(s, path);
    if (!listens)
        return r;
    dup2(own, STDERR_FILENO);
    ssize_t n = pread(said, w->text, sizeof(w->text) - 1, 0);
    while (n > 0 && w->text[n - 1] == '\n')
        n--;
    w->text[n > 0 ? n : 0] = 0;
    for (char *p = w->text; *p; p++)
        *p = *p == '\n' ? ';' : *p;
    return r;
}

static bool is_forbidden(const char *words)
{
    return strstr(words, strerror(EACCES)) || strstr(words, strerror(EPERM));
}

static int mounting_explain(const char *path, const char *words, struct err *e)
{
    autoclose int fuse = open(FUSE_DEVICE, O_RDWR | O_CLOEXEC);
    if (fuse < 0 && (errno == ENOENT || errno == ENODEV || errno == ENXIO))
        return err_set(e, -ENODEV,
                       "mountpoint %s: there is no " FUSE_DEVICE
                       " here, so nothing can be mounted: "
                       "on a host, run modprobe fuse; in a container, use influxsnap, which does "
                       "not mount",
                       path);
    if (fuse < 0)
        return err_set(e, -EACCES,
                       "mountpoint %s: " FUSE_DEVICE ": %s: it may not be used here, as in most "
                       "containers; use influxsnap, which does not mount",
                       path, strerror(errno));
    if (!*words)
        words = "fusermount3 failed; is the package fuse3 installed?";
    return err_set(e, -EIO, "mountpoint %s: %s%s", path, words,
                   is_forbidden(words)
                       ? "; if the modes of the folders allow it, see journalctl -k: AppArmor may "
                         "confine fusermount3 to /mnt, /media and home "
                         "(/etc/apparmor.d/local/fusermount3 can allow more); in a container, use "
                         "influxsnap, which does not mount"
                       : "");
}

int mounting_do(struct fuse_session *s, const char *path, struct err *e)
{
    struct words w = {""};
    if (mounting_listen(s, path, &w) < 0)
        return mounting_explain(path, *w.text ? w.text : logger_fuse_words(), e);
    if (*w.text)
        log_warning("%s", w.text);
    return 0;
}
