/* SPDX-License-Identifier: MIT */
/* influxfs-fetch: the newest good day of object storage, restored. */
#include "mount-helper/nightly/nightjob.h"

static int fetch_run(struct nightjob *j)
{
    (void)j;
    snap_say("not built yet");
    return EXIT_FAILED;
}

static const struct nightjob_program fetch = {
    .kind = JOB_FETCH,
    .need = SNAP_PATHS,
    .day = -1,
    .command =
        {.name = "influxfs-fetch",
         .arguments = "",
         .takes = "remote day container-format into stop store database exclude rp shard as "
                  "merge union owner keep-expired force json dry-run retry-for wait before "
                  "after on-failure",
         .details =
             "Restores the newest archive at or before a day (yesterday) from object storage, "
             "by rclone and\n"
             "without a local copy. Everything is checked before the store is touched.\n"},
    .run = fetch_run,
};

int main(int argc, char **argv)
{
    return nightjob_main(argc, argv, &fetch);
}
