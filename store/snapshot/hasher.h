/* SPDX-License-Identifier: MIT */
/*
 * The hasher: threads that find the SHA-256 of captured files while they are read.
 *
 * They follow a reader through a snapshot, close enough to find the data in the page cache, and never
 * run ahead unless a reader waits for a sum. One thread hashes as long as there is something to hash;
 * others, up to HASHER_THREADS, take further members where processors are idle: each looks every
 * millisecond, has one more begin for an idle processor, and stops when other threads wait for one.
 *
 * Sums go into the capture, and into the catalogue once all are known. A job belongs to one capture.
 * All functions are safe in any thread, and none but hash_job_wait waits for a disk or the catalogue: what
 * of a capture has a sum is found by the threads, without the lock. Memory: HASHING_PIECE bytes for each thread.
 */
#ifndef INFLUXFS_SNAPSHOT_HASHER_H
#define INFLUXFS_SNAPSHOT_HASHER_H

#include "store/snapshot/capture.h"

#define HASHER_THREADS 4 /* at most, and never more than processors_allowed() */

struct hasher;
struct hash_job;

int hasher_new(struct hasher **out);
void hasher_free(struct hasher *h); /* every job must have been freed; NULL is allowed */

int hash_job_new(struct hasher *h, struct capture *c, struct hash_job **out);
void hash_job_free(struct hash_job *j); /* waits until no thread uses it; NULL is allowed */

/* A reader has read everything before byte off of member i, in order. */
void hash_job_follow(struct hash_job *j, size_t i, uint64_t off);

/* Whether all sums are known, as far as the threads have found by now. */
bool hash_job_idle(struct hash_job *j);

/* Waits for the sums of members [first, end). -EINTR when `interrupted` returns true (called
 * regularly; may be NULL), -EIO when one of them, or one before them, cannot be read whole: the first
 * of those that cannot is named, and none after it is hashed. */
int hash_job_wait(struct hash_job *j, size_t first, size_t end, bool (*interrupted)(void *ctx),
                  void *ctx, struct err *e);

#endif
