/* SPDX-License-Identifier: MIT */
/*
 * Waiting for a remote that does not answer, for as long as it has patience:
 *
 *   struct remote_retry again = {.remote = r};
 *   do
 *       code = one attempt;
 *   while (remote_retry_again(&again, &code, e));
 *
 * The pauses are 1, 2, 4 … 60 seconds. Patience counts from the first failure on; from a later one after
 * an attempt that got further than any before, or one of a few that got somewhere.
 */
#ifndef INFLUXFS_NIGHTLY_REMOTE_RETRY_H
#define INFLUXFS_NIGHTLY_REMOTE_RETRY_H

#include "mount-helper/nightly/remote.h"

struct remote_retry {
    struct remote *remote;
    unsigned tries;      /* that failed in a row */
    int64_t since;       /* from when patience counts; 0: nothing has failed */
    uint64_t best;       /* bytes */
    unsigned stragglers; /* attempts that moved some bytes, and fewer */
};

/* Before remote_retry_again: how far an attempt got that failed. */
void remote_retry_moved(struct remote_retry *t, uint64_t bytes);

/* true: code was -EAGAIN, a pause has passed, and it may be tried again. Else code and *e stay, but for
 * -EINTR: the program is to stop; and for the time that was waited, which is added to the message. */
bool remote_retry_again(struct remote_retry *t, int *code, struct err *e);

#endif
