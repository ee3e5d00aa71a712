/* SPDX-License-Identifier: MIT */
/* influxfs-archive: the store as it is now, to object storage. */
#include "mount-helper/nightly/nightjob.h"

static int archive_run(struct nightjob *j)
{
    (void)j;
    snap_say("not built yet");
    return EXIT_FAILED;
}

static const struct nightjob_program archive = {
    .kind = JOB_ARCHIVE,
    .need = SNAP_SNAPSHOTS,
    .command =
        {.name = "influxfs-archive",
         .arguments = "",
         .takes = "remote day container-format incremental full-every legacy part-size verify "
                  "keep database exclude rp allow-left-out guard json dry-run retry-for wait "
                  "before after on-failure",
         .details =
             "Puts a snapshot of the store, as it is now, into the container of a day (today) "
             "of object\n"
             "storage, by rclone and without a local copy, and looks whether it arrived.\n"},
    .run = archive_run,
};

int main(int argc, char **argv)
{
    return nightjob_main(argc, argv, &archive);
}
