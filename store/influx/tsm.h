/* SPDX-License-Identifier: MIT */
/* Whether a TSM file (tsmfile.h) is whole. influxd itself does not look at the CRCs when it reads.
 */
#ifndef INFLUXFS_INFLUX_TSM_H
#define INFLUXFS_INFLUX_TSM_H

#include "store/base/err.h"

#include <stdint.h>

/* Checks the TSM file that is the size bytes at off of fd: header, footer, every entry of the
 * index, and of every block its CRC and its type; blocks are not decoded. Nothing in it is
 * believed; memory and time do not depend on what it claims. Reads by pread(2) only. -EBADMSG: not
 * whole, e names the file as `name` and the byte, counted from off; -ENODATA: fd ends before;
 * -ENOMEM, or what pread(2) says. */
int tsm_check(int fd, uint64_t off, uint64_t size, const char *name, struct err *e);

#endif
