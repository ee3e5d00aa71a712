/* SPDX-License-Identifier: MIT */
#include "mount-helper/remount.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/json.h"
#include "store/base/mounts.h"
#include "store/base/path.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/statvfs.h>

/* A status.json is some kilobytes for each hundred cuts. */
#define STATUS_MAX (64 << 20)

struct present {
    struct json_object *status;
    struct json_object *options; /* in it */
};

static void present_clear(struct present *p)
{
    json_object_put(p->status);
}

static int remount_read_present(const char *folder, struct present *p, struct err *e)
{
    autofree char *path = path_join(folder, "status.json"), *text = NULL;
    size_t len;
    if (!path)
        return -ENOMEM;
    int r = io_read_file(AT_FDCWD, path, STATUS_MAX, &text, &len);
    if (r < 0)
        return err_sys(e, r, "the present options are in %s", path);
    p->status = json_tokener_parse(text);
    p->options = json_object_object_get(p->status, "options");
    if (!json_object_is_type(p->options, json_type_array))
        return err_set(e, -EINVAL, "%s does not tell the present options; unmount %s, and mount it",
                       path, folder);
    return 0;
}

/* The option as it was given to the daemon, whatever its value; the last one counts. NULL: it was
 * not. */
static const char *present_option(const struct present *p, const char *word)
{
    size_t name = strcspn(word, "=");
    for (size_t i = json_object_array_length(p->options); i-- > 0;) {
        const char *has = json_object_get_string(json_object_array_get_idx(p->options, i));
        if (strncmp(has, word, name) == 0 && strcspn(has, "=") == name)
            return has;
    }
    return NULL;
}

static int remount_check_word(const char *folder, const struct present *p, const char *word,
                              struct err *e)
{
    const char *has = present_option(p, word);
    if (!has && strcmp(word, "allow_other") == 0)
        has = present_option(p, "allow_root"); /* which the kernel calls allow_other */
    if (strcmp(word, "default_permissions") == 0 || (has && strcmp(has, word) == 0) ||
        (has && strcmp(has, "allow_root") == 0))
        return 0;
    return err_set(
        e, -EINVAL,
        "option %s cannot be changed while %s is mounted (%s%s): umount %s, and mount it "
        "with the option",
        word, folder, has ? "now " : "it was not given", has ? has : "", folder);
}

/* What only the daemon could change has to stay as it is. */
static int remount_check(const char *folder, const struct mountopts *o, unsigned long now,
                         struct err *e)
{
    cleanup(present_clear) struct present p = {0};
    bool to_rw = now & o->clear & MS_RDONLY;
    if (o->nwords == 0 && !to_rw)
        return 0;
    int r = remount_read_present(folder, &p, e);
    if (r == 0 && to_rw && !json_object_object_get(p.status, "restore"))
        return err_set(e, -EINVAL,
                       "option rw: %s was mounted with ro, and its influxfs has not prepared to "
                       "restore: umount %s, and mount it with rw",
                       folder, folder);
    for (size_t i = 0; r == 0 && i < o->nwords; i++)
        r = remount_check_word(folder, &p, o->words[i], e);
    return r;
}

/* Those of the present flags of mount(2) that remount_new_flags may keep. */
static int remount_flags(const char *folder, unsigned long *flags, struct err *e)
{
    char type[MOUNT_TYPE];
    struct statvfs v;
    if (!mount_type_at(folder, type) || !strstr(type, "influxfs"))
        return err_set(e, -EINVAL, "%s: no influxfs is mounted there", folder);
    if (statvfs(folder, &v) < 0)
        return errno == ENOTCONN
                   ? err_set(e, -ENOTCONN,
                             "%s: its influxfs was killed: mount it again, without remount", folder)
                   : err_sys(e, -errno, "%s", folder);
    *flags = (v.f_flag & ST_RDONLY ? MS_RDONLY : 0) | (v.f_flag & ST_NOSUID ? MS_NOSUID : 0) |
             (v.f_flag & ST_NODEV ? MS_NODEV : 0);
    return 0;
}

/* mount(8) replaces all flags by those of fstab and its command line, or of the kernel's table and
 * its command line, and does not hand on names that clear a flag. But nosuid and nodev are
 * libfuse's default, and need not be in fstab; and a helper run by hand may name nothing. */
static unsigned long remount_new_flags(unsigned long now, const struct mountopts *o)
{
    unsigned long kept = o->whole ? 0 : now & ~o->clear;
    return kept | o->set;
}

int remount(const char *folder, const struct mountopts *o, bool fake, struct err *e)
{
    unsigned long now = 0;
    autofree char *real = realpath(folder, NULL);
    if (real)
        folder = real;
    int r = remount_flags(folder, &now, e);
    if (r == 0)
        r = remount_check(folder, o, now, e);
    if (r < 0 || fake)
        return r;
    if (mount(NULL, folder, NULL, MS_REMOUNT | remount_new_flags(now, o), NULL) == 0)
        return 0;
    return errno == EBUSY ? err_set(e, -EBUSY,
                                    "%s: a file in restore/ is being written; try again "
                                    "when that is done",
                                    folder)
                          : err_sys(e, -errno, "%s", folder);
}
