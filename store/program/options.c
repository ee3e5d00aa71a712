/* SPDX-License-Identifier: MIT */
#include "store/program/options.h"

#include "store/base/array.h"
#include "store/base/time.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define FS OPTION_INFLUXFS
#define SOME OPTION_COMMAND
#define ALL OPTION_COMMANDS
#define JOB OPTION_JOB
#define AT(member) offsetof(struct options, member)
#define FLAG(member) NULL, value_flag, AT(member)

const struct option_def options_table[] = {
    {"config", 'c', ALL, "CONF|FOLDER", value_text, AT(store),
     "the store: an influxdb.conf, or a folder that holds\n"
     "meta, data and wal; default /etc/influxdb/influxdb.conf"},
    {NULL, 'f', FS, FLAG(foreground), "stay in the foreground, log to stderr"},
    {NULL, 'd', FS, FLAG(debug), "as -f, and show what the kernel asks"},
    {"help", 'h', FS | ALL, FLAG(help), "print this"},
    {"quiet", 'q', ALL, FLAG(quiet), "warnings, errors and results only: no progress"},
    {"version", 'V', FS | ALL, FLAG(version), "print the version"},
    {"meta", 0, FS | ALL, "DIR", value_text, AT(override.meta), "the metastore's folder"},
    {"data", 0, FS | ALL, "DIR", value_text, AT(override.data), "the data folder"},
    {"wal", 0, FS | ALL, "DIR", value_text, AT(override.wal), "the WAL folder"},
    {"state", 0, FS | ALL, "DIR", value_text, AT(state),
     "what is remembered of the store;\ndefault: influxfs beside the data folder"},
    {"log", 0, FS | ALL, "LEVEL", value_level, AT(log),
     "log the work in progress, up to this level:\n"
     "error, warning, info or debug"},
    {"json", 0, SOME | JOB, FLAG(json), "results as JSON"},
    {"sql", 0, SOME, FLAG(sql), "results as statements of InfluxQL"},
    {"compress", 0, SOME, "zstd|gzip", value_compress, AT(compress),
     "compress the snapshot; its name stays PATH"},
    {"host", 0, SOME, "HOST|URL", value_text, AT(host),
     "back up the store of another machine, from its\n"
     "influxsnap serve: HOST[:8087], http(s)://HOST or unix:PATH"},
    {"allow-host", 0, SOME, "NAME[:NAME]", value_text, AT(allow_host),
     "names of this machine that clients may ask for"},
    {"timeout", 0, SOME, "TIME", value_every, AT(timeout_ns),
     "give up when no byte has gone for so long; default 60s"},
    {"prometheus", 0, SOME, FLAG(prometheus), "metrics, as Prometheus reads them"},
    {"html", 0, SOME, FLAG(html), "a page, as a browser shows it"},
    {"check", 0, SOME, FLAG(check), "one line and an exit code, as Nagios plugins answer"},
    {"max-age", 0, SOME, "WARN[:CRIT]", value_age, AT(max_age),
     "how old the last cut or backup may be, for --check;\ndefault 26h:50h"},
    {"dry-run", 0, SOME | JOB, FLAG(dry_run), "check everything and say what would be done"},
    {"every", 0, FS, "TIME", value_every, AT(every_ns),
     "make a cut every TIME: 1h, 30m, 1d;\nseconds without unit"},
    {"keep", 0, FS | SOME, "N", value_count, AT(keep),
     "how many numbers are kept: the oldest are folded\n"
     "into the base when there are 2N, by prune at once"},
    {"reserve", 0, FS | SOME, "5%|SIZE", value_reserve, AT(rules),
     "no cut where less of the disk is free; default 5%"},
    {"guard", 0, FS | SOME | JOB, "20%|off", value_guard, AT(rules),
     "a cut that lost more of the store than this is not\n"
     "folded until that is accepted, and a backup says so;\n"
     "default 20%"},
    {"accept-loss", 0, SOME, "N", value_number, AT(accept_loss),
     "what cut N lost may be lost: it is folded as others are"},
    {"exclude", 0, FS | SOME | JOB, "DB[:DB]", value_exclude, AT(rules),
     "databases that are left out: of cuts, of a backup"},
    {"owner", 0, FS | SOME | JOB, "USER[:GROUP]", value_owner, AT(owner),
     "who owns restored files"},
    {"force", 0, FS | SOME | JOB, FLAG(force), "restore although influxd seems to use the store"},
    {"allow-left-out", 0, FS | SOME | JOB, FLAG(allow_left_out),
     "take a snapshot although more of the store would be\nleft out than is in it"},
    {"keep-expired", 0, FS | SOME | JOB, FLAG(keep_expired),
     "let policies whose shards retention would delete at\n"
     "once keep points for ever"},
    {"ro", 0, FS, FLAG(ro), "no restore"},
    {"mkdir", 0, FS, FLAG(mkdir),
     "make the mount point, with mode 0755 as its parents,\nif it is missing"},
    {"format", 0, SOME, "lp|json|csv|portable|legacy", value_format, AT(format),
     "points as line protocol (the default), or as influxd\n"
     "answers over HTTP; a backup as a set of influxd's own"},
    {"from", 0, SOME, "TIME", value_time, AT(from), "points at this time or later"},
    {"to", 0, SOME, "TIME", value_time, AT(to), "points before this time"},
    {"database", 0, SOME | JOB, "DB[:DB]", value_databases, AT(selected), "these databases alone"},
    {"rp", 0, SOME | JOB, "RP", value_text, AT(rp), "this retention policy alone"},
    {"shard", 0, SOME | JOB, "ID[:ID]", value_shards, AT(selected),
     "the shards with these ids alone"},
    {"exact", 0, SOME, FLAG(exact),
     "of the shards that --from and --to meet, only the\npoints at these times"},
    {"as", 0, SOME | JOB, "NAME", value_text, AT(as),
     "the database gets this name, beside what is there"},
    {"merge", 0, SOME | JOB, "ours|theirs", value_merge, AT(merge),
     "add the points to what is there; where both have one,\n"
     "the store's counts (ours), or the snapshot's (theirs)"},
    {"union", 0, SOME | JOB, FLAG(unite),
     "of a set that influxd wrote, also the shards that only\nan older metastore of it knows"},
    {"output", 0, SOME, "PATH", value_text, AT(output),
     "write to this file, whole or not at all, instead of stdout"},
    {"path", 0, SOME, "FOLDER|FILE", value_text, AT(path),
     "a TSM file, a WAL segment, or the folder of a shard,\n"
     "a policy or a database, wherever it lies"},
    {"duration", 0, SOME, "[DB/RP=]TIME|INF", value_durations, AT(duration),
     "how long new policies keep points: all of them, or this\n"
     "one; default INF, for ever"},
    {"shard-duration", 0, SOME, "[DB/RP=]TIME", value_shard_durations, AT(shard_duration),
     "how long the shards of new policies are; guessed by\ndefault"},
    {"replace", 0, SOME, FLAG(replace), "make it anew, whatever is there; that is kept"},
    {"no-ddl", 0, SOME, FLAG(no_ddl), "no statements that create the database"},
    {"skip-damaged", 0, FS | SOME | JOB, FLAG(skip_damaged),
     "dump all that is not damaged, and name the rest"},
    {"memory", 0, FS | SOME, "SIZE", value_memory, AT(memory),
     "how much memory a dump may take, such as 256M;\ndefault 64M"},
    {"remove", 0, SOME, FLAG(remove), "unmount the clone and remove it"},
    {"pace", 0, FS, "off|auto|RATE", value_pace, AT(pace),
     "read no more than RATE bytes a second, such as 50M;\n"
     "auto (default): less while influxd needs the processors"},
    {"hide", 0, FS, "NAME[:NAME]", value_hide, AT(hide),
     "folders of the root that are not listed, but found by\n"
     "name: live, snapshots, at, dump, restore"},
    {"names", 0, FS | JOB, "colons|compact", value_names, AT(names),
     "how the names of dumps are listed: colons (default),\n"
     "or compact, without any; both forms can be opened"},
    {"uid", 0, FS, "N", value_id, AT(uid), "show all as this user's"},
    {"gid", 0, FS, "N", value_id, AT(gid), "show all as this group's"},
    {"umask", 0, FS, "M", value_mode, AT(umask), "show the mode 0777 less this (octal)"},
    {"remote", 0, JOB, "NAME:[BASE]", value_remote, AT(remote),
     "the object storage, as rclone's configuration names it"},
    {"day", 0, JOB, "DAY", value_day, AT(day), "a date such as 2016-06-11, or today, or yesterday"},
    {"container-format", 0, JOB, "FMT", value_text, AT(container_format),
     "the container of a day, as date(1) writes it;\ndefault %Y-%m-%d"},
    {"from", 0, JOB, "DAY", value_day, AT(from_day), "the first day of several"},
    {"to", 0, JOB, "DAY", value_day, AT(to_day), "the first day after them"},
    {"incremental", 0, JOB, FLAG(incremental),
     "what has changed since the archive before, if there is\none to build on"},
    {"full-every", 0, JOB, "N", value_count, AT(full_every),
     "after N incremental ones a full one; default 7"},
    {"legacy", 0, JOB, FLAG(legacy), "the files of `influxd backup`, for the real influxd restore"},
    {"part-size", 0, JOB, "SIZE", value_size, AT(part_size),
     "the most bytes of one object; default 5G"},
    {"verify", 0, JOB, "size|read", value_verify, AT(verify_read),
     "what is looked at after an upload: its size and sum as\n"
     "the remote knows them (default), or also all its bytes"},
    {"keep", 0, JOB, "N", value_count, AT(keep),
     "remove from the remote all but the newest N days"},
    {"into", 0, JOB, "FOLDER", value_text, AT(into), "restore by a mount: its folder restore/"},
    {"stop", 0, JOB, "UNIT", value_text, AT(stop),
     "stop this unit of systemd, such as influxdb, before the\nrestore, and start it after that"},
    {"start-stopped", 0, JOB, FLAG(start_stopped),
     "do nothing but start what a fetch that was killed has\nleft stopped"},
    {"store", 0, JOB, "ID", value_store_id, AT(of_store),
     "whose archive, if there are those of several stores"},
    {"format", 0, JOB, "json|csv|lp", value_points, AT(format),
     "as influxd answers over HTTP, or as line protocol;\ndefault json"},
    {"compress", 0, JOB, "zstd|gzip", value_compress, AT(compress),
     "compress each object; its name gets an ending"},
    {"retry-for", 0, JOB, "TIME", value_every, AT(retry_ns),
     "try again for so long when the remote does not answer;\ndefault 15m"},
    {"wait", 0, JOB, "TIME", value_every, AT(wait_ns),
     "wait for another job on this store; default: not"},
    {"before", 0, JOB, "COMMAND", value_text, AT(before),
     "run by sh(1) first; if it fails, the job does"},
    {"after", 0, JOB, "COMMAND", value_text, AT(after), "run when the job has ended well"},
    {"on-failure", 0, JOB, "COMMAND", value_text, AT(on_failure), "run when the job has failed"},
    {0}};

