/* SPDX-License-Identifier: MIT */
#include "fs/signals.h"

#include <errno.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <time.h>

static sem_t wake;
static atomic_bool came;

static void handle(int number)
{
    int saved = errno;
    (void)number;
    atomic_store(&came, true);
    sem_post(&wake);
    errno = saved;
}

int signals_catch(void)
{
    static const int numbers[] = {SIGHUP, SIGINT, SIGTERM, SIGPIPE};
    struct sigaction now, then = {.sa_handler = handle};
    if (sem_init(&wake, 0, 0) < 0)
        return -errno;
    sigemptyset(&then.sa_mask);
    for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
        if (numbers[i] == SIGPIPE)
            then.sa_handler = SIG_IGN;
        if (sigaction(numbers[i], NULL, &now) < 0 ||
            (now.sa_handler == SIG_DFL && sigaction(numbers[i], &then, NULL) < 0))
            return -errno;
    }
    return 0;
}

void signals_wait(int64_t until_ns)
{
    struct timespec until = {until_ns / 1000000000, until_ns % 1000000000};
    while (sem_clockwait(&wake, CLOCK_MONOTONIC, &until) < 0 && errno == EINTR)
        continue;
}

void signals_wake(void)
{
    sem_post(&wake);
}

bool signals_came(void)
{
    return atomic_load(&came);
}
