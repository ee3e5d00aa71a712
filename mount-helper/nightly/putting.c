/* SPDX-License-Identifier: MIT */
#include "mount-helper/nightly/putting.h"

#include "mount-helper/nightly/remote_retry.h"
#include "store/base/cleanup.h"
#include "store/base/path.h"
#include "store/base/time.h"
#include "store/influxsnap/say.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)1 << 18)
#define MOVED_LEAST ((uint64_t)1 << 20) /* what is less may lie in buffers on the way */
#define DAMAGED_MOST 2                  /* times that it may arrive as something else */

struct upload {
    const struct putting *p;
    const char *folder;
    const struct remote_source *source;
    char *path; /* of the attempt under way, or of the last */
    struct sha256 *sha256;
    EVP_MD_CTX *md5; /* NULL: rclone compares it with the store's itself */
    uint64_t done;   /* bytes of the attempt */
    struct put_object is;
};

static void upload_freep(struct upload *u)
{
    free(u->path);
    free(u->is.name);
    sha256_free(u->sha256);
    EVP_MD_CTX_free(u->md5);
}

/* One attempt */

static ssize_t putting_read(void *ctx, void *buf, size_t n, uint64_t off, struct err *e)
{
    struct upload *u = ctx;
    const ssize_t got = u->source->read(u->source->ctx, buf, n, off, e);
    if (got <= 0)
        return got;
    sha256_add(u->sha256, buf, (size_t)got);
    if (u->md5)
        EVP_DigestUpdate(u->md5, buf, (size_t)got);
    u->done += (uint64_t)got;
    if (u->p->meter)
        meter_add(u->p->meter, (uint64_t)got);
    return got;
}

/* NAME, NAME-2, …: the number comes before the first dot. */
static int putting_name(struct upload *u, const char *name, unsigned attempt, struct err *e)
{
    const int stem = (int)strcspn(name, ".");
    free(u->path);
    free(u->is.name);
    u->path = u->is.name = NULL;
    int r = attempt == 1 || u->p->fixed
                ? asprintf(&u->is.name, "%s", name)
                : asprintf(&u->is.name, "%.*s-%u%s", stem, name, attempt, name + stem);
    if (r < 0)
        u->is.name = NULL;
    else
        u->path = path_join(u->folder, u->is.name);
    return u->path ? 0 : err_sys(e, -ENOMEM, "%s", name);
}

