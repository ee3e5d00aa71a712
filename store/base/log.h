/* SPDX-License-Identifier: MIT */
/*
 * The program's log. Nothing is written until a program sets a hook; a line below its level costs
 * one comparison.
 *
 *   error    a request failed
 *   warning  it succeeded, but an operator should look at something
 *   info     what was done: a few lines a day
 *   debug    how it was done: for finding faults
 *
 * A function that returns an error does not log it as well: its caller knows whether it matters.
 * Safe in any thread, with any lock held.
 */
#ifndef INFLUXFS_BASE_LOG_H
#define INFLUXFS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error", "warning", "info", "debug", NULL */
extern const char *const log_level_names[];

/* Called in the thread that logs, with a line that has no newline and whose control bytes are '?'.
 * Must not log, nor take a lock that is held while logging. */
typedef void log_hook(enum log_level level, const char *line);

/* Lines up to this level go to the hook. Call this while there is one thread. */
void log_set(log_hook *hook, enum log_level most);

#define log_error(...) log_at(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_at(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...) log_at(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...) log_at(LOG_LEVEL_DEBUG, __VA_ARGS__)

#define log_at(level, ...) ((level) <= log_most ? log_write((level), __VA_ARGS__) : (void)0)

/* For log_at. */
extern int log_most; /* -1: no hook */
void log_write(enum log_level level, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

#endif