void options_default(struct options *o)
{
    static char *no_words[] = {NULL};
    *o = (struct options){
        .owner = {(uid_t)-1, (gid_t)-1},
        .keep = OPTIONS_KEEP_ALL,
        .log = LOG_LEVEL_WARNING,
        .format = {.dump = DUMP_LP},
        .from = INT64_MIN,
        .to = INT64_MAX,
        .accept_loss = -1,
        .max_age = {26 * 3600 * SECOND_NS, 50 * 3600 * SECOND_NS},
        .pace = PACE_AUTO,
        .rules = {.reserve_part = 0.05, .guard = true, .guard_part = 0.2},
        .day = VALUE_NO_DAY,
        .from_day = VALUE_NO_DAY,
        .to_day = VALUE_NO_DAY,
        .retry_ns = 900 * SECOND_NS,
        .full_every = OPTIONS_FULL_EVERY,
        .part_size = UINT64_C(5) << 30,
        .rclone = no_words,
    };
}

void options_clear(struct options *o)
{
    store_paths_free(&o->override);
    value_rules_clear(&o->rules);
    free(o->store);
    free(o->state);
    free(o->mountpoint);
    options_free_kept(o->mount_options, o->nmount_options);
    value_selection_clear(&o->selected);
    free(o->rp);
    free(o->as);
    free(o->output);
    free(o->path);
    lengths_clear(&o->duration);
    lengths_clear(&o->shard_duration);
    free(o->host);
    free(o->allow_host);
    free(o->remote);
    free(o->container_format);
    free(o->before);
    free(o->after);
    free(o->on_failure);
    free(o->into);
    free(o->stop);
    free(o->of_store);
}

