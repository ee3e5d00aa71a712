/* SPDX-License-Identifier: MIT */
/*
 * Files made of a capture's contents while they are read, such as dumps: any range of bytes, at any
 * time, by any number of readers, who share what is made (makings.h).
 *
 * A branch gives the bytes (struct generated_maker), and a digest of all that they depend on. To
 * know the size before the file is opened, the bytes are made once; the catalogue remembers the
 * size by the digest. A node is for one digest and never changes. While bytes are made, marks are
 * kept, from which reading at an offset can begin (textmarks.h).
 *
 * The contents stay pinned while the file is open, and for a while after a look-up (lifetime.h); a
 * later open gets ESTALE, and the kernel looks again.
 */
#ifndef INFLUXFS_FS_GENERATED_H
#define INFLUXFS_FS_GENERATED_H

#include "fs/generated_maker.h"

/* Call first. dir is the folder in which the file was found. */
void generated_init(struct generated *g, struct fs *fs, const struct generated_maker *maker,
                    ino_t ino, const struct node *dir);

/* Sets the digest, and the size of g, made of these contents. Callers of one digest share the work.
 * The maker's errors, with a message; -EINTR. */
int generated_size(struct generated *g, struct schema_cache *c, const uint8_t digest[SHA256_BYTES],
                   const struct tarball_reader *reader, struct err *e);

/* Sets what the file, found or added, is made of from now on. */
void generated_made_of(struct generated *g, struct schema_cache *c);

#endif
