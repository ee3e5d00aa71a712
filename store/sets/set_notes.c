/* SPDX-License-Identifier: MIT */
/* What an operator should know of a set. What `influxd restore` would lose is said for those who
 * wonder why the two differ (cmd/influxd/restore/restore.go; influxd 1.5 to 1.12). */
#include "store/base/array.h"
#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influx/names.h"
#include "store/sets/set_impl.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

enum { SHARDS_SHOWN = 3, LINES_SHOWN = 20, LEFT_OUT_MAX = 1 << 20 };

/* "shard 10 of db.autogen", of the first few shards for which a question is answered with yes. */
struct shown {
    size_t n;
    char text[256];
};

typedef bool notes_question(const struct set *s, size_t first, size_t end);

/* asks: NULL, or what is to hold of them. */
static void notes_count(const struct set *s, enum set_fate fate, notes_question *asks,
                        struct shown *out)
{
    size_t used = 0;
    *out = (struct shown){0};
    for (size_t i = 0, end; i < s->narchives; i = end) {
        const struct set_archive *a = &s->archives[i];
        end = set_shard_end(s, i);
        if (a->fate != fate || (asks && !asks(s, i, end)))
            continue;
        if (out->n++ < SHARDS_SHOWN && used < sizeof(out->text)) {
            int k = a->db ? snprintf(out->text + used, sizeof(out->text) - used, "%s%s.%s.%" PRIu64,
                                     used ? ", " : "", a->db, a->rp, a->id)
                          : snprintf(out->text + used, sizeof(out->text) - used, "%s%s",
                                     used ? ", " : "", a->name);
            used += k > 0 ? (size_t)k : 0;
        }
    }
    if (out->n > SHARDS_SHOWN && used < sizeof(out->text))
        snprintf(out->text + used, sizeof(out->text) - used, ", …");
}

static bool ends_in_zero(const struct set *s, size_t first, size_t end)
{
    (void)end;
    return s->archives[first].id % 10 == 0;
}

static bool has_dots(const struct set *s, size_t first, size_t end)
{
    (void)end;
    return strchr(s->archives[first].db, '.') || strchr(s->archives[first].rp, '.');
}

static bool is_before(const void *item, const void *key)
{
    return ((const struct set_file *)item)->archive < *(const size_t *)key;
}

/* The first file of this archive, or of a later one. */
static size_t notes_first_file(const struct set *s, size_t archive)
{
    return s->nfiles ? array_bisect(s->files, s->nfiles, sizeof(*s->files), &archive, is_before)
                     : 0;
}

/* Whether files of more than one run count. */
static bool is_of_several_runs(const struct set *s, size_t first, size_t end)
{
    size_t i = notes_first_file(s, first);
    const size_t archive = i < s->nfiles ? s->files[i].archive : end;
    while (i < s->nfiles && s->files[i].archive == archive)
        i++;
    return i < s->nfiles && s->files[i].archive < end;
}

static bool has_tombstones(const struct set *s, size_t first, size_t end)
{
    size_t i = notes_first_file(s, first);
    for (; i < s->nfiles && s->files[i].archive < end; i++)
        if (name_is_tombstone(path_last(s->files[i].name)))
            return true;
    return false;
}

/* What a restore of all of it does to a store. */
static int notes_say_place(struct set *s)
{
    if (s->runs[s->nruns - 1].limited)
        return set_add_note(s, "it holds databases without their continuous queries, and no users: "
                               "those of the store stay, but for queries of databases whose place "
                               "it takes");
    if (s->part)
        return set_add_note(s, "of some databases of the server only, whose place it takes");
    return set_add_note(s,
                        "it takes the place of the whole store, with %zu user%s and %zu continuous "
                        "quer%s, unless databases are named (--database, --as, --merge)",
                        s->users, plural(s->users), s->queries, s->queries == 1 ? "y" : "ies");
}

/* The text beside the newest run that says what is not in it, if influxfs wrote the set. */
static int notes_left_out_name(const struct set *s, char out[NAME_MAX + 1])
{
    const struct set_run *run = &s->runs[s->nruns - 1];
    const char *dot = strrchr(run->meta, '.');
    if (s->kind == SET_PORTABLE)
        return snprintf(out, NAME_MAX + 1, "%.*s.left_out",
                        (int)(dot ? dot - run->meta : (long)strlen(run->meta)), run->meta);
    return run->order ? snprintf(out, NAME_MAX + 1, "left_out-%02" PRIu64, run->order)
                      : snprintf(out, NAME_MAX + 1, "left_out");
}

