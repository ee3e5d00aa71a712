/* SPDX-License-Identifier: MIT */
/*
 * What a directory entry of a store is, by its name alone.
 *
 *   META/meta.db
 *   DATA/DATABASE/_series/…            the series file: derived, not a policy
 *   DATA/DATABASE/POLICY/SHARD/NNNNNNNNN-SSSSSSSSS.tsm, ….tombstone, index/, fields.idx, …
 *   WAL/DATABASE/POLICY/SHARD/_NNNNN.wal
 *
 * Only what a snapshot is made of has a question here; whatever answers none of them is skipped:
 * *.tmp, *.tsm.tmp, *.bad, tombstoneNNN, digest.tsd and so on. The caller checks the file type.
 *
 * The names are those that influxd itself reads (tsdb/engine/tsm1/file_store.go
 * DefaultParseFileName, wal.go idFromFileName, tsdb/store.go loadShards): numbers are decimal
 * without sign, and of any width, though influxd pads those it writes. All functions are pure.
 */
#ifndef INFLUXFS_INFLUX_NAMES_H
#define INFLUXFS_INFLUX_NAMES_H

#include <limits.h>
#include <stdbool.h>
#include <stdint.h>

#define NAME_META_DB "meta.db"                /* META/ */
#define NAME_META_MEMBER "meta/" NAME_META_DB /* its name in a snapshot */
#define NAME_RAFT_DB "raft.db"    /* META/: influxd refuses to start while it is there */
#define NAME_INDEX "index"        /* DATA/DB/RP/SHARD/: a tsi1 shard has this folder */
#define NAME_SERIES "_series"     /* DATA/DB/ */
#define NAME_INTERNAL "_internal" /* the database that influxd writes about itself */
#define NAME_HIDDEN ".influxfs"   /* our own staging folder, at the top of DATA */
#define NAME_TSM_SUFFIX ".tsm"
#define NAME_TOMBSTONE_SUFFIX ".tombstone"
#define NAME_WAL_SUFFIX ".wal"
#define NAME_BAD_SUFFIX ".tsm.bad"

/* Our own staging folder, not part of the store. influxd would take any other folder at the top of
 * DATA or WAL for a database. */
bool name_is_hidden(const char *name);

/* Whether a path in a snapshot ("data/DB/…", "wal/DB/…") lies in, or is, the folder of a database.
 */
bool name_in_database(const char *path, const char *db);

/* The series file's folder; any other folder below a database is a policy. */
bool name_is_series(const char *name);

/* A folder below a policy: a decimal shard id that fits 64 bits, without sign or leading zeros
 * (influxd would read 007 as a second shard 7). *id (may be NULL) is written if so. */
bool name_is_shard(const char *name, uint64_t *id);

/* The same with zeros before it: influxd serves such a folder as the shard of that number. */
bool name_is_padded_shard(const char *name, uint64_t *id);

/* GENERATION-SEQUENCE.tsm and .tombstone, each number within 32 bits. */
bool name_is_tsm(const char *name);
bool name_is_tombstone(const char *name);

/* GENERATION-SEQUENCE.tsm.bad: a TSM file that influxd could not open and renamed. influxd ignores
 * it from then on. */
bool name_is_bad_tsm(const char *name);

/* A top-level folder of file systems or desktops, never a database: lost+found, and names that
 * begin with a dot. */
bool name_is_foreign(const char *name);

/* _NUMBER.wal, the number within 32 bits. Segments are replayed in strcmp order. */
bool name_is_wal(const char *name);

/* fields.idx, or one of the files that stand beside it for a while or hold its changes. */
bool name_is_fields(const char *name);

/* The name of the TSM file that a tombstone belongs to, NUL-terminated; influxd ignores a tombstone
 * without it. false, and out untouched, for other names. */
bool name_tsm_of(const char *tombstone, char out[NAME_MAX + 1]);

#endif
