/* SPDX-License-Identifier: MIT */
/*
 * A receipt: the object that a job uploads last, and that alone makes what it has uploaded count.
 *
 *   DAY/shards/STORE-RUN.json     an archive    STORE: the first 8 digits of the store's id
 *   DAY/influxdb/STORE-RUN.json   dumps         RUN: when the job began, UTC, 20160611T235500Z
 *
 * Its text is one object of JSON and a newline:
 *
 *   {"version":1,"program":"influxfs 0.5","form":"full|incremental|legacy|dumps",
 *    "store":ID,"host":TEXT,"day":"2016-06-11","run":RUN,
 *    "id":TEXT|null,"parent":TEXT|null,"number":N|null,"created":TEXT|null,   as in the manifest
 *    "follows":{"day":DAY,"receipt":NAME}|null,   what an incremental one builds on,
 *    "base":{"day":DAY,"receipt":NAME}|null,      and the full one that its chain begins with
 *    "selection":{…},       as in the manifest; only where it is of a part of the store
 *    "shrunk":true,         only of an archive of less of the store than the guard allows (--guard)
 *    "databases":[NAME…],"left_out":[TEXT…],"bytes":N,
 *    "objects":[{"name":NAME,"size":N,"sha256":HEX,"md5":HEX|null,
 *                "what":TEXT}…],       in the same folder; what: only where it is given
 *    "sha256":HEX}
 *
 * where the last member is the SHA-256 of all bytes before its comma. The objects of a full and of an
 * incremental one are the tar, one after the other; of a legacy one and of dumps, each is a file.
 * Beside it lies STORE-RUN.sha256, the sums as sha256sum(1) checks them.
 *
 * An incremental one without objects: nothing had changed. Its id and its parent are the id of what it
 * follows, and its number is that one's too.
 *
 * Pure.
 */
#ifndef INFLUXFS_NIGHTLY_RECEIPT_H
#define INFLUXFS_NIGHTLY_RECEIPT_H

#include "store/base/buffer.h"
#include "store/base/err.h"
#include "store/base/sha256.h"
#include "store/influx/selection.h"
#include "store/influx/store_id.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RECEIPT_STORE 8 /* digits of a store's id in names */
#define RECEIPT_RUN 16  /* characters of RUN */
#define RECEIPT_DAY 10  /* and of a day */
#define RECEIPT_NAME 64 /* bytes that hold a name by receipt_name */
#define RECEIPT_MD5_HEX 32
#define RECEIPT_MAX (64u << 20)  /* bytes of a receipt that is read at all */
#define RECEIPT_OBJECT_NAME 1000 /* bytes of an object's name, at most */

enum receipt_form { RECEIPT_FULL, RECEIPT_INCREMENTAL, RECEIPT_LEGACY, RECEIPT_DUMPS };

struct receipt_object {
    char *name; /* one part of a path: without '/' and control bytes, neither "." nor ".." */
    uint64_t size;
    char sha256[SHA256_HEX + 1];
    char md5[RECEIPT_MD5_HEX + 1]; /* "": not known */
    char *what;                    /* free text, any characters: what it holds; NULL: not said */
};

/* Another receipt of the same store. */
struct receipt_ref {
    char day[RECEIPT_DAY + 1];
    char *name; /* STORE-RUN.json; NULL: none */
};

/* All char * are by malloc, and may be NULL where JSON has null. */
struct receipt {
    enum receipt_form form;
    char store[STORE_ID + 1];
    char day[RECEIPT_DAY + 1];
    char run[RECEIPT_RUN + 1];
    char *host;
    char *id, *parent, *created;      /* a full one has an id, an incremental one also a parent */
    int64_t number;                   /* -1: none */
    struct receipt_ref follows, base; /* of an incremental one alone; of earlier runs (RUN) */
    struct selection *selection;      /* a copy: the part of the store; NULL: the whole */
    bool shrunk;                      /* more was gone since the archive before it than may be */
    char **databases;
    size_t ndatabases;
    char **left_out; /* what is not in it, in words */
    size_t nleft_out;
    struct receipt_object *objects;
    size_t nobjects;
};

/* Reads untrusted bytes. The caller clears *out, which is empty after an error. -EBADMSG: not a
 * receipt, or damaged, or of a later version; or it contradicts itself: what its form must have, or
 * must not, names twice, names in `objects` that are a receipt's, or, of a tar, not of this run.
 * -ENOMEM. */
int receipt_read(const void *text, size_t n, struct receipt *out, struct err *e);

/* Appends the text. It is read once more: -EBADMSG, with the reason, if receipt_read would not take
 * it, so that nothing is uploaded that could not be fetched. -ENOMEM. */
int receipt_text(const struct receipt *c, struct buffer *out, struct err *e);

/* Appends the lines of STORE-RUN.sha256 (a buffer says itself whether it failed). */
void receipt_sums(const struct receipt *c, struct buffer *out);

/* RUN, of nanoseconds since 1970. */
void receipt_run(int64_t ns, char out[RECEIPT_RUN + 1]);

/* STORE-RUN and the ending, of at most 38 bytes: ".json", ".sha256", ".begun", "-full.tar". */
void receipt_name(const struct receipt *c, const char *ending, char out[RECEIPT_NAME]);

/* Whether it is the name of a receipt, and of which store and run (may be NULL). */
bool receipt_is_name(const char *name, char store[RECEIPT_STORE + 1], char run[RECEIPT_RUN + 1]);

/* Whether it is of something that has a database of this name, as far as it can tell: odd names are in it as
 * text only. */
bool receipt_has_database(const struct receipt *c, const char *db);

/* The object of that name, or NULL; and the bytes of all. */
const struct receipt_object *receipt_find(const struct receipt *c, const char *name);
uint64_t receipt_bytes(const struct receipt *c);

const char *receipt_form_name(enum receipt_form form);

void receipt_clear(struct receipt *c);

#endif
