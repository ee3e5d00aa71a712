/* SPDX-License-Identifier: MIT */
#include "store/restore/journal.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"
#include "store/base/sha256.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define JOURNAL_MAX (4 * PATH_MAX)

static int journal_name(const struct target *meta, char out[NAME_MAX + 1])
{
    int n = meta->inside ? snprintf(out, NAME_MAX + 1, "journal")
                         : snprintf(out, NAME_MAX + 1, "%s.influxfs-journal", meta->name);
    return n > NAME_MAX ? -ENAMETOOLONG : 0;
}

int journal_format(const struct targets *t, enum journal_phase phase, const char *id, char **out,
                   size_t *len)
{
    char *text = NULL;
    FILE *f = open_memstream(&text, len);
    if (!f)
        return -ENOMEM;
    fprintf(f, "influxfs-journal 1\nphase %s\nid %s\n",
            phase == JOURNAL_EXCHANGE ? "exchange" : "prepared", id);
    if (t->discard)
        fputs("replaced discarded\n", f);
    for (int i = 0; i < TARGETS; i++)
        fprintf(f, "%s %s %s %s\n", target_kind_name((enum target_kind)i),
                t->at[i].inside ? "inside" : "beside", t->at[i].existed ? "existed" : "absent",
                t->at[i].path);
    char hex[SHA256_HEX + 1] = "";
    int r = fflush(f) != 0 ? -ENOMEM : sha256_of(text, *len, hex);
    fprintf(f, "sum %s\n", hex);
    if (fclose(f) != 0)
        r = -ENOMEM;
    if (r < 0)
        free(text);
    else
        *out = text;
    return r;
}

int journal_write(const struct targets *t, enum journal_phase phase, const char *id, struct err *e)
{
    const struct target *meta = &t->at[TARGET_META];
    char name[NAME_MAX + 1];
    autofree char *text = NULL;
    size_t len = 0;
    int r = journal_name(meta, name);
    if (r == 0)
        r = journal_format(t, phase, id, &text, &len);
    autoclose int home = r < 0 ? -1 : target_open_home(meta, true);
    if (r == 0)
        r = home < 0 ? home : io_replace_file(home, name, text, len, 0600);
    return r < 0 ? err_sys(e, r, "%s: cannot write the journal of the restore", meta->path) : 0;
}

int journal_remove(const struct targets *t, struct err *e)
{
    const struct target *meta = &t->at[TARGET_META];
    char name[NAME_MAX + sizeof(".tmp")];
    int r = journal_name(meta, name);
    autoclose int home = r < 0 ? -1 : target_open_home(meta, false);
    if (home == -ENOENT)
        return 0;
    if (r == 0)
        r = home;
    if (r >= 0 && unlinkat(home, name, 0) < 0 && errno != ENOENT)
        r = -errno;
    strcat(name, ".tmp");
    if (r >= 0 && unlinkat(home, name, 0) < 0 && errno != ENOENT && errno != ENAMETOOLONG)
        r = -errno;
    if (r >= 0)
        r = io_sync_dir(home);
    return r < 0 ? err_sys(e, r, "%s: cannot remove the journal of the restore", meta->path) : 0;
}

void journal_remove_unwritten(const struct target *meta)
{
    char name[NAME_MAX + sizeof(".tmp")];
    autoclose int home = journal_name(meta, name) < 0 ? -1 : target_open_home(meta, false);
    strcat(name, ".tmp");
    if (home >= 0)
        unlinkat(home, name, 0);
}

/* Takes the next line of *p, if it starts with `key `; else NULL. */
static char *line(char **p, const char *key)
{
    char *s = *p;
    char *nl = strchr(s, '\n');
    size_t n = strlen(key);
    if (!nl || strncmp(s, key, n) != 0 || s[n] != ' ')
        return NULL;
    *nl = 0;
    *p = nl + 1;
    return s + n + 1;
}

