/* SPDX-License-Identifier: MIT */
/*
 * The files and folders of a cut by their number, for readers at any place: a page of them at a time is
 * read from the manifests. In memory are the path with which each page begins, and the pages that were
 * used last. Sums that are found stay in memory, 48 bytes each, until the catalogue has them.
 *
 * Safe in any thread. Whoever uses it leases the cut.
 */
#ifndef INFLUXFS_CHAIN_CUTPAGES_H
#define INFLUXFS_CHAIN_CUTPAGES_H

#include "store/chain/cuts.h"
#include "store/chain/cutstream.h"
#include "store/chain/cutuse.h"
#include "store/snapshot/member.h"

struct cutpages;

/* Takes over the stream, just opened, also on failure, and reads all of it once. c must outlive *out.
 * Errors as cutstream_next. */
int cutpages_new(struct cuts *c, struct cutstream *s, struct cutpages **out, struct err *e);
/* The same of all that is in a cut, which must outlive *out. sums: those that the manifests lack are asked of
 * the catalogue. */
int cutpages_of(const struct cutuse *u, bool sums, struct cutpages **out, struct err *e);
void cutpages_free(struct cutpages *p); /* no page may be held; NULL is allowed */

size_t cutpages_count(const struct cutpages *p);
size_t cutpages_files(const struct cutpages *p); /* those that are no folders */

/* Of cutpages_of: closes the manifests until a page is read again. If one is just being read, they are
 * closed after that. */
void cutpages_rest(struct cutpages *p);

/* Does not change, but for sums. */
struct cutpage {
    size_t first, n; /* entries */
    struct cut_entry *entries;
    struct member *members; /* of a snapshot: of the same entries */
    struct cutpages *of;
};

/* The page that holds entry i, which must be below the count; the caller owes a cutpage_put. -EBADMSG,
 * -EIO and others, with a message: the manifests cannot be read any more. */
int cutpages_get(struct cutpages *p, size_t i, struct cutpage **out, struct err *e);
void cutpage_put(struct cutpage *page); /* NULL is allowed */
static inline void cutpage_putp(struct cutpage **page)
{
    cutpage_put(*page);
}

static inline const struct cut_entry *cutpage_entry(const struct cutpage *page, size_t i)
{
    return &page->entries[i - page->first];
}

/* The first entry that is not before the path; the count: there is none. Errors as cutpages_get. */
int cutpages_at(struct cutpages *p, const char *path, size_t *out, struct err *e);
/* The first entry after the folder and all that lies below it. */
int cutpages_after(struct cutpages *p, const char *folder, size_t *out, struct err *e);

/* The sum of file i, which is in the page: from its manifest, the catalogue, or found since. */
bool cutpage_sum(struct cutpage *page, size_t i, uint8_t out[SHA256_BYTES]);
void cutpage_set_sum(struct cutpage *page, size_t i, const uint8_t sum[SHA256_BYTES]);
/* Puts those that were found into the catalogue. */
int cutpages_keep_sums(struct cutpages *p, struct err *e);

#endif
