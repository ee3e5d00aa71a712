/* SPDX-License-Identifier: MIT */
/* Sizes as words, for people. */
#ifndef INFLUXFS_BASE_SIZE_H
#define INFLUXFS_BASE_SIZE_H

#define SIZE_TEXT 16

/* Such as "1.5 GiB". */
void size_text(double bytes, char out[SIZE_TEXT]);

#endif
