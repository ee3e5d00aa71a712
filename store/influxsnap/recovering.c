/* SPDX-License-Identifier: MIT */
/* influxsnap recover: puts a store in order whose restore was cut off, before influxd starts on it. */
#include "store/base/cleanup.h"
#include "store/base/json.h"
#include "store/influx/running.h"
#include "store/influxsnap/snap.h"
#include "store/restore/install.h"
#include "store/restore/session.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#define AGAIN_US 100000

static void recover_notice(void *arg, const char *text)
{
    (void)arg;
    snap_warn("%s", text);
}

/* While another process exchanges the store, waits: influxd cannot start before that is over. One
 * that still receives a snapshot has not touched the store. */
static int recover_or_wait(const struct session_options *o, struct err *done, struct err *e)
{
    struct err under_way = {0};
    for (bool told = false;; told = true) {
        int r = session_recover(o, done, e);
        int looked = r == INSTALL_ELSEWHERE ? session_look(o->paths, &under_way, e) : 0;
        if (looked < 0 || !under_way.text[0])
            return looked < 0 ? looked : r;
        if (snap_stopped(NULL))
            return err_set(e, -EINTR, "interrupted: %s", done->text);
        if (!told)
            snap_note("%s; waiting for it", done->text);
        under_way.text[0] = 0;
        usleep(AGAIN_US);
    }
}

/* The folders are not there, or lie in each other: nothing can be owed. */
static bool cannot_be_restored(int r)
{
    return r == -ENOENT || r == -ENOTDIR || r == -EINVAL;
}

static int recover_exit_code(const struct snap *s, int r)
{
    if (r == -EBUSY && running_uses(&s->paths, NULL) == -EBUSY)
        return EXIT_IN_USE;
    return r == -EBADMSG ? EXIT_CORRUPT : EXIT_FAILED;
}

/* found: why nothing was done is a warning already. */
static void recover_print(const struct snap *s, enum install_found found, const struct err *done)
{
    if (s->o.json) {
        struct json_object *o = json_object_new_object();
        json_add_text(o, "done", found == INSTALL_IN_ORDER ? done->text : NULL);
        json_add(o, "warnings", snap_warnings_json());
        snap_print_json(o);
    } else {
        puts(found != INSTALL_IN_ORDER ? "nothing was done"
             : done->text[0]           ? done->text
                                       : "no restore was cut off");
    }
}

int snap_recover(struct snap *s)
{
    struct err e = {0}, done = {0};
    int r = snap_open(s, SNAP_LOOK, &e);
    if (r < 0)
        return snap_fail(r, &e);
    autoclose int state = s->state ? open(s->state, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    const struct session_options o = {.paths = &s->paths,
                                      .uid = (uid_t)-1,
                                      .gid = (gid_t)-1,
                                      .in_use = running_forbids,
                                      .state_fd = state,
                                      .notice = recover_notice};
    r = recover_or_wait(&o, &done, &e);
    if (r < 0 && !cannot_be_restored(r)) {
        snap_fail(r, &e);
        return recover_exit_code(s, r);
    }
    if (r == INSTALL_HIDDEN)
        return snap_fail(-EACCES, &done);
    if (r < 0)
        snap_note("%s", e.text);
    if (r > 0)
        snap_warn("%s", done.text);
    recover_print(s, r > 0 ? (enum install_found)r : INSTALL_IN_ORDER, &done);
    return EXIT_DONE;
}
