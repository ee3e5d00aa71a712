/* SPDX-License-Identifier: MIT */
#include "fs/daemon.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <fuse_lowlevel.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "usage: influxfs [-f] [-d] [-o OPTION[,OPTION…]] STORE MOUNTPOINT\n"
    "\n"
    "Mounts the InfluxDB 1.x store STORE (an influxdb.conf, or a folder that holds meta, data\n"
    "and wal), so that copying MOUNTPOINT/snapshots/now.tar is a backup, and copying it into\n"
    "MOUNTPOINT/restore/ a restore.\n"
    "\n";

struct reading {
    struct options *o;
    struct err *e;
    int r;                           /* of the first option that could not be read */
    const struct option_def *before; /* NULL: no option of ours stands before the next word */
};

/* STORE and MOUNTPOINT are the two arguments that are not options. */
static int take_argument(struct options *o, const char *arg)
{
    char **place = !o->store ? &o->store : !o->mountpoint ? &o->mountpoint : NULL;
    if (!place)
        return -1;
    *place = strdup(arg);
    return *place ? 0 : -1;
}

/* What libfuse would not say, or would take. */
static int arguments_refuse(const char *arg, struct err *e)
{
    if (strncmp(arg, "max_read=", 9) == 0)
        return err_set(e, -EINVAL, "option max_read: the size of reads is fixed");
    if (strcmp(arg, "remount") == 0)
        return err_set(e, -EINVAL,
                       "option remount: that is mount.influxfs's work, which mount(8) looks for in "
                       "/sbin; without it mount -i -o remount changes ro and rw");
    return 0;
}

/* Returns, as libfuse expects, 1 to leave the argument to libfuse. */
static int arguments_take(void *data, const char *arg, int key, struct fuse_args *args)
{
    struct reading *in = data;
    const char *value;
    (void)args;
    if (key == FUSE_OPT_KEY_NONOPT) {
        in->before = NULL;
        return take_argument(in->o, arg);
    }
    const struct option_def *d = options_find_after(in->before, arg, &value);
    in->before = d;
    in->o->allow_other |= strcmp(arg, "allow_other") == 0;
    if (in->r == 0 && *arg != '-')
        in->r = options_keep(&in->o->mount_options, &in->o->nmount_options, arg, value == arg);
    if (d && in->r == 0)
        in->r = options_read(d, OPTION_INFLUXFS, value, in->o, in->e);
    else if (strcmp(arg, "rw") == 0)
        in->o->ro = false; /* the last of the two counts, as for the kernel */
    else if (in->r == 0)
        in->r = arguments_refuse(arg, in->e);
    /* The kernel and libfuse need these too. */
    return !d || strcmp(arg, "ro") == 0 || strcmp(arg, "-d") == 0;
}

/* Without -o "$OPTIONS" where there are none. */
static int arguments_copy(int argc, char **argv, struct fuse_args *out)
{
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "-o") == 0 && i + 1 < argc && !*argv[i + 1])
            i++;
        else if (fuse_opt_add_arg(out, argv[i]) < 0)
            return -ENOMEM;
    }
    return 0;
}

/* Only libfuse knows its own options. It tells when it makes a session, for which it is too early. */
static int arguments_try(const struct fuse_args *left, struct err *e)
{
    const struct fuse_lowlevel_ops none = {0};
    struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
    int r = 0;
    for (int i = 0; r == 0 && i < left->argc; i++)
        r = fuse_opt_add_arg(&args, left->argv[i]);
    logger_take_fuse(true);
    struct fuse_session *session =
        r == 0 ? fuse_session_new(&args, &none, sizeof(none), NULL) : NULL;
    fuse_opt_free_args(&args);
    if (!session)
        return r < 0 ? -ENOMEM
                     : err_set(e, -EINVAL, "%s; see influxfs --help", logger_fuse_words());
    fuse_session_destroy(session);
    return 0;
}

int arguments_parse(int argc, char **argv, struct options *out, struct fuse_args *left,
                    struct err *e)
{
    struct reading in = {.o = out, .e = e};
    *left = (struct fuse_args)FUSE_ARGS_INIT(0, NULL);
    options_default(out);
    out->log = LOG_LEVEL_INFO;
    if (arguments_copy(argc, argv, left) < 0)
        return -ENOMEM;
    if (fuse_opt_parse(left, &in, NULL, arguments_take) < 0)
        return err_set(e, -EINVAL, "needs one STORE and one MOUNTPOINT; see influxfs --help");
    /* libfuse leaves it, and would not take for options what it adds after it. */
    if (left->argc > 1 && strcmp(left->argv[left->argc - 1], "--") == 0) {
        char **last = &left->argv[--left->argc];
        free(steal_ptr(last));
    }
    out->foreground |= out->debug;
    if (out->help || out->version)
        return 0;
    if (!out->store || !out->mountpoint)
        return err_set(e, -EINVAL, "needs a STORE and a MOUNTPOINT; see influxfs --help");
    if (in.r == 0 && out->keep == 0)
        return err_set(e, -EINVAL, "option keep=0: at least one number is kept");
    return in.r == 0 ? arguments_try(left, e) : in.r;
}

void arguments_help(void)
{
    fputs(usage, stdout);
    for (const struct option_def *d = options_table; d->help; d++)
        if (d->takers & OPTION_INFLUXFS)
            options_print(d, OPTION_INFLUXFS);
    printf("  %-27s let other users in; and libfuse's other options\n", "-o allow_other");
}
