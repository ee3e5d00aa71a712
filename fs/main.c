/* SPDX-License-Identifier: MIT */
/* influxfs mounts an InfluxDB 1.x store. The life of the daemon, from command line to unmount. */
#include "fs/backups.h"
#include "fs/cutfile.h"
#include "fs/cutter.h"
#include "fs/daemon.h"
#include "fs/databases.h"
#include "fs/dumps.h"
#include "fs/fs.h"
#include "fs/generated_files.h"
#include "fs/notify.h"
#include "fs/now.h"
#include "fs/pace.h"
#include "fs/parts.h"
#include "fs/recorder.h"
#include "fs/reporter.h"
#include "fs/space.h"
#include "fs/status.h"
#include "fs/survey.h"
#include "fs/timer.h"
#include "fs/uploads.h"
#include "fs/view.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/mounts.h"
#include "store/base/time.h"
#include "store/influx/config.h"
#include "store/influx/running.h"
#include "store/influx/seen.h"
#include "store/restore/account.h"
#include "store/sets/arrival_tar.h"
#include "store/snapshot/held.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

/* Everything that the daemon holds, in the order of its making. */
struct daemon {
    struct options options;
    struct fuse_args fuse; /* what is left of them for libfuse */
    struct store_paths paths;
    char *mountpoint;
    char *state;      /* the state folder; NULL: none is writable */
    struct err lacks; /* why, and what is missing without it; else empty */
    struct fs fs;
    struct timer *timer;
    bool mounted;
    dev_t device; /* of the mount */
};

/* Many threads read, few allocate much: two heaps are enough and keep memory small. */
static void keep_memory_small(void)
{
    mallopt(M_ARENA_MAX, 2);
    mallopt(M_TRIM_THRESHOLD, 1 << 20);
    mallopt(M_MMAP_THRESHOLD, 256 << 10);
}

static void restored(void *arg)
{
    struct daemon *d = arg;
    fs_find_owner(&d->fs);
    instants_restored(d->fs.instants);
    parts_restored(d->fs.parts);
}

/* Finishing a restore that was cut off may take as long as removing a store. */
static void main_expect_delay(struct daemon *d)
{
    struct err what = {0}, words;
    if (!d->fs.notify || session_look(&d->paths, &what, NULL) != 0 || !what.text[0])
        return;
    err_set(&words, 0, "%s: a restore was cut off, and is finished or undone first",
            d->options.store);
    notify_delay(d->fs.notify, words.text);
}

