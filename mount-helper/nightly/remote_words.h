/* SPDX-License-Identifier: MIT */
/* What rclone(1) has said, and what it means. Facts: rclone 1.60.1, its exit codes as in its manual
 * ("Exit code"), its texts and those of its clients for Swift and S3 as they are seen. */
#ifndef INFLUXFS_NIGHTLY_REMOTE_WORDS_H
#define INFLUXFS_NIGHTLY_REMOTE_WORDS_H

#include <stddef.h>

#define REMOTE_WORDS 2048 /* bytes for a text, with its NUL; longer ones are cut off */

/* The error in rclone's standard error, which is any text, in one line: the last that it gives for why it
 * failed, without date and request numbers. Users and passwords in URLs, signatures in queries and the
 * parameters of remotes that are written out (":s3,secret_access_key=…:") are masked. Never empty. */
void remote_words(const char *text, int exit_code, char out[REMOTE_WORDS]);

/* The name of a remote as it may be shown: with such parameters masked. */
void remote_words_name(const char *name, char *out, size_t size);

/* What that error is: -ENOENT, -EACCES, -ENOSPC, -ENOTEMPTY, -EBADMSG (spoilt on the way), -EAGAIN,
 * -ENOEXEC or -EIO. For an exit code above 0. path: what rclone was asked about, or NULL; its name is no
 * part of what went wrong. */
int remote_words_code(const char *words, const char *path, int exit_code);

#endif
