/* SPDX-License-Identifier: MIT */
/* The rules that cuts are made by, and what users say of them as text: the values of reserve=, guard=
 * and exclude=. Each function returns 0, or -EINVAL with a message that names the option, or
 * -ENOMEM. */
#ifndef INFLUXFS_CHAIN_RULES_H
#define INFLUXFS_CHAIN_RULES_H

#include "store/snapshot/capture.h"

struct cut_rules {
    const char *const *exclude; /* names of databases that are left out */
    size_t nexclude;
    uint64_t reserve_bytes; /* no cut is made where less is free, of the state folder's disk */
    double reserve_part;    /* the same as a part of the disk's size, 0 to 1; both must hold */
    bool guard;             /* a cut that lost more than this part of the store is not folded */
    double guard_part;      /* until that is accepted */
    /* Called for each file as soon as it is retained; may be NULL. */
    void (*file)(void *arg, const char *path, uint64_t size, bool linked);
    /* Called with the store as it was captured, changed or not; may be NULL. */
    void (*captured)(void *arg, const struct capture *c);
    void *arg;
};

/* What holds if nothing is said: 5 % of the disk stay free, a cut may lose 20 % of the store,
 * nothing is left out. */
void rules_default(struct cut_rules *out);

/* A part of the disk, such as 5%, or bytes, with K, M, G or T for powers of 1024. */
int rules_reserve(const char *text, struct cut_rules *out, struct err *e);

/* A part of the store, such as 20%, or off. */
int rules_guard(const char *text, struct cut_rules *out, struct err *e);

/* DB[:DB…]. Whoever owns the rules calls rules_clear, which forgets the names. */
int rules_exclude(const char *text, struct cut_rules *out, struct err *e);
void rules_clear(struct cut_rules *r);

#endif
