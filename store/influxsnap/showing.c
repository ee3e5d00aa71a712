/* SPDX-License-Identifier: MIT */
/* influxsnap status: where the store is, who uses it, what the cuts retain; as text, JSON, metrics,
 * a page or the answer of a check. */
#include "store/base/cleanup.h"
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/chain/cut_loss.h"
#include "store/influxsnap/checking.h"
#include "store/influxsnap/gather.h"
#include "store/influxsnap/outfile.h"

#include <inttypes.h>
#include <stdio.h>

static void show_links(const struct cut_links *l)
{
    char bytes[SIZE_TEXT];
    size_text((double)l->bytes, bytes);
    printf("kept as  %s", cut_links_word(l->how));
    if (l->files)
        printf(": %" PRIu64 " files, %s", l->files, bytes);
    printf(l->why.text[0] ? "; %s\n" : "%s\n", l->why.text);
}

static void show_cuts(const struct report *r)
{
    const struct cut_head *newest = &r->cuts[r->ncuts - 1].head;
    char bytes[SIZE_TEXT], ours[SIZE_TEXT], time[TIME_TEXT], name[32], lost[LOSS_WORDS];
    size_text((double)r->bytes, bytes);
    size_text((double)r->only_here, ours);
    time_exact_text(newest->wall_ns, time);
    snap_cut_name(newest->number, name);
    printf("cuts     %zu number%s, the newest is %s of %s\n", r->ncuts - 1, plural(r->ncuts - 1),
           name, time);
    printf("retained %" PRIu64 " file%s, %s, of which only the cuts hold %s\n", r->files,
           plural(r->files), bytes, ours);
    for (size_t i = 0; i < r->ncuts; i++)
        if (r->cuts[i].head.guard == CUT_GUARD_TRIPPED)
            printf("lost     cut %" PRId64 " is not folded: %s\n", r->cuts[i].head.number,
                   loss_words(&r->cuts[i].head.lost, lost));
}

/* How each of the nightly jobs ended last, and the one that is at work. */
static void show_jobs(const struct report *r)
{
    static const char *const words[] = {[HISTORY_DONE] = "done",
                                        [HISTORY_OMISSIONS] = "done, with omissions",
                                        [HISTORY_FAILED] = "failed"};
    char time[TIME_TEXT], bytes[SIZE_TEXT];
    for (int k = 0; k < JOB_KINDS; k++) {
        const struct job_end *last = &r->jobs.of[k].last;
        if (!last->ended_ns)
            continue;
        time_text(last->ended_ns, time);
        size_text((double)last->bytes, bytes);
        printf("%-8s %s for %s at %s: %s%s%s\n", job_kind_names[k], words[last->result],
               last->day ? last->day : "an unknown day", time, bytes, last->text ? "; " : "",
               last->text ? last->text : "");
    }
    if (!r->job_now.working)
        return;
    time_text(r->job_now.since_ns, time);
    if (r->job_now.known)
        printf("at work  influxfs-%s since %s, process %d\n", job_kind_names[r->job_now.kind], time,
               (int)r->job_now.pid);
    else
        printf("at work  a nightly job that has just begun\n");
}

static void show_text(const struct report *r)
{
    char space[SIZE_TEXT];
    size_text((double)r->free_bytes, space);
    printf("meta     %s\ndata     %s\nwal      %s\n", r->paths->meta, r->paths->data,
           r->paths->wal);
    if (!r->contents.known || r->contents.absent)
        printf("store    %s\n", r->contents.absent ? "none" : r->contents.unknown.text);
    printf("in use   %s\n", r->in_use.text[0] ? r->in_use.text : "no");
    if (r->cut_off.text[0])
        printf("restore  %s\n", r->cut_off.text);
    if (r->state)
        printf("state    %s, %s free\n", r->state, space);
    else
        printf("state    none: %s\n", r->lacks.text);
    if (r->state && r->lacks.text[0])
        printf("lacks    %s\n", r->lacks.text);
    if (r->state)
        show_links(&r->links);
    if (r->ncuts)
        show_cuts(r);
    else
        printf("cuts     %s\n", r->known == REPORT_CUTS ? "none" : "unknown");
    show_jobs(r);
}

/* A text by a printer; a file of it is readable by all: neither node_exporter nor a web server
 * runs as root, and there is nothing secret in it. */
static int show_printed(const struct snap *s, const struct report *r,
                        int (*print)(const struct report *r, char **text), struct err *e)
{
    autofree char *text = NULL;
    int ret = print(r, &text);
    if (ret < 0)
        return err_sys(e, ret, "status");
    if (s->o.output)
        return outfile_replace(s->o.output, text, 0644, e);
    fputs(text, stdout);
    return 0;
}

static int show_how(struct snap *s, const struct report *r, struct err *e)
{
    if (s->o.prometheus || s->o.html)
        return show_printed(s, r, s->o.html ? report_html : report_prom, e);
    if (s->o.json)
        snap_print_json(report_json(r));
    else
        show_text(r);
    return 0;
}

/* A second form, or an option of another form. */
static bool show_contradicts(const struct options *o, struct err *e)
{
    const char *no = o->json + o->prometheus + o->html + o->check > 1
                         ? "--json, --prometheus, --html and --check exclude each other"
                     : o->output && !o->prometheus && !o->html
                         ? "--output is for --prometheus and --html"
                         : NULL;
    if (no)
        err_set(e, 0, "%s", no);
    return no;
}

/* The exit code, with what is wrong on stderr. Of the store JSON says it itself; where a restore was
 * cut off it may be in pieces, as was said. */
static int show_verdict(const struct report *r, bool json)
{
    const bool lacking = r->contents.absent || !r->contents.known;
    const bool told = lacking && !json && !r->cut_off.text[0];
    if (r->broken.text[0])
        snap_fail(-1, &r->broken);
    if (told && r->contents.absent)
        snap_say("there is no store: %s: No such file or directory", r->paths->data);
    else if (told)
        snap_say("what the store holds is unknown: %s", r->contents.unknown.text);
    if (r->broken.text[0] && r->known == REPORT_CUTS)
        return EXIT_INCOMPLETE;
    return r->broken.text[0] || told ? EXIT_FAILED : EXIT_DONE;
}

int snap_status(struct snap *s)
{
    struct err e = {0};
    struct report report = {0};
    if (show_contradicts(&s->o, &e)) {
        if (s->o.check)
            return check_unknown(e.text);
        snap_say("%s", e.text);
        return EXIT_USAGE;
    }
    int r = gather_report(s, &report, &e);
    if (s->o.check) {
        int code = r < 0 ? check_unknown(e.text) : check_report(&report);
        report_clear(&report);
        return code;
    }
    if (r == 0)
        r = show_how(s, &report, &e);
    /* Metrics and page say it themselves, and a timer must not fail each minute. */
    const bool silent = s->o.prometheus || s->o.html;
    int code = r < 0 ? snap_fail(r, &e) : silent ? EXIT_DONE : show_verdict(&report, s->o.json);
    report_clear(&report);
    return code;
}
