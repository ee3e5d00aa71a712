/* SPDX-License-Identifier: MIT */
/* Running influxfs, from whatever environment mount(8) or systemd give. */
#ifndef INFLUXFS_MOUNT_LAUNCH_H
#define INFLUXFS_MOUNT_LAUNCH_H

#include "store/base/err.h"

#include <stdbool.h>

/* As mount(8) exits. 16 stands for mtab, which is no file any more; 64, for some of several mounts,
 * is mount(8)'s own. */
enum launch_exit {
    LAUNCH_DONE = 0,
    LAUNCH_USAGE = 1, /* a wrong argument, or no permission */
    LAUNCH_SYSTEM = 2,
    LAUNCH_BUG = 4,
    LAUNCH_INTERRUPTED = 8,
    LAUNCH_FAILED = 32,
};

/* Runs influxfs -o OPTIONS -- STORE FOLDER, and waits until it has mounted or says why not, which it
 * does on standard error. influxfs is the one beside this program, as built or as installed, or in a
 * fixed folder: never one of PATH, which is a user's when a user mounts. No shell is run. options
 * may be "". verbose: prints the command. SIGINT, SIGTERM and SIGHUP end influxfs before it mounts,
 * unless they are ignored. Where the code alone says too little, *e has a message. */
enum launch_exit launch(const char *options, const char *store, const char *folder, bool verbose,
                        struct err *e);

#endif
