/* SPDX-License-Identifier: MIT */
#include "fs/options.h"

#include "store/base/owner.h"

#include <errno.h>
#include <limits.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

const char options_usage[] =
    "usage: influxfs [-f] [-d] [-o OPTION[,OPTION…]] STORE MOUNTPOINT\n"
    "\n"
    "Mounts the InfluxDB 1.x store STORE (an influxdb.conf, or a folder that holds meta, data\n"
    "and wal), so that copying MOUNTPOINT/snapshots/now.tar is a backup, and copying it into\n"
    "MOUNTPOINT/restore/ a restore.\n"
    "\n"
    "  -f                     stay in the foreground, log to stderr\n"
    "  -d                     as -f, and show what the kernel asks\n"
    "  -V, --version          print the version\n"
    "  -h, --help             print this\n"
    "  -o meta=DIR            the metastore's folder\n"
    "  -o data=DIR            the data folder\n"
    "  -o wal=DIR             the WAL folder\n"
    "  -o state=DIR           what influxfs remembers; default: influxfs beside the data folder\n"
    "  -o every=TIME          make a cut of the store that often: 1h, 30m, 1d; seconds without "
    "unit\n"
    "  -o keep=N              fold the oldest cuts into the base when there are 2N numbers\n"
    "  -o reserve=SIZE        free disk below which nothing is cut: 5% (default), or 10G\n"
    "  -o guard=PART|off      a cut that lost more of the store than this is not folded until\n"
    "                         that is accepted: 20% (default)\n"
    "  -o exclude=DB[:DB…]    databases that are left out of cuts\n"
    "  -o owner=USER[:GROUP]  who owns restored files\n"
    "  -o force               restore although influxd seems to use the store\n"
    "  -o allow_left_out      although more would be left out of a snapshot than is in it\n"
    "  -o keep_expired        policies whose restored shards retention would delete at once keep "
    "points for ever\n"
    "  -o ro                  no restore\n"
    "  -o skip_damaged        dumps of all that is not damaged; status.json names the rest\n"
    "  -o uid=N,gid=N,umask=M show these owners and modes\n"
    "  -o allow_other         let other users in; and libfuse's other options\n";

#define OPT(text, member)                                                                          \
    {                                                                                              \
        text, offsetof(struct options, member), 1                                                  \
    }

