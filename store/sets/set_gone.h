/* SPDX-License-Identifier: MIT */
/*
 * Which files of older runs of a portable set were gone when a newer run was made: compacted away,
 * with what was deleted in them.
 *
 * A run of influxfs holds all of a shard. One of influxd holds the files that are younger than its
 * -since, one time for the whole run, so it holds all that are younger than its oldest file. With
 * -start and -end it leaves out files without such times, and cuts those that reach out of them; but
 * a file that lies within is passed through with its time, and one that was cut gets the time of the
 * run (influxd tsdb/engine/tsm1/engine.go, timeStampFilterTarFile). So what the files that are older
 * than the run span was asked for, and a file within it that is not there was gone. Of compacted files
 * the greatest generation stays, with a greater sequence: that, too, tells what came before.
 */
#ifndef INFLUXFS_SETS_SET_GONE_H
#define INFLUXFS_SETS_SET_GONE_H

#include "store/sets/set_impl.h"

/* The times of all points of a TSM file, which is the size bytes at `at` of fd. -EBADMSG, … */
int set_gone_span(int fd, struct set_file *file, uint64_t at, struct err *e);

/* From all files of the set: what is to know of the runs. */
void set_gone_prepare(struct set *s);

/* Marks as dropped those of the n files of one shard that were gone; they are sorted by name, then by
 * archive. Returns how many. */
size_t set_gone(const struct set *s, struct set_file *list, size_t n);

#endif
