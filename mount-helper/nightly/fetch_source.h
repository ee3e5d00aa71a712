/* SPDX-License-Identifier: MIT */
/* An archive with what it builds on, as the streams that a restore takes. */
#ifndef INFLUXFS_NIGHTLY_FETCH_SOURCE_H
#define INFLUXFS_NIGHTLY_FETCH_SOURCE_H

#include "mount-helper/nightly/archived.h"
#include "mount-helper/nightly/fetch_stream.h"
#include "store/influxsnap/restoring.h"

struct fetch_source {
    char *what;                   /* where all of it is */
    struct restoring_stream *at;  /* the full one, or the set, first; numbers rising */
    struct fetch_stream **stream; /* what they read from, */
    char **folder;                /* where that is, */
    const struct archived_run **run;
    size_t n;
    const struct archived_run *misfit; /* its manifest is not the one that its receipt speaks of */
    uint64_t bytes, objects;
};

/* Reads the manifest of each snapshot, from its first bytes. The remote and the chain are borrowed.
 * -EBADMSG: one is not the snapshot that its receipt speaks of; others as fetch_stream_pull. The caller
 * closes *out, also on failure. */
int fetch_source_open(struct remote *r, const char *format, const struct archived_chain *chain,
                      struct fetch_source *out, struct err *e);
void fetch_source_close(struct fetch_source *s);

/* The run of the chain that has proved, by what was read until now, not to be what its receipt says;
 * NULL: none. */
const struct archived_run *fetch_source_spoilt(const struct fetch_source *s);

#endif
