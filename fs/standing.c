/* SPDX-License-Identifier: MIT */
#include "fs/standing.h"

#include "fs/cutter.h"
#include "fs/status.h"
#include "store/base/cleanup.h"
#include "store/base/time.h"
#include "store/restore/account.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

__attribute__((format(printf, 2, 3))) static void add(struct err *line, const char *fmt, ...)
{
    struct err more;
    va_list ap;
    va_start(ap, fmt);
    err_format(&more, fmt, ap);
    va_end(ap);
    size_t n = strlen(line->text);
    snprintf(line->text + n, sizeof(line->text) - n, "%s%s", n ? "; " : "", more.text);
}

static void standing_add_progress(const struct progress *p, struct err *line)
{
    uint64_t percent = p->total_bytes ? p->bytes * 100 / p->total_bytes : 0;
    if (p->state == PROGRESS_RECEIVING)
        add(line, "restoring %s, %" PRIu64 " %%", p->name, percent < 100 ? percent : 100);
    else
        add(line, "restoring %s, %s", p->name,
            p->state == PROGRESS_VERIFIED ? "verified" : "installing");
}

/* Adds the restore under way, or the last one. Returns when it made the store what it is, or 0. */
static int64_t standing_add_restore(struct fs *fs, struct err *line)
{
    cleanup(progress_clear) struct progress p = {0};
    char time[TIME_TEXT];
    if (!fs->restore)
        return 0;
    account_status(session_account(fs->restore), &p);
    time_text(p.ended_ns, time);
    if (!p.name)
        return 0;
    if (!progress_ended(&p))
        standing_add_progress(&p, line);
    else if (p.state == PROGRESS_REFUSED)
        add(line, "REFUSED %s at %s: %s", p.name, time, p.error ? p.error : "");
    else if (p.state == PROGRESS_PENDING)
        add(line, "%s waits for what it follows", p.name);
    if (p.state != PROGRESS_RESTORED)
        return 0;
    add(line, "restored %s at %s", p.name, time);
    return p.ended_ns;
}

static int64_t standing_add_cut(struct fs *fs, struct err *line)
{
    struct report_timer timer = {0};
    char time[TIME_TEXT];
    if (!fs->cutter)
        return 0;
    cutter_get(fs->cutter, &timer);
    if (!timer.cut_ns)
        return 0;
    time_text(timer.cut_ns, time);
    if (timer.cut.number < 0)
        add(line, "last cut at %s, the base", time);
    else
        add(line, "last cut at %s, %" PRId64, time, timer.cut.number);
    return timer.cut_ns;
}

/* A failure stands until something succeeds. */
static void standing_add_events(struct fs *fs, int64_t success_ns, struct err *line)
{
    struct report_event error, success;
    char time[TIME_TEXT];
    status_last(fs->status, &error, &success);
    if (success.at_ns) {
        time_text(success.at_ns, time);
        add(line, "last read whole at %s: %s", time, success.what);
    }
    if (error.at_ns > success.at_ns && error.at_ns > success_ns) {
        time_text(error.at_ns, time);
        add(line, "FAILED at %s: %s: %s", time, error.what, error.text);
    }
}

void standing_line(struct fs *fs, struct err *line)
{
    line->text[0] = 0;
    add(line, "%s mounted", fs->options->store);
    if (*fs->lacks)
        add(line, "%s", fs->lacks);
    int64_t restored = standing_add_restore(fs, line);
    int64_t cut = standing_add_cut(fs, line);
    standing_add_events(fs, restored > cut ? restored : cut, line);
}
