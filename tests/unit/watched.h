/* SPDX-License-Identifier: MIT */
/* Whether a sanitizer watches the test: it takes some ten times as long then, and what is done over and over may be
 * done less often, since the run without one does all of it. */
#ifndef INFLUXFS_TESTS_WATCHED_H
#define INFLUXFS_TESTS_WATCHED_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define WATCHED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define WATCHED 1
#endif
#endif
#ifndef WATCHED
#define WATCHED 0
#endif

#define ROUNDS_OF(n) (WATCHED ? (n) / 5 : (n))

#endif
