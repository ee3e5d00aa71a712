/* SPDX-License-Identifier: MIT */
#include "store/program/jobs.h"

#include <stdlib.h>

const char *const job_kind_names[JOB_KINDS] = {"archive", "fetch", "dump"};

void job_end_clear(struct job_end *e)
{
    free(e->day);
    free(e->remote);
    free(e->text);
    *e = (struct job_end){0};
}
