/* SPDX-License-Identifier: MIT */
/*
 * The hasher: one thread that finds the SHA-256 of captured files while they are read.
 *
 * It follows a reader through a snapshot, close enough to find the data in the page cache, and
 * never runs ahead unless a reader waits for a sum. Sums go into the capture, and into the
 * catalogue once all are known. A job belongs to one capture. All functions are safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_HASHER_H
#define INFLUXFS_SNAPSHOT_HASHER_H

#include "store/snapshot/capture.h"

struct hasher;
struct hash_job;

int hasher_new(struct hasher **out);
void hasher_free(struct hasher *h); /* every job must have been freed */

int hash_job_new(struct hasher *h, struct capture *c, struct hash_job **out);
void hash_job_free(struct hash_job *j); /* waits until the thread no longer uses it */

/* A reader has read everything before byte off of member i, in order. */
void hash_job_follow(struct hash_job *j, size_t i, uint64_t off);

/* Whether all sums are known. */
bool hash_job_idle(struct hash_job *j);

/* Waits for the sums of members [first, end). -EINTR when `interrupted` returns true (called
 * regularly; may be NULL), -EIO when a file cannot be read whole. */
int hash_job_wait(struct hash_job *j, size_t first, size_t end, bool (*interrupted)(void *ctx),
                  void *ctx, struct err *e);

#endif
