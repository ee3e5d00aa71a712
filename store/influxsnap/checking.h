/* SPDX-License-Identifier: MIT */
/* influxsnap status --check: the state of a store as Nagios plugins tell it, for Nagios, Icinga, NRPE
 * and the like: its troubles (store/program/troubles.h), the worst first, and some facts. Exactly one
 * line on stdout, with performance data after a bar:
 *
 *   INFLUXFS WARNING - no cut or backup since … (See …); last cut 27 h ago; … | age=97200s;93600;180000;0; …
 */
#ifndef INFLUXFS_INFLUXSNAP_CHECKING_H
#define INFLUXFS_INFLUXSNAP_CHECKING_H

#include "store/program/report.h"

/* The exit codes of plugins. */
enum check_level { CHECK_OK, CHECK_WARNING, CHECK_CRITICAL, CHECK_UNKNOWN };

/* Prints the line and returns the exit code. */
int check_report(const struct report *r);

/* What there is to say if no report could be gathered, or the command line is wrong. Returns
 * CHECK_UNKNOWN. */
int check_unknown(const char *why);

/* Whether a command line, which may be wrong, asks for a check. */
bool check_asked(int argc, char **argv);

#endif