static void putting_sums(struct upload *u)
{
    uint8_t sum[SHA256_BYTES];
    unsigned char md5[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    sha256_end(u->sha256, sum);
    sha256_hex(sum, u->is.sha256);
    if (u->md5)
        EVP_DigestFinal_ex(u->md5, md5, &n);
    for (unsigned i = 0; i < n && 2 * i + 2 < sizeof(u->is.md5); i++)
        snprintf(u->is.md5 + 2 * (size_t)i, 3, "%02x", md5[i]);
    u->is.size = u->done;
}

static int putting_send(struct upload *u, struct err *e)
{
    const struct remote_source summed = {putting_read, u, u->source->size};
    u->done = 0;
    sha256_reset(u->sha256);
    if (u->md5 && !EVP_DigestInit_ex(u->md5, EVP_md5(), NULL))
        return err_sys(e, -ENOMEM, "%s", u->path);
    const int code = remote_put(u->p->remote, u->path, &summed, e);
    if (code == 0)
        putting_sums(u);
    return code;
}

/* What arrived */

static int damaged(const struct upload *u, const char *why, struct err *e)
{
    return err_set(e, -EBADMSG, "%s: %s is not there as it was sent: %s", remote_name(u->p->remote),
                   u->path, why);
}

int putting_sum(struct remote *r, const char *path, uint64_t size, char sha256[SHA256_HEX + 1],
                struct err *e)
{
    struct remote_reader *f;
    uint8_t sum[SHA256_BYTES];
    cleanup(sha256_freep) struct sha256 *h = sha256_new();
    autofree char *piece = malloc(PIECE);
    if (!piece || !h)
        return err_sys(e, -ENOMEM, "%s", path);
    ssize_t n = remote_read_open(r, path, size, &f, e);
    if (n < 0)
        return (int)n;
    while ((n = remote_read(f, piece, PIECE, e)) > 0)
        sha256_add(h, piece, (size_t)n);
    remote_read_close(f);
    if (n < 0)
        return (int)n;
    sha256_end(h, sum);
    sha256_hex(sum, sha256);
    return 0;
}

#define NOT_THERE "the remote has no such object"

static int putting_read_back(const struct upload *u, struct err *e)
{
    char hex[SHA256_HEX + 1];
    struct err why;
    int r = putting_sum(u->p->remote, u->path, u->is.size, hex, &why);
    if (r == -ENOENT || r == -EBADMSG)
        return damaged(u, r == -ENOENT ? NOT_THERE : why.text, e);
    if (r < 0)
        return err_set(e, r, "%s", why.text);
    return strcmp(hex, u->is.sha256) == 0 ? 0 : damaged(u, "read back, its SHA-256 is another", e);
}

static int putting_look(struct upload *u, struct err *e)
{
    struct remote_stat is;
    struct err why;
    char text[96];
    int code = remote_stat(u->p->remote, u->path, &is, &why);
    if (code == -ENOENT)
        return damaged(u, NOT_THERE, e);
    if (code < 0)
        return err_set(e, code, "%s", why.text);
    if (is.size != u->is.size) {
        snprintf(text, sizeof(text), "it has %llu bytes instead of %llu",
                 (unsigned long long)is.size, (unsigned long long)u->is.size);
        return damaged(u, text, e);
    }
    if (u->md5 && *is.md5 && strcasecmp(is.md5, u->is.md5) != 0)
        return damaged(u, "its MD5 is another", e);
    if (!u->md5)
        strcpy(u->is.md5, is.md5);
    return 0;
}

/* Of nothing, no byte could be read back. */
static int putting_check(struct upload *u, struct err *e)
{
    if (u->p->verify == PUTTING_UNSEEN)
        return 0;
    return u->p->verify == PUTTING_READ && u->is.size ? putting_read_back(u, e)
                                                      : putting_look(u, e);
}

/* What did not */

static bool is_ours(void *ctx, const char *name)
{
    return strcmp(name, ctx) == 0;
}

static int putting_clear(struct upload *u, struct err *e)
{
    int code = remote_remove(u->p->remote, u->path, e);
    return code < 0 ? code : remote_sweep(u->p->remote, u->folder, is_ours, u->is.name, e);
}

/* Before the next attempt, which under a fixed name must find nothing of this one. Without patience of its own;
 * the words of what failed stay. */
static int putting_clear_attempt(struct upload *u, struct err *e)
{
    struct err left;
    const int64_t patience = remote_set_patience(u->p->remote, 0);
    const int code = putting_clear(u, &left);
    remote_set_patience(u->p->remote, patience);
    return code == -EINTR ? err_set(e, code, "%s", left.text) : code;
}

/* At the end of all attempts: at once or not at all. */
static int putting_give_up(struct upload *u, int code, struct err *e)
{
    const struct err why = e ? *e : (struct err){0};
    struct err left = {0};
    remote_wind_up(u->p->remote, REMOTE_WIND_UP_NS);
    if (putting_clear(u, &left) < 0)
        err_set(e, code, "%s; what came of it is left there: %s", why.text, left.text);
    else
        err_set(e, code, "%s", why.text);
    remote_wind_up(u->p->remote, 0);
    return code;
}

/* *sent: all of it; what is wrong then has been tried again already, if that helps. */
static int putting_attempt(struct upload *u, struct remote_retry *again, bool *sent, struct err *e)
{
    struct meter *m = u->p->meter;
    const uint64_t before = m ? m->done : 0;
    int code = putting_send(u, e);
    if (code == -EAGAIN && u->done > MOVED_LEAST)
        remote_retry_moved(again, u->done);
    *sent = code == 0;
    if (code == 0)
        code = putting_check(u, e);
    if (code < 0 && m) {
        meter_hide(m);
        m->done = before;
    }
    return code;
}

static int putting_try(struct upload *u, const char *name, struct err *e)
{
    struct remote_retry again = {.remote = u->p->remote};
    unsigned attempt = 0, bad = 0;
    int code;
    bool sent = false;
    do {
        code = attempt ? putting_clear_attempt(u, e) : 0;
        if (code == -EAGAIN)
            continue;
        if (code < 0)
            break;
        code = putting_name(u, name, ++attempt, e);
        if (code < 0)
            return code; /* and nothing is left of the one before */
        code = putting_attempt(u, &again, &sent, e);
        if (sent && code == -EAGAIN)
            break;
    } while ((code == -EBADMSG && ++bad < DAMAGED_MOST) || remote_retry_again(&again, &code, e));
    if (code == 0 && bad)
        snap_warn("%s: arrived as something else, and was uploaded once more", u->path);
    return code < 0 ? putting_give_up(u, code, e) : 0;
}

int putting_object(const struct putting *p, const char *folder, const char *name,
                   const struct remote_source *s, struct put_object *out, struct err *e)
{
    cleanup(upload_freep) struct upload u = {.p = p, .folder = folder, .source = s};
    bool compares;
    int code = remote_compares(p->remote, &compares, e);
    if (code < 0)
        return code;
    u.sha256 = sha256_new();
    u.md5 = compares ? NULL : EVP_MD_CTX_new();
    if (!u.sha256 || (!compares && !u.md5))
        return err_sys(e, -ENOMEM, "%s", name);
    code = putting_try(&u, name, e);
    if (code == 0) {
        *out = u.is;
        u.is.name = NULL;
    }
    return code;
}
