/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/remote_words.h"

#include <ctype.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#define DATE "dddd/dd/dd dd:dd:dd "

/* What masks a secret: all of these end at a byte that cannot be in one. */
static const char *const secret_keys[] = {"X-Amz-Signature=",
                                          "X-Amz-Credential=",
                                          "X-Amz-Security-Token=",
                                          "temp_url_sig=",
                                          "AWSAccessKeyId=",
                                          "Signature=",
                                          "sig="};

/* The last error */

static bool has_date(const char *line)
{
    for (const char *p = DATE; *p; p++, line++)
        if (*p == 'd' ? !isdigit((unsigned char)*line) : *p != *line)
            return false;
    return true;
}

static const char *skip_to_after(const char *text, const char *end, const char *what)
{
    const char *found = strstr(text, what);
    return found && found < end ? found + strlen(what) : NULL;
}

/* Where the reason begins in what one line says; NULL: that line says none. */
static const char *words_reason(const char *line, const char *end)
{
    const char *p;
    if (strncmp(line, "Error: ", 7) == 0)
        return line + 7;
    if (strncmp(line, "panic: ", 7) == 0 || strncmp(line, "fatal error: ", 13) == 0)
        return line;
    if (!has_date(line))
        return NULL;
    line += strlen(DATE);
    if ((p = skip_to_after(line, end, "last error was: ")))
        return p;
    if (strncmp(line, "Fatal error: ", 13) == 0)
        return line + 13;
    if (strncmp(line, "Failed to ", 10) == 0)
        return (p = skip_to_after(line, end, ": ")) ? p : line;
    if (strncmp(line, "NOTICE: ", 8) == 0 || strncmp(line, "INFO  : ", 8) == 0 ||
        strncmp(line, "DEBUG : ", 8) == 0)
        return NULL;
    return strncmp(line, "ERROR : ", 8) == 0 ? line + 8 : line;
}

/* A reason goes on in lines that have no date, such as "caused by: …"; usage is none of it. NULL: none
 * is given. */
static const char *words_find(const char *text, const char **end)
{
    const char *best = NULL;
    bool usage = false;
    for (const char *p = text; *p;) {
        const char *stop = p + strcspn(p, "\n");
        const char *reason = words_reason(p, stop);
        usage = reason ? strncmp(p, "Error: ", 7) == 0 : usage;
        if (reason)
            best = reason;
        if (best && (reason || (!usage && !has_date(p))))
            *end = stop;
        p = *stop ? stop + 1 : stop;
    }
    return best;
}

/* What is better than nothing. */
static const char *words_last_line(const char *text, const char **end)
{
    size_t n = strlen(text);
    while (n && isspace((unsigned char)text[n - 1]))
        n--;
    *end = text + n;
    while (n && text[n - 1] != '\n')
        n--;
    return text + n;
}

/* Masking */

/* The end of "user:password@" at p, or NULL. */
static const char *words_user(const char *p, const char *end)
{
    for (; p < end && !isspace((unsigned char)*p) && !strchr("/?#\"'", *p); p++)
        if (*p == '@')
            return p;
    return NULL;
}

/* The end of the parameters ",key=value…" at p of a remote, or NULL. Values may be quoted. */
static const char *words_parameters(const char *p, const char *end)
{
    const char *equals = NULL;
    char quote = 0;
    for (; p < end && *p != '\n'; p++) {
        if (quote ? *p == quote : *p == '"' || *p == '\'')
            quote = quote ? 0 : *p;
        else if (!quote && *p == '=')
            equals = p;
        else if (!quote && (isspace((unsigned char)*p) || *p == '/') && !equals)
            return NULL;
        else if (!quote && *p == ':')
            return equals ? p : NULL;
    }
    return equals ? end : NULL;
}

/* How much of what is at p must not be shown: its beginning that may be, and where the rest goes on. */
static const char *words_secret(const char *text, const char *p, const char *end, size_t *keep)
{
    const char *to = NULL;
    *keep = 0;
    if (strncmp(p, "://", 3) == 0 && (to = words_user(p + 3, end)))
        *keep = 3;
    else if (*p == ',' && p > text && (isalnum((unsigned char)p[-1]) || strchr("_.-", p[-1])) &&
             (to = words_parameters(p + 1, end)))
        *keep = 1;
    for (size_t i = 0; !to && i < sizeof(secret_keys) / sizeof(*secret_keys); i++) {
        size_t n = strlen(secret_keys[i]);
        if (strncasecmp(p, secret_keys[i], n) == 0) {
            *keep = n;
            to = p + n + strcspn(p + n, "& \t\n\"'");
            to = to < end ? to : end;
        }
    }
    return to;
}

/* Words of rclone's about itself, before the reason. */
static const char *words_without_lead(const char *p)
{
    static const char *const leads[] = {
        "error in ListJSON: ", "Post request put error: ", "Couldn't delete: "};
    for (size_t i = 0; i < sizeof(leads) / sizeof(*leads); i++)
        if (strncmp(p, leads[i], strlen(leads[i])) == 0)
            p += strlen(leads[i]);
    return p;
}

