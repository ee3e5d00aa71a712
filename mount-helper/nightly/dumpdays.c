/* SPDX-License-Identifier: MIT */
/* influxfs-dump: the points of days as text, to object storage. */
#include "mount-helper/nightly/nightjob.h"

static int dumpdays_run(struct nightjob *j)
{
    (void)j;
    snap_say("not built yet");
    return EXIT_FAILED;
}

static const struct nightjob_program dumpdays = {
    .kind = JOB_DUMP,
    .need = SNAP_SNAPSHOTS,
    .day = -1,
    .command =
        {.name = "influxfs-dump",
         .arguments = "DB [RP [MEASUREMENT|PATTERN]...]",
         .least = 1,
         .most = -1,
         .takes = "remote day from to container-format format names compress verify allow-left-out "
                  "skip-damaged json dry-run retry-for wait before after on-failure",
         .details = "Puts the points of a day (yesterday), or of several, into object storage: one "
                    "object for each\n"
                    "measurement, straight from the files. Empty ones are not made.\n"},
    .run = dumpdays_run,
};

int main(int argc, char **argv)
{
    return nightjob_main(argc, argv, &dumpdays);
}
