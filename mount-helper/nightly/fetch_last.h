/* SPDX-License-Identifier: MIT */
/*
 * Whose archive was fetched last, as the state folder remembers it in fetched.json, so that another
 * store's is not taken instead because one night has no archive of that one:
 *
 *   {"into":ID,"store":ID}     the store that is here (store_id.h), and whose archive it got
 *
 * A state folder that has become another store's has another id: what was remembered does not count then.
 */
#ifndef INFLUXFS_NIGHTLY_FETCH_LAST_H
#define INFLUXFS_NIGHTLY_FETCH_LAST_H

#include "store/influx/store_id.h"

/* -ENOENT: none is known, and no message; -EINVAL: what is remembered is damaged; others from the
 * system. */
int fetch_last_look(const char *state, char store[STORE_ID + 1], struct err *e);

/* Remembers it, durably; the store that is here gets an id if it has none. Errors as of statefile.h and
 * store_id_get. */
int fetch_last_note(const char *state, const char *store, struct err *e);

#endif