/* Repeats that text, line by line, without its control bytes. */
static int notes_say_lacks(struct set *s)
{
    char name[NAME_MAX + 1];
    autofree char *text = NULL;
    size_t len, lines = 0;
    uint64_t size;
    autoclose int fd = notes_left_out_name(s, name) > NAME_MAX
                           ? -ENAMETOOLONG
                           : set_open_file(s->folder, name, &size, NULL);
    if (fd < 0 || io_read_file(s->folder, name, LEFT_OUT_MAX, &text, &len) < 0)
        return 0; /* it is only for people */
    for (size_t i = 0; i < len; i++)
        if ((unsigned char)text[i] < ' ' && text[i] != '\n')
            text[i] = '?';
    int r = 0;
    char *save = NULL;
    for (char *line = strtok_r(text, "\n", &save); r == 0 && line;
         line = strtok_r(NULL, "\n", &save))
        if (lines++ < LINES_SHOWN)
            r = set_add_warning(s, "it says that it lacks %s", line);
    if (r == 0 && lines > LINES_SHOWN)
        r = set_add_warning(s, "%zu more lines of what it lacks are in %s", lines - LINES_SHOWN,
                            name);
    return r;
}

static bool has_no_file(const struct set *s, size_t first, size_t end)
{
    size_t i = notes_first_file(s, first);
    return i == s->nfiles || s->files[i].archive >= end;
}

/* An increment, or a range of times, by itself. */
static int notes_say_empty(struct set *s)
{
    struct shown empty, all;
    notes_count(s, SET_TAKEN, has_no_file, &empty);
    notes_count(s, SET_TAKEN, NULL, &all);
    if (empty.n == 0)
        return 0;
    return set_add_warning(s,
                           "of %zu of %zu shards it holds no points (%s): if that is an increment "
                           "or a range of times, the older runs belong into its folder",
                           empty.n, all.n, empty.text);
}

static int notes_say_runs(struct set *s)
{
    char time[TIME_TEXT];
    size_t shards = 0;
    for (size_t i = 0; i < s->narchives; i = set_shard_end(s, i))
        shards += s->archives[i].fate == SET_TAKEN;
    time_text(s->created_ns, time);
    int r = set_add_note(s, "a %s backup of %zu run%s, the last at %s: %zu shard%s, %zu file%s",
                         s->kind == SET_LEGACY ? "legacy" : "portable", s->nruns, plural(s->nruns),
                         time, shards, plural(shards), s->nfiles, plural(s->nfiles));
    if (r == 0)
        r = notes_say_place(s);
    if (r == 0 && s->pending)
        r = set_add_note(s, "%zu file%s of runs that broke off (.pending) %s not read", s->pending,
                         plural(s->pending), s->pending == 1 ? "is" : "are");
    return r;
}

static int notes_say_legacy(struct set *s)
{
    struct shown zero, dots;
    notes_count(s, SET_TAKEN, ends_in_zero, &zero);
    notes_count(s, SET_TAKEN, has_dots, &dots);
    int r = 0;
    if (zero.n)
        r = set_add_note(s,
                         "`influxd restore` would put %zu shard%s into the folder of another: %s",
                         zero.n, plural(zero.n), zero.text);
    if (r == 0 && dots.n)
        r = set_add_note(s, "`influxd restore` cannot read names with dots: %s", dots.text);
    return r;
}

static int notes_say_portable(struct set *s)
{
    struct shown several, dead;
    notes_count(s, SET_TAKEN, is_of_several_runs, &several);
    notes_count(s, SET_TAKEN, has_tombstones, &dead);
    int r = 0;
    if (several.n)
        r = set_add_note(s, "`influxd restore` would take the newest file alone of %zu shard%s: %s",
                         several.n, plural(several.n), several.text);
    if (r == 0 && dead.n)
        r = set_add_note(s, "`influxd restore` would bring back deleted points of %zu shard%s: %s",
                         dead.n, plural(dead.n), dead.text);
    return r;
}

static int notes_say_left(struct set *s)
{
    struct shown older, unknown;
    notes_count(s, SET_LEFT, NULL, &older);
    notes_count(s, SET_UNKNOWN, NULL, &unknown);
    int r = 0;
    if (older.n)
        r = set_add_note(s,
                         "left out: %zu shard%s that only an older metastore of it knows (%s); "
                         "`influxsnap restore --union` takes %s too",
                         older.n, plural(older.n), older.text, older.n == 1 ? "it" : "them");
    if (r == 0 && unknown.n)
        r = set_add_note(s, "left out: %zu shard%s that no metastore of it knows (%s)", unknown.n,
                         plural(unknown.n), unknown.text);
    return r;
}

int set_say(struct set *s)
{
    struct shown several;
    notes_count(s, SET_TAKEN, is_of_several_runs, &several);
    int r = notes_say_runs(s);
    if (r == 0)
        r = notes_say_empty(s);
    if (r == 0)
        r = notes_say_lacks(s);
    if (r == 0)
        r = notes_say_left(s);
    if (r == 0 && s->spread)
        r = set_add_note(s, "what newer runs know as deleted was taken out of %zu older file%s",
                         s->spread, plural(s->spread));
    if (r == 0 && several.n)
        r = set_add_note(s,
                         "points that were deleted between two runs may come back, where influxd "
                         "compacted the file that held them: an older run still has it");
    if (r == 0)
        r = s->kind == SET_LEGACY ? notes_say_legacy(s) : notes_say_portable(s);
    return r;
}
