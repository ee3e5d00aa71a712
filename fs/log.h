/* SPDX-License-Identifier: MIT */
/* Where influxfs says things: stderr until it goes to the background, then syslog. */
#ifndef INFLUXFS_FS_LOG_H
#define INFLUXFS_FS_LOG_H

void log_line(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_to_syslog(void);

/* libfuse's own words: the last line is kept instead of printed, for log_fuse_words. */
void log_catch_fuse(void);
const char *log_fuse_words(void);
/* From now on libfuse's words are logged as they come. */
void log_pass_fuse(void);

#endif
