/* SPDX-License-Identifier: MIT */
/*
 * The manifest file of a cut: which state of the store it retains, and where each file of it lies.
 *
 * A text file of lines, sealed by the SHA-256 of all of them:
 *
 *   influxfs-cut 2      1 is read as well: it has neither wall nor lost, lost-in and guard
 *   serial N            of the cut: 0 the first, rising by 1, never used again
 *   number N            the name that users see; absent: the first base
 *   chain HEX           names the chain that the cut belongs to
 *   id HEX              of the state
 *   parent HEX          of the state that the lines below build on; absent: they are all there is
 *   created NS          since 1970; rises from cut to cut, whatever is done to the clock
 *   wall NS             what the clock said; absent: the same
 *   host TEXT
 *   index N             the store's change counter
 *   skew NS
 *   lost SHARDS FILES BYTES OF POLICIES   what vanished since the parent (cut_loss.h), OF how many
 *                       bytes, from how many policies; absent: nothing
 *   lost-in TEXT        one of these policies, as DB/RP; the largest losses are named
 *   guard tripped|accepted  it lost more than it should, and is not folded until that is accepted
 *   d MODE UID GID MTIME_NS PATH                                      a folder
 *   f MODE UID GID MTIME_NS SIZE INDEX INO SERIAL/SEQ SUM|- PATH      a file; where it is retained
 *   r PATH              a file of the parent that is not there any more
 *   R PATH              a folder likewise
 *   o FILES BYTES WHY TEXT  what was left out (store/snapshot/omissions.h)
 *   l TEXT              the same in older files: a shard that meta.db did not know
 *   L TEXT              a shard that was a symbolic link: its folder, " -> ", the target
 *   end SHA-256
 *
 * Numbers are decimal but for MODE (octal) and sums (hexadecimal). In a TEXT or PATH, control bytes
 * and % stand as %XX. Lines of one kind are sorted by path (cut_path_cmp).
 *
 * A list does not change once it is made, and may be read by any number of threads.
 */
#ifndef INFLUXFS_CHAIN_CUTLIST_H
#define INFLUXFS_CHAIN_CUTLIST_H

#include "store/base/arena.h"
#include "store/chain/cut_line.h"
#include "store/chain/cut_summary.h"
#include "store/snapshot/omissions.h"

#include <stdint.h>

struct cutlist {
    struct cut_head head;
    struct cut_entry *entries;
    size_t n;
    const char **removed; /* files */
    size_t nremoved;
    const char **removed_folders;
    size_t nremoved_folders;
    struct omissions left_out;
    const char **links;
    size_t nlinks;
    char *text;         /* memory that the strings point into; may be NULL */
    struct arena names; /* more such memory */
};

/* Reads and checks dirfd/name. The caller frees *out with cutlist_free. -ENOENT; -EBADMSG: damaged
 * or inconsistent; -EINVAL: of a later version. */
int cutlist_read(int dirfd, const char *name, struct cutlist **out, struct err *e);

/* The same, of a file whose seal has been checked, without its head and all that grows with the store:
 * what was left out, and links. */
int cutlist_read_rest(int dirfd, const char *name, struct cutlist **out, struct err *e);

/* Adds to such a list what the file that was just opened says to have gone. */
struct cutscan;
int cutlist_read_gone(struct cutlist *l, struct cutscan *f, struct err *e);

/* The same as cutlist_read for len bytes, by malloc and followed by a NUL, which it takes over, also on
 * failure. name is for messages. */
int cutlist_parse(const char *name, char *text, size_t len, struct cutlist **out, struct err *e);

/* Its summary; checks the seal but no lines of files. It splits the text in place and leaves it to the
 * caller. Errors as cutlist_read. */
int cutlist_sum_up(const char *name, char *text, size_t len, struct cut_summary *out,
                   struct err *e);

/* The sealed text of such a file; the caller frees it. -ENOMEM. */
int cutlist_render(const struct cutlist *l, char **text, size_t *len);

/* Writes dirfd/name durably, in one step (cutwriter.h); and for others who write to that: what comes
 * before the files and folders, and after them. */
int cutlist_write(int dirfd, const char *name, const struct cutlist *l, struct err *e);
void cutlist_put_head(FILE *f, const struct cut_head *h);
void cutlist_put_rest(FILE *f, const struct cutlist *l);

/* Frees the arrays and the text. NULL is allowed. */
void cutlist_free(struct cutlist *l);
static inline void cutlist_freep(struct cutlist **l)
{
    cutlist_free(*l);
}

#endif
