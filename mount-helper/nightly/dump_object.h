/* SPDX-License-Identifier: MIT */
/* A measurement of a day as an object: its name, and its text, compressed if so wanted, read as often
 * as an upload needs it. */
#ifndef INFLUXFS_NIGHTLY_DUMP_OBJECT_H
#define INFLUXFS_NIGHTLY_DUMP_OBJECT_H

#include "mount-helper/nightly/remote.h"
#include "store/base/sha256.h"
#include "store/export/dump_name.h"
#include "store/influxsnap/compressor.h"

/* The name by dump_name.h, such as "cpu_2016-06-11-00:00:00_2016-06-12-00:00:00.json.gz". Bytes that
 * are no UTF-8, which object stores take amiss, are written as % and two hexadecimal digits. */
#define DUMP_OBJECT_NAME (3 * DUMP_NAME_MAX + 1)
void dump_object_name(struct slice measurement, int32_t day, enum dump_format format,
                      enum dump_names names, enum compress compress, char out[DUMP_OBJECT_NAME]);

/* Whether it is the name of such an object of the day. Its measurement is in *out, unless the name is
 * shortened. */
bool dump_object_is_name(const char *name, int32_t day, enum dump_format format,
                         enum compress compress, struct dump_name *out);

struct dump_object {
    struct schema_cache *cache; /* set by the caller, */
    struct dump_query query;    /* whose memory outlives this; */
    enum compress compress;
    const char *name; /* and for messages; the rest is zero at first: */

    struct dump *text; /* NULL: not opened */
    struct compressor *compressor;
    struct buffer packed; /* of the compressor, */
    size_t given;         /* of which so much has been read */
    bool ended;           /* the text has been read to its end */
    uint64_t done;        /* bytes that were read in this attempt */
    int failed;           /* -errno of making the text; 0: it has not failed */
};

/* Whether there are points: 1 or 0. Errors as dump_open and dump_read. */
int dump_object_begin(struct dump_object *o, struct err *e);

/* Reads all of it. -EINTR too. */
int dump_object_sum(struct dump_object *o, uint64_t *size, char sha256[SHA256_HEX + 1],
                    struct err *e);

/* For an upload, of this size; it is an error of the text if `failed` is set afterwards. */
struct remote_source dump_object_source(struct dump_object *o, uint64_t size);

void dump_object_end(struct dump_object *o);

#endif
