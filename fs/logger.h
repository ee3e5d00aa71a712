/* SPDX-License-Identifier: MIT */
/* Where the log (store/base/log.h) and libfuse's own words go: stderr, a line each after
 * "influxfs: ", until influxfs goes to the background; then syslog(3), with the priority of its
 * level. */
#ifndef INFLUXFS_FS_LOGGER_H
#define INFLUXFS_FS_LOGGER_H

#include "store/base/log.h"

void logger_start(enum log_level most); /* may be called again, for another level */
void logger_to_syslog(void);

/* libfuse's last line is kept instead of printed, for logger_fuse_words. */
void logger_catch_fuse(void);
const char *logger_fuse_words(void);

/* From now on its lines are logged as they come. */
void logger_pass_fuse(void);

#endif
