/* SPDX-License-Identifier: MIT */
/*
 * Instants: which process sees which capture of the store.
 *
 * A holder is a process (a thread group), or a name that several processes use. It keeps the
 * capture of its first look-up as long as lifetime.h says. Another holder gets the store as it is
 * then: the same capture while nothing changes. now.tar, names and dumps are made of the instant of
 * the process that asks.
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

/* The most names held at once. One more is -EAGAIN: releasing another would break a job. */
#define INSTANT_NAMES 64

/* Where captures come from. */
struct instant_source {
    /* The store as it is now; while it is unchanged, the same tarball as another reference. */
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
/* Releases every capture that is left, once nothing is open. NULL is allowed. */
void instants_free(struct instants *s);

/* A reference to the holder's instant: the present one, or a new one. Errors as those of take;
 * -ENOMEM; -EAGAIN for one name too many. */
int instant_get(struct instants *s, const struct instant_holder *who,
                const struct tarball_reader *reader, struct instant **out, struct err *e);
void instant_put(struct instant *i);

/* Whether the holder has an instant. */
bool instants_has(struct instants *s, const struct instant_holder *who);

uint64_t instant_id(const struct instant *i); /* never used again */
struct tarball *instant_tarball(const struct instant *i);
struct capture *instant_capture(const struct instant *i); /* a reference to it */

/* Holds the instant with this id while its tar is open. -ESTALE: it was released, or the holder has
 * another one. */
int instant_open(struct instants *s, const struct instant_holder *who, uint64_t id,
                 struct instant_hold **out);
void instant_close(struct instant_hold *h);
const struct instant *instant_held(const struct instant_hold *h); /* until it is closed */

/* Releases instants whose time is up or whose process has ended. */
void instants_expire(struct instants *s);
/* Another store is in the folders: each process that has nothing open gets a new capture. */
void instants_restored(struct instants *s);

size_t instants_count(struct instants *s); /* captures that are held */
/* Calls fn for each held name until fn returns other than 0; returns that. */
int instants_names(struct instants *s, int (*fn)(void *ctx, const char *name), void *ctx);

#endif
