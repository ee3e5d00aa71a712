/* SPDX-License-Identifier: MIT */
#include "store/restore/reslog.h"

#include "store/base/io.h"
#include "store/base/time.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define RESLOG_MAX (8 << 20)

int reslog_open(int state_fd)
{
    int fd = -1;
    if (state_fd >= 0)
        fd = openat(state_fd, "restore.log",
                    O_RDWR | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK, 0600);
    if (fd < 0) {
        fd = memfd_create("restore.log", MFD_CLOEXEC);
        if (fd >= 0 && fcntl(fd, F_SETFL, O_APPEND) < 0) {
            int r = -errno;
            close(fd);
            return r;
        }
    }
    return fd < 0 ? -errno : fd;
}

void reslog_begin(int fd)
{
    struct stat st;
    if (fstat(fd, &st) == 0 && st.st_size > RESLOG_MAX && ftruncate(fd, 0) < 0)
        return; /* it goes on growing, which harms nothing yet */
}

void reslog_add(int fd, const char *fmt, va_list ap)
{
    char line[2048];
    time_text(time_wall_ns(), line);
    size_t n = strlen(line);
    line[n++] = ' ';
    vsnprintf(line + n, sizeof(line) - n - 1, fmt, ap);
    for (; line[n]; n++)
        if ((unsigned char)line[n] < ' ' || line[n] == 0x7f)
            line[n] = '?';
    line[n++] = '\n';
    io_write_all(fd, line, n); /* a log that cannot be written must not fail a restore */
}
