/* SPDX-License-Identifier: MIT */
/* The inside of a session, for session.c, increments.c and outcome.c; others use session.h or
 * session_upload.h. Each part guards itself but for the record and the advice, which are of
 * whoever has the staging area. */
#ifndef INFLUXFS_RESTORE_SESSION_PARTS_H
#define INFLUXFS_RESTORE_SESSION_PARTS_H

#include "store/restore/account.h"
#include "store/restore/advice.h"
#include "store/restore/parked.h"
#include "store/restore/record.h"
#include "store/restore/session_options.h"
#include "store/restore/staging.h"

struct session {
    struct session_options options; /* paths and state_fd are not used from here */
    struct account *account;
    struct staging *staging;
    struct parked *parked;
    struct record *record; /* what was restored last, */
    struct advice advice;  /* and what to know of it */
};

#endif
