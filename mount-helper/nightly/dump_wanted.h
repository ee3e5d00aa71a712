/* SPDX-License-Identifier: MIT */
/* Which measurements are wanted: by their names, by patterns of fnmatch(3), or all. */
#ifndef INFLUXFS_NIGHTLY_DUMP_WANTED_H
#define INFLUXFS_NIGHTLY_DUMP_WANTED_H

#include "store/points/schema.h"

struct dump_wanted {
    char *const *words; /* borrowed */
    size_t n;           /* 0: all are wanted */
    bool *seen;         /* of each word: whether there is a measurement that it names */
    char *name;         /* for the one that is looked at */
};

/* -ENOMEM; the caller clears *out also then. */
int dump_wanted_open(char *const *words, size_t n, struct dump_wanted *out);
void dump_wanted_clear(struct dump_wanted *w);

bool dump_wanted_has(const struct dump_wanted *w, struct slice measurement);

/* Notes which words name what is in the schema; true if all words have named something by now. */
bool dump_wanted_see(struct dump_wanted *w, const struct schema *o);

#endif
