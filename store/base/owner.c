/* SPDX-License-Identifier: MIT */
#include "store/base/owner.h"

#include "store/base/cleanup.h"

#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pthread.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define NAME_BYTES 32

struct known {
    unsigned id;
    char name[NAME_BYTES];
    struct known *next;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct known *users, *groups;

static void user_name(unsigned id, char name[NAME_BYTES])
{
    struct passwd pw, *found = NULL;
    char buf[4096];
    if (getpwuid_r(id, &pw, buf, sizeof(buf), &found) == 0 && found &&
        strlen(pw.pw_name) < NAME_BYTES)
        strcpy(name, pw.pw_name);
}

static void group_name(unsigned id, char name[NAME_BYTES])
{
    struct group gr, *found = NULL;
    char buf[16384];
    if (getgrgid_r(id, &gr, buf, sizeof(buf), &found) == 0 && found &&
        strlen(gr.gr_name) < NAME_BYTES)
        strcpy(name, gr.gr_name);
}

static const char *look_up(struct known **list, unsigned id, void (*fill)(unsigned, char *))
{
    pthread_mutex_lock(&lock);
    struct known *k = *list;
    while (k && k->id != id)
        k = k->next;
    if (!k && (k = calloc(1, sizeof(*k)))) {
        k->id = id;
        fill(id, k->name);
        k->next = *list;
        *list = k;
    }
    pthread_mutex_unlock(&lock);
    return k ? k->name : "";
}

const char *owner_user(uid_t uid)
{
    return look_up(&users, uid, user_name);
}

const char *owner_group(gid_t gid)
{
    return look_up(&groups, gid, group_name);
}

/* Digits only: no sign, no space. */
static bool number(const char *text, unsigned *out)
{
    if (!*text || text[strspn(text, "0123456789")])
        return false;
    errno = 0;
    unsigned long v = strtoul(text, NULL, 10);
    *out = (unsigned)v;
    return errno == 0 && v < UINT_MAX;
}

static bool find_user(const char *name, uid_t *uid, gid_t *gid)
{
    const struct passwd *pw = getpwnam(name);
    unsigned id = 0;
    if (!pw && !number(name, &id))
        return false;
    *uid = pw ? pw->pw_uid : id;
    *gid = pw ? pw->pw_gid : id;
    return true;
}

static bool find_group(const char *name, gid_t *gid)
{
    const struct group *gr = getgrnam(name);
    unsigned id = 0;
    if (!gr && !number(name, &id))
        return false;
    *gid = gr ? gr->gr_gid : id;
    return true;
}

int owner_parse(const char *text, uid_t *uid, gid_t *gid, struct err *e)
{
    autofree char *user = strdup(text);
    if (!user)
        return err_sys(e, -ENOMEM, "option owner");
    char *group = strchr(user, ':');
    if (group)
        *group++ = 0;
    if (!find_user(user, uid, gid))
        return err_set(e, -EINVAL, "option owner=: there is no user %s", user);
    if (group && !find_group(group, gid))
        return err_set(e, -EINVAL, "option owner=: there is no group %s", group);
    return 0;
}
