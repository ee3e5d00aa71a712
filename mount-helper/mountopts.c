/* SPDX-License-Identifier: MIT */
#include "mount-helper/mountopts.h"

#include "store/base/buffer.h"
#include "store/base/cleanup.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <sys/mount.h>

enum kind {
    FUSE_FLAG,   /* libfuse takes it, and a remount changes it */
    KERNEL_FLAG, /* a remount changes it; at a mount it is the default, or libfuse does not take it:
                    when times are set means nothing where none ever is */
    FUSE_WORD,   /* libfuse takes it */
    OTHERS,      /* for mount(8), fstab, systemd, or a helper that unmounts */
    SHOWN,       /* what the kernel's table shows of a FUSE mount, which a remount may repeat */
    REFUSED,
};

static const struct mountopt {
    const char *name; /* with '=': it has a value; with '-': what begins so */
    enum kind kind;
    unsigned long set, clear; /* of a flag */
} known[] = {
    {"ro", FUSE_FLAG, MS_RDONLY, 0},
    {"rw", KERNEL_FLAG, 0, MS_RDONLY},
    {"nosuid", FUSE_FLAG, MS_NOSUID, 0},
    {"suid", FUSE_FLAG, 0, MS_NOSUID},
    {"nodev", FUSE_FLAG, MS_NODEV, 0},
    {"dev", FUSE_FLAG, 0, MS_NODEV},
    {"noexec", FUSE_FLAG, MS_NOEXEC, 0},
    {"exec", KERNEL_FLAG, 0, MS_NOEXEC},
    {"sync", FUSE_FLAG, MS_SYNCHRONOUS, 0},
    {"async", KERNEL_FLAG, 0, MS_SYNCHRONOUS},
    {"dirsync", FUSE_FLAG, MS_DIRSYNC, 0},
    {"noatime", FUSE_FLAG, MS_NOATIME, MS_RELATIME | MS_STRICTATIME},
    {"atime", KERNEL_FLAG, 0, MS_NOATIME},
    {"relatime", KERNEL_FLAG, MS_RELATIME, MS_NOATIME | MS_STRICTATIME},
    {"norelatime", KERNEL_FLAG, 0, MS_RELATIME},
    {"strictatime", KERNEL_FLAG, MS_STRICTATIME, MS_NOATIME | MS_RELATIME},
    {"nostrictatime", KERNEL_FLAG, 0, MS_STRICTATIME},
    {"nodiratime", KERNEL_FLAG, MS_NODIRATIME, 0},
    {"diratime", KERNEL_FLAG, 0, MS_NODIRATIME},
    {"lazytime", KERNEL_FLAG, MS_LAZYTIME, 0},
    {"nolazytime", KERNEL_FLAG, 0, MS_LAZYTIME},
    {"allow_other", FUSE_WORD, 0, 0},
    {"allow_root", FUSE_WORD, 0, 0},
    {"auto_unmount", FUSE_WORD, 0, 0},
    {"default_permissions", FUSE_WORD, 0, 0},
    {"fsname=", FUSE_WORD, 0, 0},
    {"subtype=", FUSE_WORD, 0, 0},
    {"context=", FUSE_WORD, 0, 0},
    {"fscontext=", FUSE_WORD, 0, 0},
    {"defcontext=", FUSE_WORD, 0, 0},
    {"rootcontext=", FUSE_WORD, 0, 0},
    {"defaults", OTHERS, 0, 0},
    {"auto", OTHERS, 0, 0},
    {"noauto", OTHERS, 0, 0},
    {"user", OTHERS, 0, 0},
    {"user=", OTHERS, 0, 0},
    {"nouser", OTHERS, 0, 0},
    {"users", OTHERS, 0, 0},
    {"nousers", OTHERS, 0, 0},
    {"owner", OTHERS, 0, 0},
    {"noowner", OTHERS, 0, 0},
    {"group", OTHERS, 0, 0},
    {"nogroup", OTHERS, 0, 0},
    {"nofail", OTHERS, 0, 0},
    {"_netdev", OTHERS, 0, 0},
    {"silent", OTHERS, 0, 0},
    {"loud", OTHERS, 0, 0},
    {"comment=", OTHERS, 0, 0},
    {"helper=", OTHERS, 0, 0},
    {"uhelper=", OTHERS, 0, 0},
    {"x-", OTHERS, 0, 0},
    {"X-", OTHERS, 0, 0},
    {"user_id=", SHOWN, 0, 0},
    {"group_id=", SHOWN, 0, 0},
    {"rootmode=", SHOWN, 0, 0},
    {"fd=", SHOWN, 0, 0},
    {"loop", REFUSED, 0, 0},
    {"loop=", REFUSED, 0, 0},
    {"offset=", REFUSED, 0, 0},
    {"sizelimit=", REFUSED, 0, 0},
};

