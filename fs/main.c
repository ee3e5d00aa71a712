/* SPDX-License-Identifier: MIT */
/* influxfs: mounts an InfluxDB 1.x store. This file is the life of the daemon, from its command
 * line to the unmount. */
#include "fs/arguments.h"
#include "fs/cutfile.h"
#include "fs/cutter.h"
#include "fs/detach.h"
#include "fs/drops.h"
#include "fs/dumps.h"
#include "fs/fs.h"
#include "fs/logger.h"
#include "fs/mapping.h"
#include "fs/mountpoint.h"
#include "fs/named.h"
#include "fs/now.h"
#include "fs/owner.h"
#include "fs/pace.h"
#include "fs/signals.h"
#include "fs/space.h"
#include "fs/state.h"
#include "fs/status.h"
#include "fs/timer.h"
#include "fs/view.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/keeper.h"
#include "store/influx/config.h"
#include "store/influx/running.h"
#include "store/influx/seen.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>

/* Everything that the daemon holds, in the order in which it is made. */
struct daemon {
    struct options options;
    struct fuse_args fuse; /* what is left of them for libfuse */
    struct store_paths paths;
    char *mountpoint;
    struct state state;
    struct fs fs;
    struct timer *timer;
    bool mounted;
};

/* Many threads read, few allocate much: two heaps are enough, and keep memory small. */
static void keep_memory_small(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

static void find_owner(struct daemon *d)
{
    uid_t uid;
    gid_t gid;
    owner_of_store(&d->paths, d->options.owner.uid, d->options.owner.gid, &uid, &gid);
    atomic_store(&d->fs.uid, uid);
    atomic_store(&d->fs.gid, gid);
}

static void restored(void *arg)
{
    struct daemon *d = arg;
    find_owner(d);
    now_restored(d->fs.now);
}

static int open_restore(struct daemon *d, struct err *e)
{
    struct session_options o = {
        .paths = &d->paths,
        .uid = d->options.owner.uid,
        .gid = d->options.owner.gid,
        .in_use = d->options.force ? NULL : running_uses,
        .state_fd = -1,
        .keep_expired = d->options.keep_expired,
        .restored = restored,
        .arg = d,
    };
    if (d->options.ro)
        return 0;
    autoclose int state =
        d->state.path ? open(d->state.path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    o.state_fd = state;
    return session_open(&o, &d->fs.restore, e);
}

/* Where files have to be copied that is said now, and not when the disk is full. */
static int check_links(struct daemon *d, struct err *e)
{
    struct fs *fs = &d->fs;
    if (!fs->cuts)
        return 0;
    int r = cut_links_try(fs->cuts, &d->paths, &d->options.rules, &fs->links, e);
    if (r == 0 && d->options.every_ns)
        r = cut_links_room(fs->cuts, &d->options.rules, &fs->links, e);
    if (r == 0 && fs->links.files)
        log_warning("cuts copy files rather than link them, %llu of them, %llu bytes: %s",
                    (unsigned long long)fs->links.files, (unsigned long long)fs->links.bytes,
                    fs->links.why.text);
    return r;
}

/* Finishes what a killed restore left, then opens what is remembered of the store. */
static int open_store(struct daemon *d, struct err *e)
{
    struct err note = {0};
    state_open(&d->paths, d->options.state, &d->state);
    int r = open_restore(d, e);
    if (r < 0)
        return r;
    r = snapshots_open(&d->paths, d->state.path, &d->fs.snapshots, &note, e);
    if (r == 0 && d->options.allow_left_out)
        snapshots_allow_left_out(d->fs.snapshots);
    if (r == 0 && d->state.path)
        r = cuts_open(d->fs.snapshots, d->state.path, &d->fs.cuts, e);
    if (r < 0)
        return r;
    if (d->state.lacks.text[0] && d->options.every_ns)
        return err_set(e, -EROFS, "option every= needs a place for cuts; %s", d->state.lacks.text);
    if (d->state.lacks.text[0])
        log_warning("%s", d->state.lacks.text);
    if (note.text[0])
        log_warning("%s", note.text);
    return check_links(d, e);
}

static int build_tree(struct daemon *d)
{
    struct fs *fs = &d->fs;
    fs->options = &d->options;
    fs->paths = &d->paths;
    fs->mountpoint = d->mountpoint;
    fs->state = d->state.path;
    fs->lacks = d->state.lacks.text;
    fs->started_ns = io_now_ns();
    find_owner(d);
    fs->nodes = node_table_new();
    fs->status = status_new();
    fs->pace = pace_new(d->options.pace);
    if (!fs->nodes || !fs->status || !fs->pace)
        return -ENOMEM;
    int r = now_new(fs);
    if (r == 0)
        r = named_new(fs);
    if (r == 0)
        r = cutfiles_new(fs);
    if (r == 0)
        r = views_new(fs);
    return r < 0 ? r : fs_tree_new(fs);
}

/* What mount(8) and df(1) show as the source. */
static int add_fuse_options(struct daemon *d)
{
    autofree char *opts = NULL, *source = NULL;
    const char *name = d->paths.config ? d->paths.config : d->options.store;
    /* libfuse splits options at commas. */
    size_t n = 0;
    source = malloc(2 * strlen(name) + 1);
    if (!source)
        return -ENOMEM;
    for (const char *p = name; *p; p++) {
        if (*p == ',' || *p == '\\')
            source[n++] = '\\';
        source[n++] = *p;
    }
    source[n] = 0;
    if (asprintf(&opts, "-odefault_permissions,subtype=influxfs,fsname=%s", source) < 0)
        return -ENOMEM;
    return fuse_opt_insert_arg(&d->fuse, 1, opts) < 0 ? -ENOMEM : 0;
}

static int mount_it(struct daemon *d, struct err *e)
{
    struct fs *fs = &d->fs;
    int r = add_fuse_options(d);
    if (r < 0)
        return r;
    logger_catch_fuse();
    fs->session = fuse_session_new(&d->fuse, &fs_ops, sizeof(fs_ops), fs);
    if (!fs->session)
        return err_set(e, -EINVAL, "%s; see influxfs --help", logger_fuse_words());
    r = signals_catch();
    if (r < 0)
        return err_sys(e, r, "signal handlers");
    if (fuse_session_mount(fs->session, d->mountpoint) < 0)
        return err_set(e, -EIO, "mountpoint %s: %s", d->mountpoint, logger_fuse_words());
    d->mounted = true;
    return mapping_allow(fs->session);
}

static int start(struct daemon *d, struct err *e)
{
    int r = config_load(d->options.store, &d->options.override, &d->paths, e);
    if (r == 0)
        r = seen_look(&d->paths, d->options.state, true, e);
    if (r == 0)
        r = mountpoint_prepare(d->options.mountpoint, &d->paths, &d->mountpoint, e);
    if (r == 0)
        r = open_store(d, e);
    if (r == 0)
        r = build_tree(d);
    if (r == 0)
        r = mount_it(d, e);
    if (r == 0)
        r = space_new(d->paths.data, d->fs.state, &d->fs.space);
    if (r == 0)
        r = timer_start(&d->fs, &d->timer);
    if (r == 0)
        r = cutter_start(&d->fs);
    if (r < 0 && !e->text[0])
        err_sys(e, r, "starting");
    return r;
}

static int serve(struct daemon *d)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return -ENOMEM;
    /* A copy into restore/ waits in its thread; readers must find another. */
    fuse_loop_cfg_set_max_threads(config, 32);
    fuse_loop_cfg_set_idle_threads(config, 8);
    logger_pass_fuse();
    int r = fuse_session_loop_mt(d->fs.session, config);
    fuse_loop_cfg_destroy(config);
    /* What ended it may have been a signal, which is as good as an unmount. And a request that is
     * being read when the last user goes ends with another error than libfuse expects. */
    return r < 0 && r != -ECONNABORTED ? r : 0;
}

static void stop(struct daemon *d)
{
    struct fs *fs = &d->fs;
    timer_stop(d->timer);
    space_free(fs->space);
    if (d->mounted)
        fuse_session_unmount(fs->session);
    if (fs->session)
        fuse_session_destroy(fs->session);
    cutter_stop(fs->cutter);
    dumps_drop_all(fs->dumps);
    now_drop_all(fs->now);
    named_drop_all(fs->named);
    node_table_free(fs->nodes);
    now_free(fs->now);
    named_free(fs->named);
    cutfiles_free(fs->cutfiles);
    views_free(fs->views);
    dumps_free(fs->dumps);
    drops_free(fs->drops);
    pace_free(fs->pace);
    status_free(fs->status);
    cuts_close(fs->cuts);
    snapshots_close(fs->snapshots);
    session_close(fs->restore);
    state_close(&d->state);
    free(d->mountpoint);
    store_paths_free(&d->paths);
    options_clear(&d->options);
    fuse_opt_free_args(&d->fuse);
}

static int run(struct daemon *d)
{
    struct err e = {0};
    logger_start(d->options.log);
    int ready = d->options.foreground ? -1 : detach_start();
    if (!d->options.foreground && ready < 0) {
        log_error("going to the background: %s", strerror(-ready));
        return EXIT_FAILURE;
    }
    keepers_raise_limit(); /* a capture of a large store holds a descriptor for each file */
    keep_memory_small();
    detach_give_way();
    int r = start(d, &e);
    if (r < 0) {
        log_error("%s", e.text);
        return EXIT_FAILURE;
    }
    /* Relative paths have been resolved; the folder that it was started in is let go. */
    if (chdir("/") < 0)
        log_error("/: %s", strerror(errno));
    if (ready >= 0) {
        logger_to_syslog();
        detach_ready(ready);
    }
    r = serve(d);
    if (r < 0)
        log_error("serving ended: %s", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    static struct daemon d;
    detach_guard_stdio();
    logger_start(LOG_LEVEL_INFO);
    int code = EXIT_SUCCESS;
    if (arguments_parse(argc, argv, &d.options, &d.fuse, &e) < 0) {
        log_error("%s", e.text);
        code = 2;
    } else if (d.options.help) {
        arguments_help();
    } else if (d.options.version) {
        printf("influxfs %s, libfuse %s\n", INFLUXFS_VERSION, fuse_pkgversion());
    } else {
        code = run(&d);
    }
    stop(&d);
    return code;
}
