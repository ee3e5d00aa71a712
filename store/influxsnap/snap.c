/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/snap.h"

#include "store/base/cleanup.h"
#include "store/influx/config.h"
#include "store/influx/running.h"
#include "store/influx/seen.h"
#include "store/restore/session.h"
#include "store/snapshot/held.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define CONFIG "/etc/influxdb/influxdb.conf"

/* Whether a missing state folder is made. Where a store is to be read and none is there, its disk
 * may be missing, and what is below the mount point of that is not ours. */
static bool snap_makes_state(const struct snap *s, enum snap_need need)
{
    return need == SNAP_PATHS || (need > SNAP_PATHS && store_is_there(&s->paths));
}

int snap_open_folders(struct snap *s, enum snap_need need, struct err *e)
{
    struct err why = {0};
    if (s->paths.data)
        return 0;
    held_raise_limit(); /* a capture of a large store holds a descriptor for each file */
    int r = config_load(s->o.store ? s->o.store : CONFIG, &s->o.override, &s->paths, &why);
    if (r == -ENOENT)
        return err_set(e, r,
                       "%s; say where the store is: with -c, or by STORE= in the file that units "
                       "read, such as /etc/default/influxfs",
                       why.text);
    if (r < 0)
        return err_set(e, r, "%s", why.text);
    const bool make = snap_makes_state(s, need);
    if ((r = seen_look(&s->paths, s->o.state, make, e)) < 0)
        return r;
    autofree char *path = NULL;
    r = state_folder(&s->paths, s->o.state, make, &path);
    if (r < 0)
        s->lacking = err_set(&s->lacks, r, "state folder %s: %s", path ? path : "", strerror(-r));
    if (r == 0 || (path && access(path, R_OK | X_OK) == 0))
        s->state = steal_ptr(&path);
    return 0;
}

/* A store whose restore was cut off is unusable until that is finished or undone. */
static void snap_put_in_order(const struct snap *s)
{
    struct err why = {0};
    autoclose int state = s->state ? open(s->state, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    const struct session_options o = {.paths = &s->paths,
                                      .uid = (uid_t)-1,
                                      .gid = (gid_t)-1,
                                      .in_use = running_forbids,
                                      .state_fd = state};
    cleanup(session_closep) struct session *r = NULL;
    /* The store can still be read, unless it is half exchanged: then the capture says so. */
    if (session_open(&o, &r, &why) < 0)
        snap_say("%s", why.text);
    else if (*session_recovered(r))
        snap_warn("%s", session_recovered(r));
}

static int snap_open_snapshots(struct snap *s, struct err *e)
{
    struct err note = {0};
    int r = snapshots_open(&s->paths, s->lacking ? NULL : s->state, &s->snapshots, &note, e);
    if (r == 0 && s->o.allow_left_out)
        snapshots_allow_left_out(s->snapshots);
    if (r == 0 && note.text[0])
        snap_say("%s", note.text);
    return r;
}

static int snap_refuse_without_state(const struct snap *s, struct err *e)
{
    if (!store_is_there(&s->paths))
        return err_set(e, -ENOENT,
                       "there is no store: %s, %s and %s do not exist; see whether their disk is "
                       "mounted",
                       s->paths.meta, s->paths.data, s->paths.wal);
    return err_set(e, -ENOENT, "%s; cuts need one (--state=)", s->lacks.text);
}

int snap_open(struct snap *s, enum snap_need need, struct err *e)
{
    int r = snap_open_folders(s, need, e);
    if (r == 0 && need == SNAP_CUTS && s->lacking)
        r = snap_refuse_without_state(s, e);
    if (r == 0 && need >= SNAP_SNAPSHOTS && !s->snapshots)
        snap_put_in_order(s);
    if (r == 0 && need >= SNAP_UNTOUCHED && !s->snapshots)
        r = snap_open_snapshots(s, e);
    if (r == 0 && need >= SNAP_CUTS && !s->cuts)
        r = cuts_open(s->snapshots, s->state, &s->cuts, e);
    return r;
}

bool snap_cuts_unknown(const struct snap *s)
{
    return !s->state && s->lacking != -ENOENT && s->lacking != -ENOTDIR;
}

int snap_check_state(const struct snap *s, struct err *e)
{
    const bool there = !s->o.state || access(s->o.state, F_OK) == 0 || errno == EACCES;
    return there ? 0 : err_sys(e, -errno, "state folder %s", s->o.state);
}

void snap_close(struct snap *s)
{
    cuts_close(s->cuts);
    snapshots_close(s->snapshots);
    store_paths_free(&s->paths);
    free(s->state);
    s->state = NULL;
    s->cuts = NULL;
    s->snapshots = NULL;
}

/* Ending early */

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped++;
}

/* Without SA_RESTART, so that waits on a pipe or a lock notice. If something does not, a second
 * signal ends the program at once. A hangup ignored by nohup(1) stays ignored. */
void snap_catch_signals(void)
{
    struct sigaction sa = {.sa_handler = stop, .sa_flags = (int)SA_RESETHAND}, hangup;
    if (sigaction(SIGHUP, NULL, &hangup) == 0 && hangup.sa_handler != SIG_IGN)
        sigaction(SIGHUP, &sa, NULL);
    sigaction(SIGINT, &sa, NULL);
    sigaction(SIGTERM, &sa, NULL);
    sa = (struct sigaction){.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &sa, NULL);
}

bool snap_stopped(void *ctx)
{
    (void)ctx;
    return stopped;
}

int snap_signals(void)
{
    return stopped;
}

const struct tarball_reader snap_reader = {.interrupted = snap_stopped};
