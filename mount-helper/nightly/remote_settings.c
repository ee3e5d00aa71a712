/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_internal.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* The flags of rclone that may not come from outside, with those whose names go on after "-"
 * ("include-from"): filters, with which a listing hides what is there, and which take more in what we
 * remove by a pattern; those that do less than is asked; and those that upset reading what it prints. Of
 * rclone 1.60 ("rclone help flags") and of later ones. */
static const char *const ours[] = {
    "include",          "exclude",         "filter",      "files-from",  "metadata-include",
    "metadata-exclude", "metadata-filter", "hash-filter", "min-age",     "max-age",
    "min-size",         "max-size",        "max-depth",   "ignore-case", "dry-run",
    "interactive",      "progress",        "log-file",    "log-format",  "log-systemd",
    "syslog",           "use-json-log"};
#define OURS_SHORT "finP" /* filter, interactive, dry-run, progress */

/* What rclone is told unless the caller's environment says otherwise. We try again ourselves, and notice
 * soon that a store is silent; but one that has got a large object may be long about it. */
#define DEFAULTS 5
static const char *const defaults[][DEFAULTS] = {
    [false] = {"RCLONE_RETRIES=1", "RCLONE_CONTIMEOUT=20s", "RCLONE_ASK_PASSWORD=false",
               "RCLONE_LOW_LEVEL_RETRIES=1", "RCLONE_TIMEOUT=30s"},
    [true] = {"RCLONE_RETRIES=1", "RCLONE_CONTIMEOUT=20s", "RCLONE_ASK_PASSWORD=false",
              "RCLONE_LOW_LEVEL_RETRIES=3", "RCLONE_TIMEOUT=2m"}};

/* text: a flag without its dashes, or a variable without its RCLONE_, up to a "=" or its end. */
static bool settings_is(const char *text, const char *flag)
{
    for (; *flag; flag++, text++)
        if (*flag != (*text == '_' ? '-' : tolower((unsigned char)*text)))
            return false;
    return strchr("=-_", *text); /* or its end */
}

static bool settings_is_ours(const char *text)
{
    for (size_t i = 0; i < sizeof(ours) / sizeof(*ours); i++)
        if (settings_is(text, ours[i]))
            return true;
    return false;
}

static bool settings_is_ours_word(const char *word)
{
    if (*word != '-')
        return false;
    if (word[1] == '-')
        return settings_is_ours(word + 2);
    /* Short ones may be in one word, and their values as well. */
    return strpbrk(word, OURS_SHORT);
}

int remote_check_extra(char *const *extra, struct err *e)
{
    for (; extra && *extra; extra++)
        if (settings_is_ours_word(*extra))
            return err_set(e, -EINVAL,
                           "%s for rclone would change what it lists and removes, or how it says "
                           "that: leave it out",
                           *extra);
    return 0;
}

static bool settings_has(char *const *env, const char *setting)
{
    const size_t n = strcspn(setting, "=") + 1;
    for (; *env; env++)
        if (strncmp(*env, setting, n) == 0)
            return true;
    return false;
}

char **remote_settings_environment(bool uploads)
{
    size_t n = 0, have = 0;
    while (environ[have])
        have++;
    char **env = calloc(have + DEFAULTS + 1, sizeof(*env));
    for (size_t i = 0; env && i < have; i++)
        if (strncmp(environ[i], "RCLONE_", 7) != 0 || !settings_is_ours(environ[i] + 7))
            env[n++] = environ[i];
    for (size_t i = 0; env && i < DEFAULTS; i++)
        if (!settings_has(env, defaults[uploads][i]))
            env[n++] = (char *)defaults[uploads][i];
    return env;
}
