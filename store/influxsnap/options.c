/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/options.h"

#include "store/base/owner.h"
#include "store/chain/rules.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct option_def {
    char letter;
    const char *name, *value, *help;
};

/* Lines after the first are indented by options_help. */
static const struct option_def defs[] = {
    {'c', "config", "CONF|FOLDER",
     "the store: an influxdb.conf, or a folder that holds\n"
     "meta, data and wal; default /etc/influxdb/influxdb.conf"},
    {'s', "state", "DIR",
     "what is remembered of the store;\ndefault: influxfs beside the data folder"},
    {'M', "meta", "DIR", "the metastore's folder"},
    {'D', "data", "DIR", "the data folder"},
    {'W', "wal", "DIR", "the WAL folder"},
    {'h', "help", NULL, "print this; after a command, its help"},
    {'q', "quiet", NULL, "warnings, errors and results only: no progress"},
    {'V', "version", NULL, "print the version"},
    {'j', "json", NULL, "results as JSON"},
    {'z', "compress", "zstd|gzip", "compress the snapshot; its name stays PATH"},
    {'n', "dry-run", NULL, "check everything and say what would be done"},
    {'f', "force", NULL, "although influxd seems to use the store"},
    {'e', "keep-expired", NULL,
     "let policies whose shards retention would delete at\n"
     "once keep points for ever"},
    {'o', "owner", "USER[:GROUP]", "who owns restored files"},
    {'k', "keep", "N", "how many numbers are kept"},
    {'r', "reserve", "5%|SIZE", "no cut where less of the disk is free; default 5%"},
    {'g', "guard", "20%|off",
     "a cut that lost more of the store than this is not\n"
     "folded until that is accepted; default 20%"},
    {'l', "accept-loss", "N", "what cut N lost may be lost: it is folded as others are"},
    {'x', "exclude", "DB[:DB]", "databases that are left out"},
    {'F', "format", "lp|json|csv", "line protocol (the default), or as influxd answers over HTTP"},
    {'a', "from", "TIME", "points at this time or later"},
    {'b', "to", "TIME", "points before this time"},
    {'O', "output", "PATH", "write to this file, whole or not at all, instead of stdout"},
    {'A', "allow-left-out", NULL, "although more would be left out than kept"},
    {'L', "no-ddl", NULL, "no statements that create the database"},
    {'S', "skip-damaged", NULL, "give all that is not damaged, and name the rest"},
    {'m', "remove", NULL, "unmount the clone and remove it"},
};
#define DEFS (sizeof(defs) / sizeof(*defs))
#define COMMON "csMDWqhV"

static const struct option_def *find(int letter)
{
    for (size_t i = 0; i < DEFS; i++)
        if (defs[i].letter == letter)
            return &defs[i];
    return NULL;
}

static int set_compress(struct options *o, const char *text, struct err *e)
{
    if (strcmp(text, "zstd") == 0)
        o->compress = COMPRESS_ZSTD;
    else if (strcmp(text, "gzip") == 0)
        o->compress = COMPRESS_GZIP;
    else
        return err_set(e, -EINVAL, "option --compress=%s: it is zstd or gzip", text);
    return 0;
}

static int set_format(struct options *o, const char *text, struct err *e)
{
    static const struct {
        const char *name;
        enum dump_format format;
    } known[] = {{"lp", DUMP_LP}, {"json", DUMP_JSON}, {"csv", DUMP_CSV}};
    for (size_t i = 0; i < sizeof(known) / sizeof(*known); i++) {
        if (strcmp(text, known[i].name) == 0) {
            o->format = known[i].format;
            return 0;
        }
    }
    return err_set(e, -EINVAL, "option --format=%s: it is lp, json or csv", text);
}

static int set_time(const char *name, const char *text, int64_t *out, struct err *e)
{
    return cuts_parse_time(text, strlen(text), out) < 0
               ? err_set(e, -EINVAL, "option --%s=%s: not a time as 2016-06-11T12:00:00Z", name,
                         text)
               : 0;
}

static int read_number(const char *text, uint64_t *out)
{
    errno = 0;
    unsigned long long v = strtoull(text, NULL, 10);
    if (!*text || text[strspn(text, "0123456789")] || errno || v > INT64_MAX)
        return -EINVAL;
    *out = v;
    return 0;
}

static int set_keep(struct options *o, const char *text, struct err *e)
{
    if (read_number(text, &o->keep) < 0)
        return err_set(e, -EINVAL, "option --keep=%s: not a number", text);
    o->have_keep = true;
    return 0;
}

static int set_accept(struct options *o, const char *text, struct err *e)
{
    uint64_t n;
    if (read_number(text, &n) < 0)
        return err_set(e, -EINVAL, "option --accept-loss=%s: not the number of a cut", text);
    o->accept_loss = (int64_t)n;
    return 0;
}

/* NULL: the option has a value. */
static bool *flag_of(struct options *o, int letter)
{
    switch (letter) {
    case 'h':
        return &o->help;
    case 'V':
        return &o->version;
    case 'j':
        return &o->json;
    case 'n':
        return &o->dry_run;
    case 'f':
        return &o->force;
    case 'q':
        return &o->quiet;
    case 'e':
        return &o->keep_expired;
    case 'L':
        return &o->no_ddl;
    case 'S':
        return &o->skip_damaged;
    case 'm':
        return &o->remove;
    case 'A':
        return &o->allow_left_out;
    default:
        return NULL;
    }
}

