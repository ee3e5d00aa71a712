/* SPDX-License-Identifier: MIT */
#include "fs/owner.h"

#include "store/base/owner.h"

#include <sys/stat.h>
#include <unistd.h>

void owner_of_store(const struct store_paths *paths, uid_t given_uid, gid_t given_gid, uid_t *uid,
                    gid_t *gid)
{
    struct stat st;
    if (stat(paths->data, &st) == 0 || stat(paths->meta, &st) == 0) {
        *uid = st.st_uid;
        *gid = st.st_gid;
    } else if (given_uid != (uid_t)-1) {
        *uid = given_uid;
        *gid = given_gid;
    } else if (!owner_find_user("influxdb", uid, gid)) {
        *uid = geteuid();
        *gid = getegid();
    }
}
