/* SPDX-License-Identifier: MIT */
/* The files and folders of the store that a snapshot leaves out, by name: one list for all reports
 * (manifest, cuts, status, the command line). A list owns its names. No input or output here. */
#ifndef INFLUXFS_SNAPSHOT_OMISSIONS_H
#define INFLUXFS_SNAPSHOT_OMISSIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_object;

enum omission_why {
    OMITTED_UNKNOWN,    /* a shard that meta.db does not list: influxd would give its id away */
    OMITTED_BAD,        /* a TSM file that influxd has renamed to .tsm.bad */
    OMITTED_UNREADABLE, /* a folder, of no database that meta.db lists, that may not be read */
    OMITTED_FOREIGN,    /* the same, but by its name no database at all, such as lost+found */
    OMITTED_NAME,       /* a name that a format cannot express */
    OMITTED_WHYS
};

struct omission {
    char *name; /* "DB/RP/ID" of a shard, else as a member: "data/DB/RP/ID/FILE" */
    uint64_t files, bytes;
    enum omission_why why;
};

struct omissions {
    struct omission *at;
    size_t n;
};

/* The name is copied. -ENOMEM: the list is unchanged. */
int omissions_add(struct omissions *o, const char *name, uint64_t files, uint64_t bytes,
                  enum omission_why why);
int omissions_copy(const struct omissions *from, struct omissions *to);
void omissions_clear(struct omissions *o);

uint64_t omissions_bytes(const struct omissions *o);

/* The number of omissions that a user could miss: all but OMITTED_FOREIGN. */
size_t omissions_that_count(const struct omissions *o);

/* The one word in files: "unknown", "bad", "unreadable", "foreign", "name". */
const char *omission_why_name(enum omission_why why);
bool omission_why_find(const char *name, enum omission_why *out);

/* One line of at most size - 1 bytes: number, bytes, and as many names as fit, each with its cause;
 * those that count come first. */
void omissions_say(const struct omissions *o, char *line, size_t size);

/* [{"name","files","bytes","why"},…]; the caller puts it. NULL when out of memory. */
struct json_object *omissions_json(const struct omissions *o);
/* {"count","files","bytes","names":[…]}, of at most `most` names. */
struct json_object *omissions_summary(const struct omissions *o, size_t most);
/* Reads such a list; or a list of names alone, as in older snapshots: shards that meta.db does not
 * list. -EBADMSG, -ENOMEM: the caller clears the partial list. */
int omissions_parse(struct json_object *list, struct omissions *o);

#endif
