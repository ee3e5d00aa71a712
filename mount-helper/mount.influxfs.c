/* SPDX-License-Identifier: MIT */
/*
 * mount.influxfs: what mount(8) runs for the types influxfs and fuse.influxfs.
 *
 * mount(8) gives it whatever environment it has itself: perhaps none, with no standard streams, and
 * for a user's mount that user's. So influxfs is found without PATH, and run without a shell.
 */
#include "mount-helper/idletime.h"
#include "mount-helper/launch.h"
#include "mount-helper/remount.h"
#include "store/base/buffer.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/influx/config.h"
#include "store/influx/mountplace.h"
#include "store/influx/running.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#define FSTAB "/etc/fstab"

struct call {
    const char *source, *folder, *type, *namespace;
    struct buffer text; /* of all -o, -r and -w */
    struct mountopts options;
    bool fake, sloppy, verbose, help, version;
};

static const char usage[] =
    "usage: mount.influxfs SOURCE DIR [-sfnvrw] [-N NAMESPACE] [-o OPTION[,OPTION…]]\n"
    "                      [-t influxfs|fuse.influxfs]\n"
    "\n"
    "Mounts the InfluxDB 1.x store SOURCE (an influxdb.conf, or a folder that holds meta, data\n"
    "and wal) on DIR, for mount(8): mount -t influxfs SOURCE DIR, or a line in fstab.\n"
    "\n"
    "  -s   tolerate unknown options        -n   nothing: there is no mtab to write\n"
    "  -f   check everything, mount nothing -v   say what is done\n"
    "  -r   as -o ro                        -w   as -o rw\n"
    "  -h   print this                      -V   print the version\n"
    "\n"
    "The options are those of influxfs (see influxfs --help) and of mount(8).\n";

static void say(const char *text)
{
    fprintf(stderr, "mount.influxfs: %s\n", text);
}

static void add_options(struct call *c, const char *text)
{
    buffer_string(&c->text, ",");
    buffer_string(&c->text, text);
}

static int take_argument(struct call *c, const char *arg, struct err *e)
{
    const char **place = !c->source ? &c->source : !c->folder ? &c->folder : NULL;
    if (!place)
        return err_set(e, -EINVAL, "%s: a third argument; it takes SOURCE and DIR", arg);
    *place = arg;
    return 0;
}

static int mount_take(struct call *c, int option, char *value, struct err *e)
{
    switch (option) {
    case 's':
        c->sloppy = true;
        break;
    case 'f':
        c->fake = true;
        break;
    case 'v':
        c->verbose = true;
        break;
    case 'h':
        c->help = true;
        break;
    case 'V':
        c->version = true;
        break;
    case 't':
        c->type = value;
        break;
    case 'N':
        c->namespace = value;
        break;
    case 'n':
        break;
    case 'r':
    case 'w':
        add_options(c, option == 'r' ? "ro" : "rw");
        break;
    case 'o':
        add_options(c, value);
        break;
    case 1:
        return take_argument(c, value, e);
    default:
        return err_set(e, -EINVAL, "argument -%c: %s; see mount.influxfs -h", optopt,
                       option == ':' ? "it needs a value" : "unknown");
    }
    return 0;
}

static int mount_parse(int argc, char **argv, struct call *c, struct err *e)
{
    static const struct option words[] = {
        {"help", no_argument, NULL, 'h'}, {"version", no_argument, NULL, 'V'}, {0}};
    int r = 0, option;
    /* With the dash, arguments come as they stand, and POSIXLY_CORRECT does not count. */
    while (r == 0 && (option = getopt_long(argc, argv, "-:sfnvrwo:t:N:hV", words, NULL)) != -1)
        r = mount_take(c, option, optarg, e);
    for (; r == 0 && optind < argc; optind++) /* after -- */
        r = take_argument(c, argv[optind], e);
    if (r < 0 || c->help || c->version)
        return r;
    if (!c->folder)
        return err_set(e, -EINVAL, "needs SOURCE and DIR; see mount.influxfs -h");
    if (c->type && strcmp(c->type, "influxfs") != 0 && strcmp(c->type, "fuse.influxfs") != 0)
        return err_set(e, -EINVAL, "type %s: it mounts influxfs and fuse.influxfs", c->type);
    buffer_add(&c->text, "", 1);
    return c->text.failed ? -ENOMEM : mountopts_read(c->text.p, c->sloppy, &c->options, e);
}

