/* SPDX-License-Identifier: MIT */
#include "store/influxsnap/logtail.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINE 8192
#define WORD " unpacking "
#define UNIT " bytes)"

void logtail_begin(struct logtail *t, int fd)
{
    struct stat st;
    t->fd = fd;
    t->at = fstat(fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

/* "TIME unpacking NAME (N bytes)" */
static void tell_line(char *line, struct meter *to)
{
    char *space = strchr(line, ' ');
    char *open = strrchr(line, '(');
    if (!space || !open || strncmp(space, WORD, strlen(WORD)) != 0 ||
        open <= space + strlen(WORD) || !strstr(open, UNIT))
        return;
    open[-1] = 0;
    meter_file(to, space + strlen(WORD), strtoull(open + 1, NULL, 10));
}

void logtail_follow(struct logtail *t, struct meter *to)
{
    char buf[LINE + 1];
    struct stat st;
    /* The log is emptied when it has grown too long. */
    if (fstat(t->fd, &st) == 0 && (uint64_t)st.st_size < t->at)
        t->at = 0;
    for (;;) {
        ssize_t n = pread(t->fd, buf, LINE, (off_t)t->at);
        char *line = buf, *end = NULL;
        buf[n > 0 ? n : 0] = 0;
        while (n > 0 && (end = strchr(line, '\n'))) {
            *end = 0;
            tell_line(line, to);
            t->at += (uint64_t)(end + 1 - line);
            line = end + 1;
        }
        if (n < LINE)
            return; /* an unfinished line waits */
        if (line == buf)
            t->at += (uint64_t)n; /* longer than any of ours */
    }
}
