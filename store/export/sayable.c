/* SPDX-License-Identifier: MIT */
#include "store/export/sayable.h"

#include <string.h>

static const char at_backslash[] = "a backslash stands where line protocol takes it for an escape";

static bool has_newline(struct slice s)
{
    return s.n && memchr(s.p, '\n', s.n);
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == 0;
}

static bool ends_with_backslash(struct slice s)
{
    return s.n && s.p[s.n - 1] == '\\';
}

/* c may be NUL, which matches none. */
static inline bool is_one_of(char c, const char *which)
{
    while (*which && *which != c)
        which++;
    return *which;
}

/* The first of these characters after i that influxd sees without a backslash before it; s.n if
 * none. */
static inline size_t find_bare(struct slice s, size_t i, const char *which)
{
    for (; i < s.n; i++)
        if (is_one_of(s.p[i], which) && (i == 0 || s.p[i - 1] != '\\'))
            break;
    return i;
}

/* Whether influxd's key reader sees the end of the key at its real end. */
static bool sayable_is_one_key(struct slice key)
{
    size_t i = find_bare(key, 1, ", ");
    while (i < key.n && key.p[i] == ',') {
        size_t name = i + 1;
        if (name >= key.n || is_one_of(key.p[name], " ,="))
            return false;
        i = find_bare(key, name + 1, " ,=");
        if (i >= key.n || key.p[i] != '=' || i + 1 >= key.n || is_one_of(key.p[i + 1], ", "))
            return false;
        i = find_bare(key, i + 2, " ,=");
        if (i < key.n && key.p[i] == '=')
            return false;
    }
    return i >= key.n;
}

/* Whether influxd's line reader, after the key and a space, is at the beginning of the first field:
 * otherwise it would end the line within a string, or miss its end. */
static bool sayable_leaves_fields(struct slice key)
{
    bool fields = false, quoted = false;
    int open = 0; /* equals signs less commas */
    if (!memchr(key.p, '\\', key.n) && !memchr(key.p, ' ', key.n))
        return true;
    for (size_t i = 0; i < key.n; i++) {
        char c = key.p[i];
        if (c == '\\')
            i++;
        else if (c == ' ')
            fields = true;
        else if (fields && !quoted && (c == '=' || c == ','))
            open += c == '=' ? 1 : -1;
        else if (fields && c == '"' && open > 0)
            quoted = !quoted;
    }
    return open == 0 && !quoted;
}

static bool is_time(struct slice name)
{
    return name.n == 4 && memcmp(name.p, "time", 4) == 0;
}

/* Whether /write, which unescapes a measurement twice, removes more than its escapes. */
static bool loses_backslash(struct slice name)
{
    for (size_t i = 1; i < name.n; i++) {
        if (name.p[i - 1] == '\\' && is_one_of(name.p[i], "=\""))
            return true;
        if (i > 1 && name.p[i - 2] == '\\' && name.p[i - 1] == '\\' && is_one_of(name.p[i], ", "))
            return true;
    }
    return false;
}

const char *sayable_measurement(struct slice key)
{
    struct slice rest, name = serieskey_measurement(key, &rest);
    if (name.n == 0)
        return "it has no name";
    if (name.p[0] == '#')
        return "its line would be a comment";
    if (is_blank(name.p[0]))
        return "line protocol passes over white space at the beginning of a line";
    if (has_newline(name))
        return "line protocol cannot express a newline in a name";
    return loses_backslash(name) ? at_backslash : NULL;
}

const char *sayable_series(struct slice key)
{
    struct slice rest, name, value;
    const char *why = sayable_measurement(key);
    if (why)
        return why;
    if (has_newline(key))
        return "line protocol cannot express a newline in a tag";
    if (ends_with_backslash(key) || !sayable_is_one_key(key) || !sayable_leaves_fields(key))
        return at_backslash;
    serieskey_measurement(key, &rest);
    while (serieskey_tag(&rest, &name, &value))
        if (is_time(name))
            return "influxd refuses a tag of the name time";
    return NULL;
}

const char *sayable_field(struct slice name)
{
    size_t backslashes = 0;
    if (name.n && name.p[0] != ' ' && is_blank(name.p[0]))
        return "line protocol passes over white space before the first field";
    if (is_time(name))
        return "influxd drops a field of the name time";
    if (has_newline(name))
        return "line protocol cannot express a newline in a name";
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];
        if ((c == ',' || c == ' ' || c == '=') && backslashes % 2)
            return at_backslash;
        backslashes = c == '\\' ? backslashes + 1 : 0;
    }
    return ends_with_backslash(name) ? at_backslash : NULL;
}