/* Whether a word of n bytes is the name, with dash between the words of the name. */
static bool is_name(const char *name, const char *word, size_t n, char dash)
{
    size_t i = 0;
    while (i < n && name[i] && word[i] == (name[i] == '-' ? dash : name[i]))
        i++;
    return i == n && !name[i];
}

const struct option_def *options_find(const char *word, const char **value)
{
    size_t dashes = strspn(word, "-"), n;
    word += dashes;
    n = strcspn(word, "=");
    *value = word[n] ? word + n + 1 : NULL;
    for (const struct option_def *d = options_table; d->help; d++) {
        if (!(d->takers & OPTION_INFLUXFS) || !d->value != !*value)
            continue;
        if (dashes == 1 ? n == 1 && d->letter == *word
                        : d->name && !dashes == !d->letter && is_name(d->name, word, n, '_'))
            return d;
    }
    return NULL;
}

const struct option_def *options_find_after(const struct option_def *before, const char *word,
                                            const char **value)
{
    unsigned ignored = 0;
    const struct option_def *d = options_find(word, value);
    if (d || !before || before->read != value_hide || value_hide(word, &ignored, NULL) < 0)
        return d;
    *value = word;
    return before;
}

int options_keep(char ***list, size_t *n, const char *word, bool more)
{
    char **last = more && *n ? &(*list)[*n - 1] : NULL, *own = NULL;
    if (asprintf(&own, "%s%s%s", last ? *last : "", last ? "," : "", word) < 0)
        return -ENOMEM;
    if (last) {
        free(*last);
        *last = own;
        return 0;
    }
    if (!array_grow(list, *n)) {
        free(own);
        return -ENOMEM;
    }
    (*list)[(*n)++] = own;
    return 0;
}

