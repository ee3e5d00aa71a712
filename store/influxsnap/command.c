/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/command.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define OPTIONS_MOST 64

/* Whether a list of names, separated by spaces, holds this one. */
static bool holds(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *p = names; (p = strstr(p, name)); p += n)
        if ((p == names || p[-1] == ' ') && (p[n] == ' ' || !p[n]))
            return true;
    return false;
}

/* NULL for the command: only what all commands take. */
static bool command_takes(const struct command *c, const struct option_def *d)
{
    return d->takers & OPTION_COMMANDS ||
           (c && d->takers & OPTION_COMMAND && holds(c->takes, d->name));
}

/* The options of influxsnap for getopt_long: an option's value is its letter, or else CHAR_MAX plus
 * its place in the table. */
static void command_options(struct option longs[OPTIONS_MOST + 1], char shorts[OPTIONS_MOST])
{
    size_t n = 0;
    *shorts++ = ':';
    for (const struct option_def *d = options_table; d->help && n < OPTIONS_MOST; d++) {
        if (!(d->takers & (OPTION_COMMAND | OPTION_COMMANDS)))
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

/* Reads all options; given[] gets those that are present. */
static int command_read(int argc, char **argv, struct options *o, bool given[OPTIONS_MOST],
                        struct err *e)
{
    struct option longs[OPTIONS_MOST + 1];
    char shorts[OPTIONS_MOST];
    command_options(longs, shorts);
    opterr = 0;
    for (int value; (value = getopt_long(argc, argv, shorts, longs, NULL)) != -1;) {
        const char *word = argv[optind - 1];
        if (value == ':')
            return err_set(e, -EINVAL, "option %s needs a value", word);
        if (value == '?')
            return err_set(e, -EINVAL, "option %s: unknown, or with a value that it does not take",
                           word);
        const struct option_def *d = command_option(value);
        given[d - options_table] = true;
        int r = options_read(d, OPTION_COMMAND, optarg, o, e);
        if (r < 0)
            return r;
    }
    return 0;
}

static int command_check(const struct command *c, const struct options *o,
                         const bool given[OPTIONS_MOST], struct err *e)
{
    for (const struct option_def *d = options_table; d->help; d++)
        if (given[d - options_table] && !command_takes(c, d))
            return err_set(e, -EINVAL, "%s takes no option --%s", c->name, d->name);
    if (o->nargs < (size_t)c->least || (c->most >= 0 && o->nargs > (size_t)c->most))
        return err_set(e, -EINVAL, "usage: influxsnap [options] %s %s", c->name, c->arguments);
    return 0;
}

int command_parse(int argc, char **argv, const struct command *commands, struct options *out,
                  const struct command **command, struct err *e)
{
    bool given[OPTIONS_MOST] = {false};
    options_default(out);
    int r = command_read(argc, argv, out, given, e);
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
            *command = c;
    if (!*command)
        return err_set(e, -EINVAL, "unknown command %s; see influxsnap --help", out->args[0]);
    out->args++;
    out->nargs--;
    return out->help ? 0 : command_check(*command, out, given, e);
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
        if (command_takes(one, d) && (!one || d->takers & OPTION_COMMAND))
            options_print(d, OPTION_COMMAND);
    if (one)
        printf("\nOptions of all commands: influxsnap --help\n");
    else
        printf(
            "\nExit codes: 0 done, 1 failed, 2 usage, 3 refused because influxd uses the store,\n"
            "4 a file is damaged or not a snapshot, 5 the chain of snapshots is incomplete,\n"
            "6 done, with omissions that are named.\n");
}
