/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t stopped;

static void stop(int number)
{
    (void)number;
    stopped = 1;
}

/* Without SA_RESTART: what waits on a pipe or a lock is to notice. A second signal, while something
 * does not, ends it at once. A hangup that nohup(1) has made to be ignored stays so. */
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

const struct tarball_reader snap_reader = {.interrupted = snap_stopped};
