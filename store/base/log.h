/* SPDX-License-Identifier: MIT */
/*
 * What the program does and notices, for whoever reads its log. Nothing goes anywhere until a
 * program sets a hook; a line below its level costs a comparison.
 *
 *   error    something that was asked for failed
 *   warning  it was done, but an operator should look at something
 *   info     what was done: a few lines a day
 *   debug    how: for whoever looks for a fault
 *
 * A function that returns an error does not log it as well: its caller knows whether it matters.
 * Safe in any thread, with any lock held.
 */
#ifndef INFLUXFS_BASE_LOG_H
#define INFLUXFS_BASE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG };

/* "error", "warning", "info", "debug", NULL */
extern const char *const log_level_names[];

/* Called with a line without a newline, in which control bytes are shown as '?', in the thread that
 * logs it; must not log, nor take a lock that is held while logging. */
typedef void log_hook(enum log_level level, const char *line);

/* Lines up to this level go to the hook. To be called while there is one thread. */
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
