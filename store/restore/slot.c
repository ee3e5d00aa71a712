/* SPDX-License-Identifier: MIT */
#include "store/restore/slot.h"

#include "store/base/cleanup.h"
#include "store/base/io.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

int slot_make(int place, char name[SLOT_NAME_BYTES], int *out)
{
    struct stat st;
    uint64_t random;
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        return -EIO;
    snprintf(name, SLOT_NAME_BYTES, "%016" PRIx64 SLOT_NEW, random);
    if (mkdirat(place, name, 0700) < 0)
        return -errno;
    autoclose int fd = io_open_beneath(place, name, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return fd;
    if (flock(fd, LOCK_EX | LOCK_NB) < 0 || fstat(fd, &st) < 0 || st.st_nlink == 0)
        return -ENOENT; /* it was taken for litter */
    *out = steal_fd(&fd);
    return 0;
}

bool slot_is_name(const char *name)
{
    size_t hex = strspn(name, "0123456789abcdef");
    return hex == 16 && strcmp(name + hex, SLOT_NEW) == 0;
}

bool slot_is_dead(int place, const char *name)
{
    autoclose int fd = io_open_beneath(place, name, O_RDONLY | O_DIRECTORY);
    return fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0;
}