/* Takes one of two words off *p: 1, 0, or -1 for another. */
static int either(char **p, const char *yes, const char *no)
{
    size_t n = strcspn(*p, " ");
    const char *word = *p;
    if (!(*p)[n])
        return -1;
    *p += n + 1;
    if (n == strlen(yes) && strncmp(word, yes, n) == 0)
        return 1;
    return n == strlen(no) && strncmp(word, no, n) == 0 ? 0 : -1;
}

static int journal_check(const char *text)
{
    char hex[SHA256_HEX + 1];
    const char *sum = strstr(text, "\nsum ");
    if (!sum)
        return -EBADMSG;
    if (sha256_of(text, (size_t)(sum + 1 - text), hex) < 0)
        return -ENOMEM;
    return strncmp(sum + 5, hex, SHA256_HEX) == 0 && strcmp(sum + 5 + SHA256_HEX, "\n") == 0
               ? 0
               : -EBADMSG;
}

int journal_parse(char *p, struct targets *t, enum journal_phase *phase, char id[129])
{
    struct target at[TARGETS];
    int r = journal_check(p);
    if (r < 0)
        return r;
    const char *version = line(&p, "influxfs-journal");
    const char *word = version ? line(&p, "phase") : NULL;
    const char *text = word ? line(&p, "id") : NULL;
    if (!text || strcmp(version, "1") != 0 || strlen(text) > 128)
        return -EBADMSG;
    const char *replaced = line(&p, "replaced"); /* most have no such line */
    if (replaced && strcmp(replaced, "discarded") != 0)
        return -EBADMSG;
    memcpy(at, t->at, sizeof(at));
    for (int i = 0; i < TARGETS; i++) {
        char *rest = line(&p, target_kind_name((enum target_kind)i));
        int in = rest ? either(&rest, "inside", "beside") : -1;
        int was = in < 0 ? -1 : either(&rest, "existed", "absent");
        if (was < 0)
            return -EBADMSG;
        if (strcmp(rest, at[i].path) != 0)
            return -ESTALE;
        at[i].inside = in;
        at[i].existed = was;
    }
    bool exchange = strcmp(word, "exchange") == 0;
    if (!exchange && strcmp(word, "prepared") != 0)
        return -EBADMSG;
    memcpy(t->at, at, sizeof(at));
    t->discard = replaced != NULL;
    strcpy(id, text);
    *phase = exchange ? JOURNAL_EXCHANGE : JOURNAL_PREPARED;
    return 0;
}

/* Reads the journal in one of its two places. */
static int journal_read_at(struct targets *t, bool inside, enum journal_phase *phase, char id[129],
                           struct err *e)
{
    struct target meta = t->at[TARGET_META];
    char name[NAME_MAX + 1];
    autofree char *text = NULL;
    size_t len;
    meta.inside = inside;
    int r = journal_name(&meta, name);
    if (r < 0)
        return r;
    autoclose int home = target_open_home(&meta, false);
    r = home < 0 ? home : io_read_file(home, name, JOURNAL_MAX, &text, &len);
    if (r < 0)
        return r == -ENOENT ? r : err_sys(e, r, "%s: the journal of a restore", meta.path);
    /* A file in one place that describes the other is not our journal. */
    r = journal_parse(text, t, phase, id);
    if (r == 0 && t->at[TARGET_META].inside != inside)
        r = -EBADMSG;
    if (r == -ESTALE)
        return err_set(e, -EBADMSG,
                       "%s: a restore was cut off here that had other folders for data or wal; "
                       "mount with those, so that it can be finished",
                       meta.path);
    return r < 0 ? err_set(e, r,
                           "%s: the journal of a cut-off restore (%s) is damaged; put its parts in "
                           "order by hand (*.restoring is the new store, *.before-restore* the old "
                           "one), then remove the journal, and raft.db if it is there",
                           meta.path, name)
                 : 0;
}

int journal_read(struct targets *t, enum journal_phase *phase, char id[129], struct err *e)
{
    int r = journal_read_at(t, false, phase, id, e);
    if (r == -ENOENT)
        r = journal_read_at(t, true, phase, id, e);
    if (r == -ENOENT) {
        *phase = JOURNAL_NONE;
        id[0] = 0;
        r = 0;
    }
    return r;
}
