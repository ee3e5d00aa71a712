/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_summary.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/chain/cutscan_section.h"
#include "store/snapshot/omissions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

/* The size in a file's line, after its mode, owner, group and time. */
static uint64_t size_in(const char *line)
{
    for (int words = 0; words < 5 && line; words++) {
        line = strchr(line, ' ');
        line = line ? line + 1 : NULL;
    }
    return line ? strtoull(line, NULL, 10) : 0;
}

/* Whether the line of something left out names what a user could miss. */
static bool counts(const char *line)
{
    enum omission_why why;
    char word[16];
    return sscanf(line, "o %*s %*s %15s", word) != 1 || !omission_why_find(word, &why) ||
           why != OMITTED_FOREIGN;
}

int cut_summary_line(const struct cut_reader *r, char *line, struct cut_summary *sum)
{
    const char kind = cut_line_kind(line);
    if (kind == 'f') {
        sum->files++;
        sum->bytes += size_in(line);
    } else if (kind == 'o' || kind == 'l') {
        sum->left_out += counts(line);
    } else if (!kind) {
        char *p = line;
        const char *key = cut_text_word(&p);
        return cut_head_read(r, key, p, &sum->head);
    }
    return 0;
}

/* All lines, and the sum of their bytes. */
static int summary_read(struct cut_reader *r, struct cutscan_section *s, struct sha256 *h,
                        struct cut_summary *sum)
{
    char *line;
    int rc;
    while ((rc = cutscan_section_line(s, &line, r->e)) == 0 && line) {
        r->line++;
        sha256_add(h, line, strlen(line));
        sha256_add(h, "\n", 1);
        if ((rc = cut_summary_line(r, line, sum)) < 0)
            return rc;
    }
    return rc;
}

/* The lines of a file of this size. What they say counts only if the seal is that of their bytes, so
 * that comes first, if both are wrong. */
static int summary_of(struct cut_reader *r, int fd, uint64_t size, struct cut_summary *sum)
{
    char head[CUT_MAGIC_BYTES], seal[CUT_SEAL_BYTES];
    struct err why = {0};
    struct cut_reader lines = {.name = r->name, .line = 1, .e = &why};
    cleanup(cutscan_section_clear) struct cutscan_section s = {
        .name = r->name, .fd = fd, .at = sizeof(head), .end = size - sizeof(seal)};
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    if (size < sizeof(head) + sizeof(seal))
        return cut_seal_check(r->name, NULL, NULL, NULL, r->e);
    int rc = h ? io_pread_all(fd, head, sizeof(head), 0) : -ENOMEM;
    if (rc == 0)
        rc = io_pread_all(fd, seal, sizeof(seal), size - sizeof(seal));
    if (rc < 0)
        return err_sys(r->e, rc, "the manifest of cut %s", r->name);
    sha256_add(h, head, sizeof(head));
    const int read = summary_read(&lines, &s, h, sum);
    while (read == -EBADMSG && s.at < s.end) { /* to the end, for the sum */
        char *line;
        if (cutscan_section_line(&s, &line, NULL) < 0 || !line)
            break;
        sha256_add(h, line, strlen(line));
        sha256_add(h, "\n", 1);
    }
    rc = read < 0 && read != -EBADMSG ? 0 : cut_seal_check(r->name, head, seal, h, r->e);
    if (rc == 0 && read < 0)
        rc = err_set(r->e, read, "%s", why.text);
    return rc;
}

int cut_summary_read(int dirfd, const char *name, struct cut_summary *out, struct err *e)
{
    struct cut_reader r = {.name = name, .e = e};
    struct cut_summary sum = {.head.number = -1};
    struct stat st;
    autoclose int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, -errno, "the manifest of cut %s", name);
    int rc = summary_of(&r, fd, (uint64_t)st.st_size, &sum);
    if (rc == 0)
        *out = sum;
    return rc;
}