static int set(struct options *o, int letter, char *value, struct err *e)
{
    bool *flag = flag_of(o, letter);
    if (flag) {
        *flag = true;
        return 0;
    }
    switch (letter) {
    case 'c':
        o->store = value;
        return 0;
    case 's':
        o->state = value;
        return 0;
    case 'M':
        o->override.meta = value;
        return 0;
    case 'D':
        o->override.data = value;
        return 0;
    case 'W':
        o->override.wal = value;
        return 0;
    case 'F':
        return set_format(o, value, e);
    case 'a':
        return set_time("from", value, &o->from, e);
    case 'b':
        return set_time("to", value, &o->to, e);
    case 'O':
        o->output = value;
        return 0;
    case 'z':
        return set_compress(o, value, e);
    case 'o':
        return owner_parse(value, &o->uid, &o->gid, e);
    case 'k':
        return set_keep(o, value, e);
    case 'r':
        return rules_reserve(value, &o->rules, e);
    case 'g':
        return rules_guard(value, &o->rules, e);
    case 'l':
        return set_accept(o, value, e);
    default:
        return rules_exclude(value, &o->rules, e);
    }
}

/* Reads all options; given[] gets their letters. */
static int read_options(int argc, char **argv, struct options *o, char given[DEFS + 1],
                        struct err *e)
{
    struct option longs[DEFS + 1] = {0};
    size_t n = 0;
    for (size_t i = 0; i < DEFS; i++)
        longs[i] = (struct option){defs[i].name, defs[i].value ? required_argument : no_argument,
                                   NULL, defs[i].letter};
    opterr = 0;
    for (int letter; (letter = getopt_long(argc, argv, ":c:hqV", longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (letter == ':')
            return err_set(e, -EINVAL, "option %s needs a value", word);
        if (letter == '?')
            return err_set(e, -EINVAL, "option %s is not known or cannot be used so", word);
        if (!strchr(given, letter))
            given[n++] = (char)letter;
        int r = set(o, letter, optarg, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int check(const struct options *o, const char *given, struct err *e)
{
    const struct command *c = o->command;
    for (; *given; given++)
        if (!strchr(COMMON, *given) && !strchr(c->takes, *given))
            return err_set(e, -EINVAL, "%s takes no option --%s", c->name, find(*given)->name);
    if (o->nargs < (size_t)c->least || (c->most >= 0 && o->nargs > (size_t)c->most))
        return err_set(e, -EINVAL, "usage: influxsnap [options] %s %s", c->name, c->arguments);
    return 0;
}

int options_parse(int argc, char **argv, const struct command *commands, struct options *out,
                  struct err *e)
{
    char given[DEFS + 1] = "";
    *out = (struct options){
        .store = "/etc/influxdb/influxdb.conf",
        .uid = (uid_t)-1,
        .gid = (gid_t)-1,
        .accept_loss = -1,
        .format = DUMP_LP,
        .from = INT64_MIN,
        .to = INT64_MAX,
    };
    rules_default(&out->rules);
    int r = read_options(argc, argv, out, given, e);
    if (r < 0)
        return r;
    out->args = argv + optind;
    out->nargs = (size_t)(argc - optind);
    if (out->version || (out->help && !out->nargs))
        return 0;
    if (!out->nargs)
        return err_set(e, -EINVAL, "needs a command; see influxsnap --help");
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, out->args[0]) == 0)
            out->command = c;
    if (!out->command)
        return err_set(e, -EINVAL, "%s is no command; see influxsnap --help", out->args[0]);
    out->args++;
    out->nargs--;
    return out->help ? 0 : check(out, given, e);
}

void options_clear(struct options *o)
{
    rules_clear(&o->rules);
}

static void print_option(const struct option_def *d)
{
    char text[64];
    const char *p = d->help;
    char letter[] = {'-', d->letter, ',', ' ', 0};
    snprintf(text, sizeof(text), "%s--%s%s%s", strchr("cqhV", d->letter) ? letter : "    ", d->name,
             d->value ? "=" : "", d->value ? d->value : "");
    printf("  %-27s", text);
    for (size_t n; (n = strcspn(p, "\n")), p[n]; p += n + 1)
        printf(" %.*s\n%29s", (int)n, p, "");
    printf(" %s\n", p);
}

void options_help(const struct command *commands, const struct command *one)
{
    if (one) {
        printf("usage: influxsnap [options] %s %s\n\n%s\n", one->name, one->arguments,
               one->details);
    } else {
        printf("usage: influxsnap [options] COMMAND …\n\n"
               "Backs up and restores the store of an InfluxDB 1.x server, without a mount.\n\n");
        for (const struct command *c = commands; c->name; c++)
            printf("  %-8s %s\n", c->name, c->summary);
        printf("\nOptions of all commands; `influxsnap COMMAND --help` tells of one:\n");
    }
    for (size_t i = 0; i < DEFS; i++)
        if (strchr(one ? one->takes : COMMON, defs[i].letter))
            print_option(&defs[i]);
    if (one)
        printf("\nOptions of all commands: influxsnap --help\n");
    else
        printf(
            "\nExit codes: 0 done, 1 failed, 2 usage, 3 refused because influxd uses the store,\n"
            "4 a snapshot is damaged or is none, 5 the chain of snapshots is incomplete,\n"
            "6 done, with omissions that are named.\n");
}
