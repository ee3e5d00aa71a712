/* SPDX-License-Identifier: MIT */
/*
 * Readers of one text, told apart by where they go on; and what each of those that read in order is
 * about to read, so that it can be fetched from the disk meanwhile.
 *
 * A reader that went on once is trusted with twice what it read, then with twice as much each time, up
 * to INORDER_AHEAD bytes; and what is told once is not told again. Safe in any thread.
 */
#ifndef INFLUXFS_SNAPSHOT_INORDER_H
#define INFLUXFS_SNAPSHOT_INORDER_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define INORDER_AHEAD ((uint64_t)8 << 20)
#define INORDER_READERS 8 /* at once; of more, those that have not read for longest are forgotten */

struct inorder {
    pthread_mutex_t lock;
    uint64_t reads;
    struct inorder_reader {
        uint64_t next;  /* where it goes on */
        uint64_t told;  /* up to here */
        uint64_t ahead; /* what it is trusted with; 0: it has not gone on yet */
        uint64_t last;  /* when it read, as a number of reads; 0: no reader */
    } readers[INORDER_READERS];
};

void inorder_init(struct inorder *o);
void inorder_clear(struct inorder *o);

/* Some reader takes the n bytes at off. True: it will want [*from, *to) next. */
bool inorder_read(struct inorder *o, size_t n, uint64_t off, uint64_t *from, uint64_t *to);

#endif
