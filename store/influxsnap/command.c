/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/command.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MOST 128 /* rows of the table */

/* Whether a list of names, separated by spaces, holds this one. */
static bool holds(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = names; (p = strstr(p, name)); p += n)
        if ((p == names || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

/* Whether the option is one of a kind of programs; and of this one. NULL for the command: only what
 * all of them take. */
static bool command_kind_takes(unsigned taker, const struct option_def *d)
{
    return d->takers & (taker | OPTION_COMMANDS);
}

static bool command_takes(const struct command *c, unsigned taker, const struct option_def *d)
{
    return d->takers & OPTION_COMMANDS || (c && d->takers & taker && holds(c->takes, d->name));
}

/* The options for getopt_long: an option's value is its letter, or else CHAR_MAX plus its place in
 * the table. What begins the short ones says how words are read: see getopt(3). */
static void command_options(unsigned taker, const char *how, struct option longs[OPTIONS_MOST + 1],
                            char shorts[OPTIONS_MOST])
{
    size_t n = 0;
    shorts = stpcpy(shorts, how);
    for (const struct option_def *d = options_table; d->help && n < OPTIONS_MOST; d++) {
        if (!command_kind_takes(taker, d))
            continue;
        int value = d->letter ? d->letter : CHAR_MAX + 1 + (int)(d - options_table);
        longs[n++] =
            (struct option){d->name, d->value ? required_argument : no_argument, NULL, value};
        if (!d->letter)
            continue;
        *shorts++ = d->letter;
        if (d->value)
            *shorts++ = ':';
    }
    longs[n] = (struct option){0};
    *shorts = 0;
}

static const struct option_def *command_option(int value)
{
    const struct option_def *d = options_table;
    if (value > CHAR_MAX)
        return d + (value - CHAR_MAX - 1);
    while (d->letter != value || !(d->takers & OPTION_COMMANDS))
        d++;
    return d;
}

/* What getopt_long came upon becomes an option's value; given[] gets those that are present. */
static int command_take(int value, const char *word, struct options *o, bool given[OPTIONS_MOST],
                        struct err *e)
{
    if (value == ':')
        return err_set(e, -EINVAL, "option %s needs a value", word);
    if (value == '?')
        return err_set(e, -EINVAL, "option %s: unknown, or with a value that it does not take",
                       word);
    const struct option_def *d = command_option(value);
    given[d - options_table] = true;
    return options_read(d, OPTION_COMMAND, optarg, o, e);
}

static int command_read(int argc, char **argv, struct options *o, bool given[OPTIONS_MOST],
                        struct err *e)
{
    struct option longs[OPTIONS_MOST + 1];
    char shorts[OPTIONS_MOST];
    command_options(OPTION_COMMAND, ":", longs, shorts);
    opterr = 0;
    for (int value; (value = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        int r = command_take(value, argv[optind - 1], o, given, e);
        if (r < 0)
            return r;
    }
    o->args = argv + optind;
    o->nargs = (size_t)(argc - optind);
    return 0;
}

/* The words before "--" move to the front, where the options were that have been read. */
static int command_read_one(int argc, char **argv, struct options *o, bool given[OPTIONS_MOST],
                            struct err *e)
{
    struct option longs[OPTIONS_MOST + 1];
    char shorts[OPTIONS_MOST];
    command_options(OPTION_JOB, "-:", longs, shorts);
    opterr = 0;
    o->args = argv + 1;
    for (int value; (value = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        if (value == 1) {
            o->args[o->nargs++] = optarg;
            continue;
        }
        int r = command_take(value, argv[optind - 1], o, given, e);
        if (r < 0)
            return r;
    }
    o->rclone = argv + optind;
    o->args[o->nargs] = NULL; /* in the place of an option, of "--", or of the last NULL */
    return 0;
}

static int command_check(const struct command *c, unsigned taker, const struct options *o,
                         const bool given[OPTIONS_MOST], struct err *e)
{
    for (const struct option_def *d = options_table; d->help; d++)
        if (given[d - options_table] && !command_takes(c, taker, d))
            return taker == OPTION_JOB
                       ? err_set(e, -EINVAL, "no option --%s; see %s --help", d->name, c->name)
                       : err_set(e, -EINVAL, "%s takes no option --%s", c->name, d->name);
    if (o->nargs >= (size_t)c->least && (c->most < 0 || o->nargs <= (size_t)c->most))
        return 0;
    if (taker == OPTION_JOB)
        return err_set(e, -EINVAL, "usage: %s [options] %s%s[-- RCLONE-OPTION...]", c->name,
                       c->arguments, *c->arguments ? " " : "");
    return err_set(e, -EINVAL, "usage: influxsnap [options] %s %s", c->name, c->arguments);
}

int command_parse(int argc, char **argv, const struct command *commands, struct options *out,
                  const struct command **command, struct err *e)
{
    bool given[OPTIONS_MOST] = {false};
    options_default(out);
    int r = command_read(argc, argv, out, given, e);
    if (r < 0)
        return r;
    if (out->version || (out->help && !out->nargs))
        return 0;
    if (!out->nargs)
        return err_set(e, -EINVAL, "needs a command; see influxsnap --help");
    for (const struct command *c = commands; c->name; c++)
        if (strcmp(c->name, out->args[0]) == 0)
            *command = c;
    if (!*command)
        return err_set(e, -EINVAL, "unknown command %s; see influxsnap --help", out->args[0]);
    out->args++;
    out->nargs--;
    return out->help ? 0 : command_check(*command, OPTION_COMMAND, out, given, e);
}

int command_parse_one(int argc, char **argv, const struct command *one, struct options *out,
                      struct err *e)
{
    bool given[OPTIONS_MOST] = {false};
    options_default(out);
    int r = command_read_one(argc, argv, out, given, e);
    return r < 0 || out->version || out->help ? r : command_check(one, OPTION_JOB, out, given, e);
}

static void command_print_codes(void)
{
    printf("\nExit codes: 0 done, 1 failed, 2 usage, 3 refused because influxd uses the store,\n"
           "4 a file is damaged or not a snapshot, 5 the chain of snapshots is incomplete,\n"
           "6 done, with omissions that are named.\n");
}

void command_help_one(const struct command *one)
{
    printf("usage: %s [options] %s%s[-- RCLONE-OPTION...]\n\n%s\n", one->name, one->arguments,
           *one->arguments ? " " : "", one->details);
    for (const struct option_def *d = options_table; d->help; d++)
        if (command_takes(one, OPTION_JOB, d))
            options_print(d, OPTION_COMMAND);
    command_print_codes();
}

void command_help(const struct command *commands, const struct command *one)
{
    if (one) {
        printf("usage: influxsnap [options] %s %s\n\n%s\n", one->name, one->arguments,
               one->details);
    } else {
        printf("usage: influxsnap [options] COMMAND …\n\n"
               "Backs up and restores the store of an InfluxDB 1.x server, without a mount.\n\n");
        for (const struct command *c = commands; c->name; c++)
            printf("  %-12s %s\n", c->name, c->summary);
        printf("\nOptions of all commands; `influxsnap COMMAND --help` tells of one:\n");
    }
    for (const struct option_def *d = options_table; d->help; d++)
        if (command_takes(one, OPTION_COMMAND, d) && (!one || d->takers & OPTION_COMMAND))
            options_print(d, OPTION_COMMAND);
    if (one)
        printf("\nOptions of all commands: influxsnap --help\n");
    else
        command_print_codes();
}