#define KNOWN (sizeof(known) / sizeof(*known))

static const struct mountopt *mountopts_find(const char *word)
{
    for (size_t i = 0; i < KNOWN; i++) {
        size_t n = strlen(known[i].name);
        bool begins = strchr("-=", known[i].name[n - 1]);
        if (begins ? strncmp(word, known[i].name, n) == 0 : strcmp(word, known[i].name) == 0)
            return &known[i];
    }
    return NULL;
}

static int keep_idle(struct mountopts *o, const char *word)
{
    static const char idle[] = "x-systemd.idle-timeout=";
    if (strncmp(word, idle, strlen(idle)) != 0)
        return 0;
    free(o->idle);
    o->idle = strdup(word);
    return o->idle ? 0 : -ENOMEM;
}

static int mountopts_take_known(struct mountopts *o, const struct mountopt *k, const char *word,
                                struct err *e)
{
    switch (k->kind) {
    case FUSE_FLAG:
    case KERNEL_FLAG:
        o->set = (o->set & ~k->clear) | k->set;
        o->clear = (o->clear & ~k->set) | k->clear;
        return 0;
    case FUSE_WORD:
        return options_keep(&o->words, &o->nwords, word, false);
    case OTHERS:
        return keep_idle(o, word);
    case SHOWN:
        o->whole = true;
        return o->remount ? 0 : err_set(e, -EINVAL, "option %s is the kernel's own", word);
    case REFUSED:
        break;
    }
    return err_set(e, -EINVAL, "option %s: influxfs mounts a store, not the image of a disk", word);
}

/* *before: the option of influxfs that the word before was, or NULL. A word with a dash in front
 * would be an argument of influxfs, and is none of its options. */
static int mountopts_take(struct mountopts *o, const struct option_def **before, const char *word,
                          bool sloppy, struct err *e)
{
    const char *value;
    const struct mountopt *k = mountopts_find(word);
    const struct option_def *d =
        k || *word == '-' ? NULL : options_find_after(*before, word, &value);
    *before = d;
    if (k)
        return mountopts_take_known(o, k, word, e);
    if (d) {
        int r = options_read(d, OPTION_INFLUXFS, value, &o->values, e);
        return r < 0 ? r : options_keep(&o->words, &o->nwords, word, value == word);
    }
    if (sloppy)
        return options_keep(&o->ignored, &o->nignored, word, false);
    return err_set(e, -EINVAL, "unknown option %s; influxfs --help shows the options", word);
}

static bool is_octal(const char *p)
{
    return p[0] >= '0' && p[0] <= '3' && p[1] >= '0' && p[1] <= '7' && p[2] >= '0' && p[2] <= '7';
}

/* Moves the next option from *text to word, which has room for all of it. */
static void mountopts_next(const char **text, char *word)
{
    const char *p = *text;
    while (*p && *p != ',') {
        if (*p == '\\' && is_octal(p + 1)) {
            *word++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
            p += 4;
            continue;
        }
        if (*p == '\\' && p[1])
            p++;
        *word++ = *p++;
    }
    *word = 0;
    *text = *p ? p + 1 : p;
}

int mountopts_read(const char *text, bool sloppy, struct mountopts *o, struct err *e)
{
    autofree char *word = malloc(strlen(text) + 1);
    if (!word)
        return -ENOMEM;
    options_default(&o->values);
    for (const char *p = text; *p && !o->remount;) {
        mountopts_next(&p, word);
        o->remount = strcmp(word, "remount") == 0;
    }
    const struct option_def *before = NULL;
    int r = 0;
    for (const char *p = text; *p && r == 0;) {
        mountopts_next(&p, word);
        if (*word && strcmp(word, "remount") != 0)
            r = mountopts_take(o, &before, word, sloppy, e);
    }
    return r;
}

static void add_escaped(struct buffer *b, const char *word)
{
    if (b->n)
        buffer_string(b, ",");
    for (; *word; word++) {
        if (*word == ',' || *word == '\\')
            buffer_string(b, "\\");
        buffer_add(b, word, 1);
    }
}

char *mountopts_text(const struct mountopts *o)
{
    cleanup(buffer_free) struct buffer b = {0};
    for (size_t i = 0; i < KNOWN; i++) {
        const struct mountopt *k = &known[i];
        bool given = k->set ? o->set & k->set : o->clear & k->clear;
        if (k->kind == FUSE_FLAG && given)
            add_escaped(&b, k->name);
    }
    for (size_t i = 0; i < o->nwords; i++)
        add_escaped(&b, o->words[i]);
    buffer_add(&b, "", 1);
    return b.failed ? NULL : steal_ptr(&b.p);
}

void mountopts_clear(struct mountopts *o)
{
    options_clear(&o->values);
    options_free_kept(o->words, o->nwords);
    options_free_kept(o->ignored, o->nignored);
    free(o->idle);
}
