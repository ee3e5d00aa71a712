/* SPDX-License-Identifier: MIT */
/*
 * The signals that end the mount: SIGHUP, SIGINT and SIGTERM, unless they were ignored from the
 * start.
 *
 * libfuse's own handlers end its loop at once, and requests that it has just read are lost. While
 * the kernel is being told something, it may wait for a folder that such a request has locked, for
 * ever. So here a signal only wakes the one thread that tells the kernel anything (timer.h), and
 * that ends the loop.
 */
#ifndef INFLUXFS_FS_SIGNALS_H
#define INFLUXFS_FS_SIGNALS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* From now on, and to the end of the process. */
int signals_catch(void);

/* Waits until a time on the monotonic clock, a signal, or signals_wake; for one thread. */
void signals_wait(int64_t until_ns);
void signals_wake(void);

/* Whether a signal has come, ever. */
bool signals_came(void);

/* Interrupts a system call that the thread waits in. */
void signals_interrupt(pthread_t thread);

#endif