void options_free_kept(char **list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        free(list[i]);
    free(list);
}

struct selection options_selection(const struct options *o)
{
    struct selection s = o->selected;
    s.exclude = o->rules.exclude;
    s.nexclude = o->rules.nexclude;
    s.rp = o->rp;
    s.from = o->from;
    s.to = o->to;
    s.exact = o->exact;
    return s;
}

/* Writes the name from *out on as a program spells it: "keep_expired" or "--keep-expired". */
static void write_name(const struct option_def *d, unsigned taker, char out[32])
{
    bool fs = taker & OPTION_INFLUXFS;
    snprintf(out, 32, "%s%s", fs && !d->letter ? "" : "--", d->name);
    for (char *p = out; fs && *p; p++)
        *p = *p == '-' && !d->letter ? '_' : *p;
}

int options_read(const struct option_def *d, unsigned taker, const char *value, struct options *o,
                 struct err *e)
{
    char name[32];
    struct err why = {0};
    int r = d->read(value, (char *)o + d->at, &why);
    if (r == 0)
        return 0;
    write_name(d, taker, name);
    return err_set(e, r, "option %s=%s: %s", name, value, why.text);
}

void options_print(const struct option_def *d, unsigned taker)
{
    char name[32] = "", left[80];
    const char *before = taker & OPTION_INFLUXFS ? "-o " : "    ", *p = d->help;
    char letter[] = {'-', d->letter, d->name ? ',' : 0, ' ', 0};
    if (d->name)
        write_name(d, taker, name);
    snprintf(left, sizeof(left), "%s%s%s%s", d->letter ? letter : before, name, d->value ? "=" : "",
             d->value ? d->value : "");
    printf("  %-27s", left);
    for (size_t n; (n = strcspn(p, "\n")), p[n]; p += n + 1)
        printf(" %.*s\n%29s", (int)n, p, "");
    printf(" %s\n", p);
}
