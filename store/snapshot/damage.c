/* SPDX-License-Identifier: MIT */
#include "store/snapshot/damage.h"

#include "store/base/cleanup.h"
#include "store/influx/names.h"
#include "store/influx/tombstone.h"
#include "store/influx/tsmfile.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

int damage_cut_off(const struct capture *c, size_t i, struct err *e)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = capture_look(c, i, &look, e);
    if (!m || !m->wal_cut || m->wal_cut->nbad == 0)
        return m ? 0 : -EIO;
    return err_set(e, -EBADMSG,
                   "%s/%s: damaged at byte %" PRIu64 ": the %" PRIu64
                   " bytes from there on are not in the snapshot",
                   m->dir, m->name, m->wal_cut->bad_at, m->wal_cut->nbad);
}

static int damage_in_tsm(const struct source *s, enum damage_depth depth, struct err *e)
{
    cleanup(tsmfile_freep) struct tsmfile *f = NULL;
    struct tsmfile_key key;
    int r = tsmfile_open(s, &f, e);
    while (r == 0 && depth == DAMAGE_INDEX && (r = tsmfile_next(f, &key, e)) == 1)
        r = 0;
    return r;
}

static int pass_over(void *ctx, const char *key, size_t len, int64_t min, int64_t max)
{
    (void)ctx, (void)key, (void)len, (void)min, (void)max;
    return 0;
}

static int read_memory(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    (void)e;
    memcpy(buf, (const char *)ctx + off, n);
    return 0;
}

static int damage_look_into(struct capture *c, size_t i, const void *bytes, enum damage_depth depth,
                            struct err *e)
{
    cleanup(capture_look_end) struct capture_look look = {0};
    const struct member *m = capture_look(c, i, &look, e);
    if (!m)
        return -EIO;
    bool tombstone = name_is_tombstone(m->name);
    if (member_is_folder(m) || !(tombstone || name_is_tsm(m->name)))
        return damage_cut_off(c, i, e);
    cleanup(membersource_clear) struct membersource s = {.path = NULL};
    int r = membersource_init(&s, c, i);
    if (r < 0)
        return err_sys(e, r, "%s/%s", m->dir, m->name);
    if (bytes) {
        s.source.read = read_memory;
        s.source.ctx = (void *)bytes;
    }
    r = tombstone ? tombstone_read(&s.source, pass_over, NULL, e)
                  : damage_in_tsm(&s.source, depth, e);
    if (r == -EBADMSG)
        capture_set_damaged(c, i);
    return r;
}

int damage_look(struct capture *c, size_t i, enum damage_depth depth, struct err *e)
{
    return damage_look_into(c, i, NULL, depth, e);
}

int damage_look_in(struct capture *c, size_t i, const void *bytes, struct err *e)
{
    return damage_look_into(c, i, bytes, DAMAGE_INDEX, e);
}

int damage_tell(struct capture *c, void (*tell)(void *arg, const char *words, bool whole),
                void *arg, struct err *e)
{
    const size_t n = capture_any_damaged(c) ? capture_count(c) : 0;
    for (size_t i = 0; i < n; i++) {
        struct err why = {0};
        if (!capture_damaged(c, i))
            continue;
        int r = damage_look(c, i, DAMAGE_INDEX, &why);
        if (r == -EBADMSG)
            tell(arg, why.text, !capture_member(c, i)->wal_cut);
        else if (r < 0)
            return err_set(e, r, "%s", why.text);
    }
    return 0;
}

static void take_first(void *arg, const char *words, bool whole)
{
    struct err *first = arg;
    (void)whole;
    if (!first->text[0])
        err_set(first, 0, "%s", words);
}

void damage_say_lacks(struct capture *c, struct err *lacks)
{
    lacks->text[0] = 0;
    if (omissions_that_count(capture_left_out(c)))
        omissions_say(capture_left_out(c), lacks->text, sizeof(lacks->text));
    else
        damage_tell(c, take_first, lacks, NULL);
}
