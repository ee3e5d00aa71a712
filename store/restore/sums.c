/* SPDX-License-Identifier: MIT */
#include "store/restore/sums.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <limits.h>
#include <string.h>

/* Undoes GNU's escapes (\\ \n \r) of a line that began with a backslash. */
static int sums_unescape(const char *s, size_t n, char out[PATH_MAX])
{
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        char c = s[i];
        if (c == '\\') {
            c = ++i < n ? s[i] : 0;
            c = c == 'n' ? '\n' : c == 'r' ? '\r' : c == '\\' ? '\\' : 0;
        }
        if (!c)
            return -EBADMSG;
        out[k++] = c;
    }
    out[k] = 0;
    return 0;
}

/* One line without its newline: the sum's 64 digits and the name. */
static int sums_split(const char *s, size_t n, const char **hex, char name[PATH_MAX])
{
    bool escaped = n && *s == '\\';
    if (escaped) {
        s++;
        n--;
    }
    if (n < SHA256_HEX + 3 || n - SHA256_HEX - 2 >= PATH_MAX || s[SHA256_HEX] != ' ' ||
        s[SHA256_HEX + 1] != ' ')
        return -EBADMSG;
    *hex = s;
    s += SHA256_HEX + 2;
    n -= SHA256_HEX + 2;
    if (escaped)
        return sums_unescape(s, n, name);
    if (memchr(s, 0, n))
        return -EBADMSG;
    memcpy(name, s, n);
    name[n] = 0;
    return 0;
}

int sums_check(const char *text, size_t len, const struct manifest *m,
               const uint8_t of_manifest[SHA256_BYTES], const uint8_t (*of_files)[SHA256_BYTES],
               struct err *e)
{
    /* seen[nfiles] stands for the manifest */
    autofree bool *seen = calloc(m->nfiles + 1, sizeof(*seen));
    size_t listed = 0;
    if (!seen)
        return err_sys(e, -ENOMEM, "SHA256SUMS");
    for (const char *p = text, *end = text + len; p < end; listed++) {
        char name[PATH_MAX], want[SHA256_HEX + 1];
        const char *hex;
        const char *nl = memchr(p, '\n', (size_t)(end - p));
        if (!nl || sums_split(p, (size_t)(nl - p), &hex, name) < 0)
            return err_set(e, -EBADMSG, "SHA256SUMS: line %zu is damaged", listed + 1);
        const struct manifest_file *f = manifest_find(m, name);
        bool itself = strcmp(name, "manifest") == 0;
        if (!f && !itself)
            return err_set(e, -EBADMSG, "SHA256SUMS: %s is not in the manifest", name);
        size_t i = itself ? m->nfiles : (size_t)(f - m->files);
        if (seen[i])
            return err_set(e, -EBADMSG, "SHA256SUMS: %s is listed twice", name);
        seen[i] = true;
        sha256_hex(itself ? of_manifest : of_files[i], want);
        /* Compared as text: another case of a digit is damage too. */
        if (memcmp(hex, want, SHA256_HEX) != 0)
            return err_set(e, -EBADMSG, "%s is damaged: its SHA-256 is not the one in SHA256SUMS",
                           name);
        p = nl + 1;
    }
    if (listed != m->nfiles + 1)
        return err_set(e, -EBADMSG, "SHA256SUMS lists %zu files of %zu", listed, m->nfiles + 1);
    return 0;
}
