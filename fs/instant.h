/* SPDX-License-Identifier: MIT */
/*
 * Instants: which process sees which capture of the store.
 *
 * A holder is a process (a thread group), or a name that several processes use. It keeps the
 * capture that its first look-up got, as long as lifetime.h says; another holder gets the store as
 * it is then, which is the same capture while nothing changes. What is shown of the store as it is
 * (now.tar, names, dumps) is made of the instant of whoever asks.
 *
 * A caller in another pid namespace is seen as process 0: it shares captures younger than 2 s.
 *
 * Safe in any thread.
 */
#ifndef INFLUXFS_FS_INSTANT_H
#define INFLUXFS_FS_INSTANT_H

#include "fs/caller.h"
#include "store/snapshot/tarball.h"

struct instants;
struct instant;
struct instant_hold;

/* How many names may be held at once; one more is -EAGAIN, since letting go of another one would
 * break somebody's job. */
#define INSTANT_NAMES 64

/* Where captures come from. */
struct instant_source {
    /* The store as it is now: the same tarball, as another reference, while it has not changed. */
    int (*take)(void *ctx, const struct tarball_reader *reader, struct tarball **out,
                struct err *e);
    void (*put)(void *ctx, struct tarball *t);
    void *ctx;
};

struct instant_holder {
    struct caller process;
    const char *name; /* NULL: the process */
};

struct instants *instants_new(const struct instant_source *source); /* NULL: out of memory */
/* Lets go of every capture that is left: nothing is open any more. NULL is allowed. */
void instants_free(struct instants *s);

/* The instant of a holder: the one that it has, or a new one. A reference. Errors as those of
 * take, -ENOMEM, and -EAGAIN for one name too many. */
int instant_get(struct instants *s, const struct instant_holder *who,
                const struct tarball_reader *reader, struct instant **out, struct err *e);
void instant_put(struct instant *i);

uint64_t instant_id(const struct instant *i); /* never used again */
struct tarball *instant_tarball(const struct instant *i);
struct capture *instant_capture(const struct instant *i); /* a reference to it */

/* Holds the instant with this id for as long as its tar is open. -ESTALE: it has been let go, or
 * the holder has another one. */
int instant_open(struct instants *s, const struct instant_holder *who, uint64_t id,
                 struct instant_hold **out);
void instant_close(struct instant_hold *h);
const struct instant *instant_held(const struct instant_hold *h); /* until it is closed */

/* Lets go of what is over: times that are up, and processes that have ended. */
void instants_expire(struct instants *s);
/* Another store lies in the folders: each process that has nothing open gets a new capture. */
void instants_restored(struct instants *s);

size_t instants_count(struct instants *s); /* captures that are held */
/* Calls fn for each name that is held, until one gives another result than 0, which it returns. */
int instants_names(struct instants *s, int (*fn)(void *ctx, const char *name), void *ctx);

#endif