/* Copies with secrets masked, and with white space and other control bytes as single spaces. */
static void words_copy(const char *text, const char *end, char *out, size_t size)
{
    size_t n = 0;
    for (const char *p = text; p < end && n + 8 < size;) {
        size_t keep;
        const char *to = words_secret(text, p, end, &keep);
        if (to && n + keep + 8 < size) {
            memcpy(out + n, p, keep);
            n += keep;
            n += (size_t)sprintf(out + n, "***");
            p = to;
        } else if (to) {
            break;
        } else if ((unsigned char)*p <= ' ' || *p == 0x7f) {
            if (n && out[n - 1] != ' ')
                out[n++] = ' ';
            p++;
        } else {
            out[n++] = *p++;
        }
    }
    while (n && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

void remote_words_name(const char *name, char *out, size_t size)
{
    words_copy(name, name + strlen(name), out, size);
}

void remote_words(const char *text, int exit_code, char out[REMOTE_WORDS])
{
    const char *end = text, *reason = words_find(text, &end);
    if (!reason && exit_code <= 128)
        reason = words_last_line(text, &end);
    *out = '\0';
    if (reason)
        words_copy(words_without_lead(reason), end, out, REMOTE_WORDS);
    char *number = strstr(out, ", request id: ");
    if (number)
        *number = '\0';
    if (*out)
        return;
    if (exit_code > 128)
        snprintf(out, REMOTE_WORDS, "rclone was ended by signal %d", exit_code - 128);
    else
        snprintf(out, REMOTE_WORDS, "rclone ended with exit code %d and said nothing", exit_code);
}

/* What it is */

static const char *const refused[] = {
    "Operation forbidden", "Authorization Failed",    "AccessDenied",          "Access Denied",
    "InvalidAccessKeyId",  "SignatureDoesNotMatch",   "status code: 403",      "status code: 401",
    "HTTP Error: 403",     "HTTP Error: 401",         "403 Forbidden",         "401 Unauthorized",
    "permission denied",   "operation not permitted", "read-only file system", NULL};
static const char *const full[] = {"Too Large Object",
                                   "EntityTooLarge",
                                   "QuotaExceeded",
                                   "exceeds quota",
                                   "quota exceeded",
                                   "InsufficientStorage",
                                   "status code: 507",
                                   "status code: 413",
                                   "HTTP Error: 507",
                                   "HTTP Error: 413",
                                   "507 Insufficient Storage",
                                   "413 Request Entity Too Large",
                                   "no space left on device",
                                   NULL};
static const char *const missing[] = {"directory not found",
                                      "object not found",
                                      "Container Not Found",
                                      "Object Not Found",
                                      "NoSuchBucket",
                                      "NoSuchKey",
                                      "is a directory or doesn't exist",
                                      "no such file or directory",
                                      NULL};
static const char *const occupied[] = {"directory not empty", "Container Not Empty",
                                       "BucketNotEmpty", NULL};
static const char *const spoilt[] = {"Object Corrupted", "BadDigest", "corrupted on transfer",
                                     "XAmzContentSHA256Mismatch", NULL};
static const char *const unknown[] = {"didn't find section in config file",
                                      "didn't find backend called",
                                      "the program cannot be started",
                                      "unable to decrypt configuration",
                                      "Failed to load config",
                                      NULL};
static const char *const passing[] = {"connection refused",
                                      "connection reset",
                                      "connection timed out",
                                      "broken pipe",
                                      "transport connection broken",
                                      ": EOF",
                                      "unexpected EOF",
                                      "i/o timeout",
                                      "handshake timeout",
                                      "Client.Timeout",
                                      "Timeout when",
                                      "timeout awaiting",
                                      "deadline exceeded",
                                      "no route to host",
                                      "network is unreachable",
                                      "use of closed network connection",
                                      "server misbehaving",
                                      "GOAWAY",
                                      "server closed",
                                      "HTTP Error: 5",
                                      "HTTP Error: 408",
                                      "HTTP Error: 429",
                                      "HTTP Error: 498",
                                      "status code: 5",
                                      "status code: 429",
                                      "500 Internal",
                                      "502 Bad",
                                      "503 Service",
                                      "504 Gateway",
                                      "Client timeout",
                                      "Too Many Requests",
                                      "Rate Limit",
                                      "SlowDown",
                                      "RequestTimeout",
                                      "InternalError",
                                      "ServiceUnavailable",
                                      "stale NFS file handle",
                                      "host is down",
                                      NULL};

/* How long a path, or an end of it, is at p of an error: "c/x: …", "open /srv/c/x: …", "x: …"; or 0. */
static size_t words_path(const char *words, const char *p, const char *path)
{
    if (p > words && !strchr("/ ", p[-1]))
        return 0;
    for (const char *rest = path; rest; rest = strchr(rest, '/')) {
        rest += *rest == '/';
        const size_t n = strlen(rest);
        if (strncmp(p, rest, n) == 0 && p[n] == ':')
            return n;
    }
    return 0;
}

/* Copies without names, which may be any words: those of the path, and what is quoted, such as an URL. */
static void words_without_names(const char *words, const char *path, char out[REMOTE_WORDS])
{
    size_t n = 0;
    for (const char *p = words; *p && n + 1 < REMOTE_WORDS;) {
        const char *quote = *p == '"' ? strchr(p + 1, '"') : NULL;
        const size_t name = quote ? (size_t)(quote + 1 - p) : words_path(words, p, path);
        if (name == 0)
            out[n++] = *p;
        p += name ? name : 1;
    }
    out[n] = '\0';
}

static bool says_one_of(const char *words, const char *const *list)
{
    for (; *list; list++)
        if (strstr(words, *list))
            return true;
    return false;
}

int remote_words_code(const char *said, const char *path, int exit_code)
{
    char words[REMOTE_WORDS];
    if (exit_code == 3 || exit_code == 4)
        return -ENOENT;
    words_without_names(said, path, words);
    if (says_one_of(words, unknown))
        return -ENOEXEC;
    if (says_one_of(words, spoilt))
        return -EBADMSG;
    if (says_one_of(words, refused))
        return -EACCES;
    if (says_one_of(words, full))
        return -ENOSPC;
    if (says_one_of(words, missing))
        return -ENOENT;
    if (says_one_of(words, occupied))
        return -ENOTEMPTY;
    if (exit_code == 5 || says_one_of(words, passing))
        return -EAGAIN;
    return -EIO;
}
