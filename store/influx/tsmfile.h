/* SPDX-License-Identifier: MIT */
/*
 * Reads a TSM file: walks its index, fetches its blocks.
 *
 *   16 D1 16 D1 | 01
 *   { CRC-32 u32 of the data | data }…                          blocks (tsmblock.h)
 *   { key length u16 | key | type u8 | count u16 |              index, keys strictly ascending
 *     { first time i64 | last time i64 | offset u64 | size u32 }… }…
 *   offset of the index u64
 *
 * Numbers are big-endian; offset and size of a block include its CRC. Times are inclusive, the
 * entries of a key ascend by time, and blocks stand in the order of their entries without gaps.
 * Nothing but the blocks has a checksum (influxdb tsdb/engine/tsm1/writer.go, reader.go), so an
 * index is checked as far as it can be: order, places, and that a block has the type and the times
 * that its entry says. A damaged name of a key that still sorts between its neighbours is not
 * found.
 *
 * Everything is untrusted. Errors: -EBADMSG, with the file, the offset and the cause in e,
 * -ENOMEM, or what the source says. One thread at a time may use a struct tsmfile. Memory: index
 * and blocks are each read through a window (readwindow.h).
 */
#ifndef INFLUXFS_INFLUX_TSMFILE_H
#define INFLUXFS_INFLUX_TSMFILE_H

#include "store/influx/source.h"
#include "store/influx/tsmblock.h"

struct tsmfile;

/* One block of a key. */
struct tsmfile_entry {
    int64_t min, max; /* nanoseconds since 1970, both included */
    uint64_t offset;  /* of the CRC */
    uint32_t size;    /* with the CRC */
};

/* A key and its blocks; valid until the next walk, seek or rest of the same file. */
struct tsmfile_key {
    const char *key; /* serieskey.h; not NUL-terminated */
    size_t len;
    enum value_type type;
    size_t nentries; /* at least one */
    int64_t min, max;
    const uint8_t *raw; /* by tsmfile_entry */
};

/* Checks header and footer. *s is copied; its context must outlive the result. */
int tsmfile_open(const struct source *s, struct tsmfile **out, struct err *e);
void tsmfile_free(struct tsmfile *f);
static inline void tsmfile_freep(struct tsmfile **f)
{
    tsmfile_free(*f);
}

const char *tsmfile_name(const struct tsmfile *f);

/* How many bytes of the index, and how many of the blocks, are read at once at most (one key or
 * block may be longer); 128 KiB at first. Call it before anything is read. */
void tsmfile_limit(struct tsmfile *f, size_t window);

/* The next calls of tsmfile_next give the keys with this prefix, which must live as long; n 0: all
 * keys. The index is walked, as it has no table of keys. */
void tsmfile_seek(struct tsmfile *f, const void *prefix, size_t n);

/* The place of the next key in the index, and continuing from there, for keys with a prefix as
 * above. A place is valid for the same bytes only. */
struct tsmfile_place {
    uint64_t at, block_at;
};
struct tsmfile_place tsmfile_place(const struct tsmfile *f);
void tsmfile_seek_place(struct tsmfile *f, struct tsmfile_place place, const void *prefix,
                        size_t n);

/* 1 and a key, or 0 when there are no more. */
int tsmfile_next(struct tsmfile *f, struct tsmfile_key *key, struct err *e);

/* Releases the index memory until the next walk. */
void tsmfile_rest(struct tsmfile *f);

/* Entry i of the key. */
struct tsmfile_entry tsmfile_entry(const struct tsmfile_key *key, size_t i);

/* Reads a block, checks it against its CRC and its entry, and decodes it. */
int tsmfile_block(struct tsmfile *f, const struct tsmfile_entry *entry, enum value_type type,
                  struct tsmblock *out, struct err *e);

/* The same for its times alone, by tsmblock_decode_times. */
int tsmfile_times(struct tsmfile *f, const struct tsmfile_entry *entry, enum value_type type,
                  struct tsmblock *out, struct err *e);

/* Reads a block and checks it against its CRC and its type, undecoded: its bytes without the CRC,
 * valid until the next block is read. */
int tsmfile_raw(struct tsmfile *f, const struct tsmfile_entry *entry, enum value_type type,
                const void **block, size_t *n, struct err *e);

/* influxd itself does not look at the CRCs when it reads. Checks the TSM file that is the size bytes at off of fd: header, footer, every entry of the
 * index, and of every block its CRC and its type; blocks are not decoded. Nothing in it is
 * believed; memory and time do not depend on what it claims. Reads by pread(2) only. -EBADMSG: not
 * whole, e names the file as `name` and the byte, counted from off; -ENODATA: fd ends before;
 * -ENOMEM, or what pread(2) says. */
int tsm_check(int fd, uint64_t off, uint64_t size, const char *name, struct err *e);

#endif
