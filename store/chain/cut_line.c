/* SPDX-License-Identifier: MIT */
#include "store/chain/cut_line.h"

#include "store/snapshot/manifest.h"

#include <inttypes.h>
#include <string.h>

static int root_rank(const char *path)
{
    return *path == 'm' ? 0 : *path == 'd' ? 1 : 2;
}

/* A slash sorts before any other byte, so that what is in a folder comes right after it. */
static int weight(char c)
{
    return c == '/' ? 1 : c ? (unsigned char)c + 1 : 0;
}

int cut_path_cmp(const char *a, const char *b)
{
    int d = root_rank(a) - root_rank(b);
    if (d)
        return d;
    while (*a && *a == *b) {
        a++;
        b++;
    }
    return weight(*a) - weight(*b);
}

void cut_line_put(FILE *f, const struct cut_entry *e)
{
    const struct file_attr *a = &e->attr;
    char hex[SHA256_HEX + 1] = "-";
    bool folder = cut_is_folder(e);
    fprintf(f, "%c %o %u %u %" PRId64 " ", folder ? 'd' : 'f', a->mode & 07777, a->uid, a->gid,
            a->mtime_ns);
    if (!folder) {
        if (e->have_sum)
            sha256_hex(e->sum, hex);
        fprintf(f, "%" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "/%" PRIu32 " %s ", a->size,
                e->index, e->ino, e->place.serial, e->place.seq, hex);
    }
    cut_text_put(f, e->path);
}

static bool line_read_sum(const char *text, struct cut_entry *out)
{
    if (strcmp(text, "-") == 0)
        return true;
    if (strlen(text) != SHA256_HEX)
        return false;
    for (size_t i = 0; i < SHA256_BYTES; i++) {
        int hi = cut_text_hex(text[2 * i]), lo = cut_text_hex(text[2 * i + 1]);
        if (hi < 0 || lo < 0)
            return false;
        out->sum[i] = (uint8_t)(hi << 4 | lo);
    }
    out->have_sum = true;
    return true;
}

static bool line_read_place(char *text, struct cut_place *out)
{
    uint64_t seq;
    char *slash = strchr(text, '/');
    if (!slash)
        return false;
    *slash = 0;
    if (!cut_parse_uint(text, 10, INT64_MAX, &out->serial) ||
        !cut_parse_uint(slash + 1, 10, UINT32_MAX, &seq))
        return false;
    out->seq = (uint32_t)seq;
    return true;
}

int cut_line_read(const struct cut_reader *r, bool folder, char *p, struct cut_entry *out)
{
    uint64_t mode, uid, gid;
    *out = (struct cut_entry){0};
    if (!cut_parse_uint(cut_text_word(&p), 8, 07777, &mode) ||
        !cut_parse_uint(cut_text_word(&p), 10, UINT32_MAX, &uid) ||
        !cut_parse_uint(cut_text_word(&p), 10, UINT32_MAX, &gid) ||
        !cut_parse_int(cut_text_word(&p), &out->attr.mtime_ns))
        return cut_text_bad(r, "the attributes of a file or folder");
    out->attr.mode = (mode_t)mode | (folder ? S_IFDIR : S_IFREG);
    out->attr.uid = (uid_t)uid;
    out->attr.gid = (gid_t)gid;
    if (!folder && (!cut_parse_uint(cut_text_word(&p), 10, MANIFEST_FILE_MAX, &out->attr.size) ||
                    !cut_parse_uint(cut_text_word(&p), 10, UINT64_MAX, &out->index) ||
                    !cut_parse_uint(cut_text_word(&p), 10, UINT64_MAX, &out->ino) ||
                    !line_read_place(cut_text_word(&p), &out->place) ||
                    !line_read_sum(cut_text_word(&p), out)))
        return cut_text_bad(r, "what it says of a file");
    if (!cut_text_decode(p) || !manifest_name_ok(p, folder))
        return cut_text_bad(r, "a name that may not stand there");
    out->path = p;
    return 0;
}

char cut_line_kind(const char *line)
{
    return *line && line[1] == ' ' ? *line : 0;
}

int cut_line_rank(const char *line)
{
    switch (cut_line_kind(line)) {
    case 0:
        return 0;
    case 'd':
    case 'f':
        return 1;
    case 'r':
        return 2;
    case 'R':
        return 3;
    default:
        return 4;
    }
}
