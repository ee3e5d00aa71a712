/* SPDX-License-Identifier: MIT */
#include "fs/counters.h"

#include <errno.h>

/* Of each kind of node, the branch that it lies in; REPORT_BRANCHES: none that is counted. */
static const enum report_branch branch_of[NODE_KINDS] = {
    [NODE_FOLDER] = REPORT_BRANCHES,
    [NODE_CUTS_FOLDER] = REPORT_BRANCHES,
    [NODE_LIVE] = REPORT_LIVE,
    [NODE_NOW] = REPORT_NOW,
    [NODE_CUT] = REPORT_CUT,
    [NODE_CUT_MOVING] = REPORT_CUT,
    [NODE_VIEW] = REPORT_VIEW,
    [NODE_VIEW_MOVING] = REPORT_VIEW,
    [NODE_VIEW_ENTRY] = REPORT_VIEW,
    [NODE_UPLOAD] = REPORT_BRANCHES,
    [NODE_DUMP_FOLDER] = REPORT_BRANCHES,
    [NODE_DUMP] = REPORT_DUMP,
    [NODE_BACKUP_FOLDER] = REPORT_BRANCHES,
    [NODE_BACKUP] = REPORT_NOW,
    [NODE_TEXT] = REPORT_BRANCHES,
};

void counters_captured(struct counters *c, int64_t took_ns)
{
    c->captures++;
    c->capture_ns += (uint64_t)took_ns;
}

void counters_read(struct counters *c, enum node_kind kind, size_t n)
{
    if (branch_of[kind] < REPORT_BRANCHES)
        c->read[branch_of[kind]] += n;
}

void counters_answered(struct counters *c, int r)
{
    switch (r) {
    case -EIO:
        counters_error(c, REPORT_ERROR_IO);
        break;
    case -EAGAIN:
        counters_error(c, REPORT_ERROR_AGAIN);
        break;
    case -ENOSPC:
    case -EDQUOT:
        counters_error(c, REPORT_ERROR_SPACE);
        break;
    case -EMFILE:
    case -ENFILE:
    case -ENOMEM:
        counters_error(c, REPORT_ERROR_FILES);
        break;
    default:
        break;
    }
}

void counters_error(struct counters *c, enum report_error_kind kind)
{
    c->errors[kind]++;
}

void counters_get(struct counters *c, struct report_counters *out)
{
    *out = (struct report_counters){
        .captures = c->captures,
        .capture_ns = c->capture_ns,
        .sizing_bytes = c->sizing,
        .cuts = c->cuts,
        .folds = c->folds,
    };
    for (int i = 0; i < REPORT_BRANCHES; i++)
        out->read_bytes[i] = c->read[i];
    for (int i = 0; i < REPORT_ERROR_KINDS; i++)
        out->errors[i] = c->errors[i];
}