static int enter_namespace(const char *name, struct err *e)
{
    char path[PATH_MAX];
    bool is_pid = name[strspn(name, "0123456789")] == 0;
    snprintf(path, sizeof(path), is_pid ? "/proc/%s/ns/mnt" : "%s", name);
    autoclose int fd = open(path, O_RDONLY | O_CLOEXEC);
    return fd < 0 || setns(fd, CLONE_NEWNS) < 0 ? err_sys(e, -errno, "namespace %s", path) : 0;
}

/* What the daemon would find as well; it is not started. */
static int mount_fake(const struct call *c, struct err *e)
{
    cleanup(store_paths_free) struct store_paths paths = {0};
    const struct options *o = &c->options.values;
    autofree char *place = NULL;
    struct stat st;
    int r = config_load(c->source, &o->override, &paths, e);
    if (r == 0 && (r = mountplace_find(c->folder, &place)) < 0)
        return err_sys(e, r, "mountpoint %s", c->folder);
    if (r == 0)
        r = mountplace_check(place, &paths, o->state, e);
    if (r == 0)
        r = running_mismatch(&paths, NULL, e);
    if (r < 0)
        return r;
    if (stat(place, &st) < 0) { /* a dead influxfs there would be taken away */
        bool would_do = errno == ENOTCONN || (errno == ENOENT && o->mkdir);
        return would_do ? 0 : err_sys(e, -errno, "mountpoint %s", c->folder);
    }
    return S_ISDIR(st.st_mode) ? 0 : err_set(e, -ENOTDIR, "mountpoint %s: not a folder", c->folder);
}

static void mount_warn_of_idle_time(const struct call *c)
{
    struct err where = {0}, warning;
    autofree char *real = realpath(c->folder, NULL);
    if (!c->options.values.every_ns ||
        !idletime_is_set(real ? real : c->folder, c->options.idle, FSTAB, &where))
        return;
    err_set(&warning, 0,
            "warning: %s is unmounted when it is idle (%s), and every= makes no cuts then: use "
            "influxfs-cut.timer instead of every=",
            c->folder, where.text);
    say(warning.text);
}

static void say_ignored(const struct mountopts *o)
{
    for (size_t i = 0; i < o->nignored; i++)
        printf("mount.influxfs: unknown option %s is ignored\n", o->ignored[i]);
}

/* The exit code for a refusal of ours, which always has words. */
static enum launch_exit mount_refused(int r, enum launch_exit otherwise, struct err *e)
{
    if (!e->text[0])
        err_sys(e, r, "starting");
    return r == -ENOMEM ? LAUNCH_SYSTEM : r == -EPERM ? LAUNCH_USAGE : otherwise;
}

static enum launch_exit mount_call(const struct call *c, struct err *e)
{
    if (c->verbose)
        say_ignored(&c->options);
    int r = c->namespace ? enter_namespace(c->namespace, e) : 0;
    if (r < 0)
        return mount_refused(r, LAUNCH_SYSTEM, e);
    if (c->options.remount) {
        r = remount(c->folder, &c->options, c->fake, e);
        return r < 0 ? mount_refused(r, LAUNCH_FAILED, e) : LAUNCH_DONE;
    }
    mount_warn_of_idle_time(c);
    if (c->fake) {
        r = mount_fake(c, e);
        return r < 0 ? mount_refused(r, LAUNCH_FAILED, e) : LAUNCH_DONE;
    }
    autofree char *text = mountopts_text(&c->options);
    if (!text)
        return mount_refused(-ENOMEM, LAUNCH_SYSTEM, e);
    return launch(text, c->source, c->folder, c->verbose, e);
}

int main(int argc, char **argv)
{
    struct call c = {0};
    struct err e = {0};
    enum launch_exit code = LAUNCH_DONE;
    io_guard_stdio();
    int r = mount_parse(argc, argv, &c, &e);
    if (r < 0)
        code = mount_refused(r, LAUNCH_USAGE, &e);
    else if (c.help)
        fputs(usage, stdout);
    else if (c.version)
        puts("mount.influxfs " INFLUXFS_VERSION);
    else
        code = mount_call(&c, &e);
    if (e.text[0])
        say(e.text);
    mountopts_clear(&c.options);
    buffer_free(&c.text);
    return code;
}
