/* SPDX-License-Identifier: MIT */
#include "store/base/owner.h"

#include <grp.h>
#include <pthread.h>
#include <pwd.h>
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