static int main_open_restore(struct daemon *d, struct err *e)
{
    struct session_options o = {
        .paths = &d->paths,
        .uid = d->options.owner.uid,
        .gid = d->options.owner.gid,
        .in_use = d->options.force ? NULL : running_forbids,
        .state_fd = -1,
        .keep_expired = d->options.keep_expired,
        .translator = &arrival_tar,
        .restored = restored,
        .arg = d,
    };
    if (d->options.ro)
        return 0;
    autoclose int state = d->state ? open(d->state, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    o.state_fd = state;
    main_expect_delay(d);
    int r = session_open(&o, &d->fs.restore, e);
    if (r == 0)
        account_on_end(session_account(d->fs.restore), recorder_restore_ended, &d->fs);
    return r;
}

/* Says now, and not when the disk is full, that files will have to be copied. */
static int main_check_links(struct daemon *d, struct err *e)
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

/* A store to be restored into has no folders yet. But the file may be that of a container. */
static void main_warn_if_elsewhere(const struct store_paths *p)
{
    struct stat st;
    if (p->config && stat(p->meta, &st) < 0 && stat(p->data, &st) < 0 && stat(p->wal, &st) < 0)
        log_warning("%s: neither %s nor %s nor %s is here; paths of a container? then give the "
                    "folder that holds meta, data and wal here, instead of the file",
                    p->config, p->meta, p->data, p->wal);
}

/* Finds or makes the state folder. Its lack is not an error. */
static void main_open_state(struct daemon *d)
{
    autofree char *path = NULL;
    const char *given = d->options.state;
    int r = state_folder(&d->paths, given, true, &path);
    if (r == 0) {
        d->state = steal_ptr(&path);
        return;
    }
    err_set(&d->lacks, 0,
            "state folder %s: %s; without it checksums are computed again and now.tar gets another "
            "id after each mount (set -o state=)",
            path    ? path
            : given ? given
                    : "",
            strerror(-r));
}

/* The mount can do without it. */
static void main_find_id(struct daemon *d)
{
    struct err e = {0};
    if (d->state && store_id_get(d->state, &d->fs.id, &e) < 0)
        log_warning("%s", e.text);
}

/* Finishes what a killed restore left, then opens the memory of the store. */
static int main_open_store(struct daemon *d, struct err *e)
{
    struct err note = {0};
    main_open_state(d);
    main_find_id(d);
    int r = main_open_restore(d, e);
    if (r < 0)
        return r;
    r = snapshots_open(&d->paths, d->state, &d->fs.snapshots, &note, e);
    if (r == 0 && d->options.allow_left_out)
        snapshots_allow_left_out(d->fs.snapshots);
    if (r == 0 && d->state)
        r = cuts_open(d->fs.snapshots, d->state, &d->fs.cuts, e);
    if (d->fs.restore)
        session_use_cuts(d->fs.restore, d->fs.cuts);
    if (r < 0)
        return r;
    if (d->lacks.text[0] && d->options.every_ns)
        return err_set(e, -EROFS, "option every= needs a place for cuts; %s", d->lacks.text);
    if (d->lacks.text[0])
        log_warning("%s", d->lacks.text);
    if (note.text[0])
        log_warning("%s", note.text);
    return main_check_links(d, e);
}

static int main_build_tree(struct daemon *d)
{
    struct fs *fs = &d->fs;
    fs->options = &d->options;
    fs->paths = &d->paths;
    fs->mountpoint = d->mountpoint;
    fs->state = d->state;
    fs->lacks = d->lacks.text;
    fs->started_ns = time_wall_ns();
    if (getrandom(&fs->generation, sizeof(fs->generation), 0) < 0)
        return -errno;
    fs_find_owner(fs);
    fs->nodes = node_table_new();
    fs->status = status_new();
    fs->pace = pace_new(d->options.pace);
    if (!fs->nodes || !fs->status || !fs->pace)
        return -ENOMEM;
    cutfiles_init(fs);
    fs->parts = parts_new(fs);
    int r = fs->parts ? generated_files_new(fs) : -ENOMEM;
    if (r == 0)
        r = now_new(fs);
    if (r == 0)
        r = views_new(fs);
    return r < 0 ? r : fs_tree_new(fs);
}

/* The source in mount(8) and df(1). */
static int main_add_fuse_options(struct daemon *d)
{
    const char *name = d->paths.config ? d->paths.config : d->options.store;
    /* libfuse splits options at commas. */
    autofree char *opts = NULL, *source = malloc(2 * strlen(name) + 1);
    size_t n = 0;
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

static int main_mount(struct daemon *d, struct err *e)
{
    struct fs *fs = &d->fs;
    int r = main_add_fuse_options(d);
    if (r < 0)
        return r;
    logger_take_fuse(true);
    fs->session = fuse_session_new(&d->fuse, &fs_ops, sizeof(fs_ops), fs);
    if (!fs->session)
        return err_set(e, -EINVAL, "%s", logger_fuse_words());
    r = timer_catch_signals();
    if (r < 0)
        return err_sys(e, r, "signal handlers");
    r = d->options.mkdir ? mountpoint_make(d->mountpoint, e) : 0;
    if (r == 0)
        r = mounting_do(fs->session, d->mountpoint, e);
    if (r < 0)
        return r;
    d->mounted = true;
    r = mounts_device_at(d->mountpoint, &d->device);
    if (r < 0)
        log_warning("mountpoint %s: the kernel's table of mounts: %s", d->mountpoint, strerror(-r));
    return init_flags_ask(fs->session);
}

static int main_start(struct daemon *d, struct err *e)
{
    int r = config_load(d->options.store, &d->options.override, &d->paths, e);
    if (r == 0)
        main_warn_if_elsewhere(&d->paths);
    if (r == 0)
        r = mountpoint_prepare(&d->options, &d->paths, &d->mountpoint, e);
    if (r == 0)
        r = seen_look(&d->paths, d->options.state, true, e);
    if (r == 0)
        r = main_open_store(d, e);
    if (r == 0)
        r = main_build_tree(d);
    if (r == 0)
        r = main_mount(d, e);
    if (r == 0)
        r = space_new(d->paths.data, d->fs.state, &d->fs.space);
    if (r == 0)
        r = survey_new(&d->paths, &d->fs.survey);
    if (r == 0)
        r = reporter_new(&d->fs, &d->fs.reporter);
    if (r == 0 && d->state)
        r = recorder_new(d->state, &d->fs.recorder);
    if (r == 0)
        r = timer_start(&d->fs, &d->timer);
    if (r == 0)
        r = cutter_start(&d->fs);
    if (r < 0 && !e->text[0])
        err_sys(e, r, "starting");
    return r;
}

static int main_serve(struct daemon *d)
{
    struct fuse_loop_config *config = fuse_loop_cfg_create();
    if (!config)
        return -ENOMEM;
    /* A copy into restore/ blocks its thread; readers must find another. */
    fuse_loop_cfg_set_max_threads(config, 32);
    fuse_loop_cfg_set_idle_threads(config, 8);
    logger_take_fuse(false);
    int r = fuse_session_loop_mt(d->fs.session, config);
    fuse_loop_cfg_destroy(config);
    /* A signal that ended the loop is as good as an unmount. And a request being read at the
     * unmount fails with an error that libfuse does not expect. */
    return r < 0 && r != -ECONNABORTED ? r : 0;
}

static void main_stop(struct daemon *d)
{
    struct fs *fs = &d->fs;
    timer_stop(d->timer);
    /* Before anything waits for a disk that may hang. */
    bool left = !d->mounted || mountpoint_leave(fs->session, d->mountpoint, d->device);
    space_free(fs->space);
    reporter_free(fs->reporter);
    survey_free(fs->survey);
    if (fs->session && left)
        fuse_session_destroy(fs->session);
    cutter_stop(fs->cutter);
    generated_files_end(fs->generated);
    dumps_drop_all(fs->dumps);
    backup_sets_drop_all(fs->backups);
    parts_free(fs->parts);
    instants_free(fs->instants);
    node_table_free(fs->nodes);
    materials_clear(&fs->cut_tars);
    generated_files_free(fs->generated);
    materials_clear(&fs->backup_files);
    views_free(fs->views);
    dumps_free(fs->dumps);
    databases_free(fs->databases);
    backup_sets_free(fs->backups);
    uploads_free(fs->uploads);
    pace_free(fs->pace);
    status_free(fs->status);
    cuts_close(fs->cuts);
    snapshots_close(fs->snapshots);
    session_close(fs->restore);
    notify_close(fs->notify);
    recorder_free(fs->recorder);
    free(d->state);
    free(d->mountpoint);
    store_paths_free(&d->paths);
    options_clear(&d->options);
    fuse_opt_free_args(&d->fuse);
}

static int main_run(struct daemon *d)
{
    struct err e = {0}, deaf;
    logger_start(d->options.log);
    int ready = d->options.foreground ? -1 : detach_start();
    if (!d->options.foreground && ready < 0) {
        log_error("going to the background: %s", strerror(-ready));
        return EXIT_FAILURE;
    }
    held_raise_limit(); /* a capture of a large store holds a descriptor for each file */
    keep_memory_small();
    if (d->options.pace != PACE_OFF)
        detach_give_way(!d->options.foreground);
    if (notify_open(&d->fs.notify, &deaf) < 0)
        log_warning("%s", deaf.text);
    int r = main_start(d, &e);
    if (r == 0)
        r = notify_ready(d->fs.notify, d->mountpoint, ready >= 0, &e);
    if (r < 0) {
        notify_failed(d->fs.notify, r, e.text);
        log_error("%s", e.text);
        return EXIT_FAILURE;
    }
    /* Relative paths are resolved by now; frees the folder that influxfs was started in. */
    if (chdir("/") < 0)
        log_error("/: %s", strerror(errno));
    if (ready >= 0) {
        logger_to_syslog();
        detach_ready(ready);
    }
    r = main_serve(d);
    notify_stopping(d->fs.notify);
    if (r < 0)
        log_error("serving ended: %s", strerror(-r));
    return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    struct err e = {0};
    static struct daemon d;
    io_guard_stdio();
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
        code = main_run(&d);
    }
    main_stop(&d);
    return code;
}
