/* SPDX-License-Identifier: MIT */
/*
 * Whether a TSM file is whole (influxdb tsdb/engine/tsm1/writer.go, reader.go). All integers are
 * big-endian:
 *
 *   header  16 D1 16 D1 | version 1
 *   blocks  { CRC-32 (IEEE) of the data u32 | data }…, the data beginning with a type: u8, 0 to 4
 *   index   { key length u16 | key | type u8 | count u16 |
 *             count times { first time i64 | last time i64 | offset u64 | size u32 } }…
 *           the keys strictly ascending; offset is that of the CRC, which size includes
 *   footer  offset of the index u64
 *
 * influxd itself does not look at the CRCs when it reads.
 */
#ifndef INFLUXFS_INFLUX_TSM_H
#define INFLUXFS_INFLUX_TSM_H

#include "store/base/err.h"

#include <stdint.h>

/* Checks the TSM file that is the size bytes at off of fd: header, footer, every entry of the
 * index, and every block that the index lists. Nothing in it is believed; memory and time do not
 * depend on what it claims. Reads by pread(2) only. -EBADMSG: not whole, e names the byte, counted
 * from off; -ENODATA: fd ends before; -ENOMEM, or what pread(2) says. */
int tsm_check(int fd, uint64_t off, uint64_t size, struct err *e);

#endif