static const struct fuse_opt specs[] = {
    OPT("meta=%s", override.meta),
    OPT("data=%s", override.data),
    OPT("wal=%s", override.wal),
    OPT("state=%s", state),
    OPT("every=%s", every_text),
    OPT("keep=%s", keep_text),
    OPT("reserve=%s", reserve_text),
    OPT("guard=%s", guard_text),
    OPT("exclude=%s", exclude_text),
    OPT("owner=%s", owner),
    OPT("force", force),
    OPT("allow_left_out", allow_left_out),
    OPT("keep_expired", keep_expired),
    OPT("ro", ro),
    OPT("skip_damaged", skip_damaged),
    OPT("uid=%s", uid_text),
    OPT("gid=%s", gid_text),
    OPT("umask=%s", umask_text),
    OPT("max_read=%s", max_read),
    OPT("-f", foreground),
    OPT("-d", debug),
    OPT("-h", help),
    OPT("--help", help),
    OPT("-V", version),
    OPT("--version", version),
    /* The kernel and libfuse want to see these too. */
    FUSE_OPT_KEY("ro", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_KEY("-d", FUSE_OPT_KEY_KEEP),
    FUSE_OPT_END,
};

/* STORE and MOUNTPOINT are the two arguments that are no options. */
static int take(void *data, const char *arg, int key, struct fuse_args *args)
{
    struct options *o = data;
    (void)args;
    if (key != FUSE_OPT_KEY_NONOPT)
        return 1;
    char **place = !o->store ? &o->store : !o->mountpoint ? &o->mountpoint : NULL;
    if (!place)
        return -1;
    *place = strdup(arg);
    return *place ? 0 : -1;
}

static int parse_number(const char *text, const char *name, int base, unsigned long max,
                        unsigned long *out, struct err *e)
{
    char *end;
    errno = 0;
    unsigned long v = strtoul(text, &end, base);
    if (errno || end == text || *end || v > max || strchr(text, '-'))
        return err_set(e, -EINVAL, "option %s=%s: not a number that %s can have", name, text, name);
    *out = v;
    return 0;
}

static int parse_id(const char *text, const char *name, bool *set, unsigned *id, struct err *e)
{
    unsigned long v = 0;
    if (!text)
        return 0;
    int r = parse_number(text, name, 10, UINT_MAX - 1, &v, e);
    *set = r == 0;
    *id = r == 0 ? (unsigned)v : 0;
    return r;
}

static int parse_owner(struct options *o, struct err *e)
{
    o->owner_uid = (uid_t)-1;
    o->owner_gid = (gid_t)-1;
    return o->owner ? owner_parse(o->owner, &o->owner_uid, &o->owner_gid, e) : 0;
}

static int parse_every(struct options *o, struct err *e)
{
    static const char units[] = "smhd";
    static const uint64_t seconds[] = {1, 60, 3600, 86400};
    const uint64_t most = 100 * 366 * 86400ull;
    char *end;
    if (!o->every_text)
        return 0;
    errno = 0;
    unsigned long long v = strtoull(o->every_text, &end, 10);
    const char *unit = *end ? strchr(units, *end) : units;
    uint64_t times = unit ? seconds[unit - units] : 1;
    if (errno || *o->every_text < '0' || *o->every_text > '9' || !unit || (*end && end[1]) ||
        v == 0 || v > most / times)
        return err_set(e, -EINVAL,
                       "option every=%s: not a time; it is a number with s, m, h or d, as 1h",
                       o->every_text);
    o->every_ns = (int64_t)(v * times) * 1000000000;
    return 0;
}

static int parse_keep(struct options *o, struct err *e)
{
    unsigned long v = 0;
    int r = o->keep_text ? parse_number(o->keep_text, "keep", 10, 1ul << 40, &v, e) : 0;
    if (r == 0 && o->keep_text && v == 0)
        r = err_set(e, -EINVAL, "option keep=0: at least one number is kept");
    o->keep = v;
    return r;
}

static int parse_cuts(struct options *o, struct err *e)
{
    int r = parse_every(o, e);
    if (r == 0)
        r = parse_keep(o, e);
    rules_default(&o->rules);
    if (r == 0 && o->reserve_text)
        r = rules_reserve(o->reserve_text, &o->rules, e);
    if (r == 0 && o->guard_text)
        r = rules_guard(o->guard_text, &o->rules, e);
    if (r == 0 && o->exclude_text)
        r = rules_exclude(o->exclude_text, &o->rules, e);
    return r;
}

static int check(struct options *o, struct err *e)
{
    unsigned long mask = 0;
    if (!o->store || !o->mountpoint)
        return err_set(e, -EINVAL, "needs a STORE and a MOUNTPOINT; see influxfs --help");
    if (o->max_read)
        return err_set(e, -EINVAL, "option max_read: the size of reads is fixed");
    int r = parse_owner(o, e);
    if (r == 0)
        r = parse_cuts(o, e);
    if (r == 0)
        r = parse_id(o->uid_text, "uid", &o->set_uid, &o->uid, e);
    if (r == 0)
        r = parse_id(o->gid_text, "gid", &o->set_gid, &o->gid, e);
    if (r == 0 && o->umask_text)
        r = parse_number(o->umask_text, "umask", 8, 0777, &mask, e);
    o->set_umask = o->umask_text;
    o->umask = (mode_t)mask;
    return r;
}

int options_parse(int argc, char **argv, struct options *out, struct err *e)
{
    *out = (struct options){.fuse = FUSE_ARGS_INIT(0, NULL)};
    for (int i = 0; i < argc; i++)
        if (fuse_opt_add_arg(&out->fuse, argv[i]) < 0)
            return -ENOMEM;
    if (fuse_opt_parse(&out->fuse, out, specs, take) < 0)
        return err_set(e, -EINVAL, "needs one STORE and one MOUNTPOINT; see influxfs --help");
    if (out->debug)
        out->foreground = 1;
    return out->help || out->version ? 0 : check(out, e);
}

void options_free(struct options *o)
{
    store_paths_free(&o->override);
    free(o->store);
    free(o->mountpoint);
    free(o->state);
    free(o->owner);
    rules_clear(&o->rules);
    free(o->every_text);
    free(o->keep_text);
    free(o->reserve_text);
    free(o->guard_text);
    free(o->exclude_text);
    free(o->uid_text);
    free(o->gid_text);
    free(o->umask_text);
    free(o->max_read);
    fuse_opt_free_args(&o->fuse);
}
