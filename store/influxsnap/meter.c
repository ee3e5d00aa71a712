/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/meter.h"

#include "store/base/err.h"
#include "store/base/size.h"
#include "store/base/time.h"
#include "store/influxsnap/say.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#define EVERY_NS 100000000
#define ERASE "\r\033[K"

void meter_begin(struct meter *m, const char *verb, uint64_t total)
{
    *m = (struct meter){.verb = verb,
                        .bar = !snap_is_quiet() && isatty(STDERR_FILENO),
                        .total = total,
                        .began = time_mono_ns()};
}

void meter_file(struct meter *m, const char *name, uint64_t size)
{
    struct err line;
    if (m->bar || snap_is_quiet())
        return;
    /* Replaces bytes that would upset a terminal or a log. */
    err_set(&line, 0, "%s %s (%llu bytes)", m->verb, name, (unsigned long long)size);
    fprintf(stderr, "%s\n", line.text);
}

static int columns(void)
{
    struct winsize w;
    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col > 0 ? w.ws_col : 80;
}

static void time_left(const struct meter *m, double rate, char out[32])
{
    double s = rate > 0 && m->total > m->done ? (double)(m->total - m->done) / rate : 0;
    unsigned long whole = s < 360000 ? (unsigned long)(s + 0.5) : 360000;
    if (whole >= 3600)
        snprintf(out, 32, "%lu:%02lu:%02lu left", whole / 3600, whole / 60 % 60, whole % 60);
    else
        snprintf(out, 32, "%lu:%02lu left", whole / 60, whole % 60);
}

static void meter_draw(const struct meter *m)
{
    char done[SIZE_TEXT], total[SIZE_TEXT], per_second[SIZE_TEXT], left[32], text[160],
        bar[64] = "";
    double seconds = (double)(time_mono_ns() - m->began) / 1e9;
    double rate = seconds > 0 ? (double)m->done / seconds : 0;
    double part = m->total ? (double)m->done / (double)m->total : 0;
    size_text((double)m->done, done);
    size_text((double)m->total, total);
    size_text(rate, per_second);
    time_left(m, rate, left);
    if (!m->total) {
        fprintf(stderr, ERASE "%s %s, %s/s", m->verb, done, per_second);
        return;
    }
    int n = snprintf(text, sizeof(text), "%s of %s, %s/s, %s", done, total, per_second, left);
    int room = columns() - n - (int)strlen(m->verb) - 10;
    int width = room < 0 ? 0 : room > 40 ? 40 : room;
    if (width > 4) {
        memset(bar, ' ', (size_t)width);
        memset(bar, '=', (size_t)(part * width));
        fprintf(stderr, ERASE "%s %3.0f%% [%.*s] %s", m->verb, part * 100, width, bar, text);
    } else {
        fprintf(stderr, ERASE "%s %3.0f%% %s", m->verb, part * 100, text);
    }
}

void meter_add(struct meter *m, uint64_t bytes)
{
    m->done += bytes;
    if (m->total && m->done > m->total)
        m->done = m->total;
    int64_t now = m->bar ? time_mono_ns() : 0;
    if (m->bar && now - m->shown >= EVERY_NS) {
        m->shown = now;
        meter_draw(m);
    }
}

void meter_hide(struct meter *m)
{
    if (m->bar && m->shown)
        fprintf(stderr, ERASE);
    m->shown = 0;
}

void meter_end(struct meter *m)
{
    meter_hide(m);
    m->bar = false;
}
