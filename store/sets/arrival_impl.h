/* SPDX-License-Identifier: MIT */
/* The inside of a set that arrives, for arrival.c (its files), arrival_ready.c (what is known of
 * them) and arrival_judge.c (the verdict); others use arrival.h. */
#ifndef INFLUXFS_SETS_ARRIVAL_IMPL_H
#define INFLUXFS_SETS_ARRIVAL_IMPL_H

#include "store/restore/session_folder.h"
#include "store/restore/upload.h"
#include "store/sets/arrival.h"

#include <pthread.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

/* A name in the set: of a file that is there, or that a manifest names. */
struct arrival_name {
    char *name;
    struct arrival_file *file; /* or NULL */
    unsigned wanted;           /* by so many manifests */
    UT_hash_handle hh;
};

struct arrival_file {
    struct arrival *in;
    char *disk; /* its name in the folder; NULL: removed */
    struct arrival_name
        *as;        /* NULL: it does not count: temporary, no archive or such, or removed */
    bool arrived;   /* flushed, and nothing was written since */
    int spoilt;     /* -errno of a write that failed, -EINTR of a killed writer */
    unsigned round; /* in which it arrived */
    uint64_t size;
    struct arrival_name **wants; /* of a manifest that has arrived */
    size_t nwants;
};

struct arrival_handle {
    struct arrival_file *file;
    int fd;
    bool writer, dirty;    /* dirty: not flushed since it was opened, or written */
    unsigned closed_round; /* that its flush has ended with a refusal; 0: none */
    int verdict;           /* of the last flush */
    struct err why;
};

/* A round is what is judged together: a file is fresh if it arrived in the present one. A verdict
 * ends it. */
struct arrival {
    struct session *session;
    char *path;
    struct restore_request *asked;
    pthread_mutex_t lock;        /* guards all below */
    pthread_cond_t changed;      /* signalled when `judging` ends */
    struct spool_folder *folder; /* NULL: dropped */
    struct arrival_name *names;  /* by name */
    unsigned refs, round, next;
    unsigned busy; /* handles that are dirty */
    int code;      /* the last verdict, on nothing but stale files; 1: none */
    struct err why;

    bool judging, joinable;
    pthread_t thread;
    int judged;            /* the folder, for the thread, until which has ended it stays */
    char *restored;        /* the id under which it was restored last, by the judging thread */
    bool stop;             /* the caller was interrupted */
    struct upload *upload; /* while it may be abandoned */
};

/* For account.h. It is no upload, but like one it is only compared. */
static inline const struct upload *arrival_as_upload(const struct arrival *a)
{
    return (const struct upload *)(const void *)a;
}

/* A message of set.h without the path that it begins with, and the log has before it. */
const char *arrival_reason(const char *path, const char *text);

/* a->lock is held in all that follows. */

/* Of arrival_ready.c. A name that is neither a file's nor wanted is forgotten. */
struct arrival_name *arrival_name_get(struct arrival *a, const char *name); /* NULL: no memory */
void arrival_name_forget(struct arrival *a, struct arrival_name *n);

/* A file has arrived, is written anew, or is removed. -EBADMSG: it is no manifest, by its name. */
int arrival_take_in(struct arrival_file *f, struct err *e);
void arrival_take_back(struct arrival_file *f);

static inline bool arrival_is_fresh(const struct arrival_file *f)
{
    return f && f->arrived && f->round == f->in->round;
}

/* Whether the files that have arrived are a portable set that is complete and was not judged. */
bool arrival_is_ready(const struct arrival *a);

/* Logs that what has arrived is refused, for this reason. */
void arrival_log_refused(const struct arrival *a, const char *why);

/* Why there is no verdict: a file that has not arrived, or what else is awaited. */
void arrival_say_missing(const struct arrival *a, struct err *why);

/* Of arrival_judge.c. Waits for the end of the judging. -EINTR. */
int arrival_wait(struct arrival *a, const struct tarball_reader *who, struct err *e);
/* Judges what has arrived in the folder, which is there, and ends the round. */
int arrival_judge(struct arrival *a, const struct tarball_reader *who, struct err *e);
/* Ends the judging, as far as it can be. */
void arrival_stop(struct arrival *a);

#endif
