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

static void do_nothing(int number)
{
    (void)number;
}

int signals_catch(void)
{
    static const struct {
        void (*handler)(int);
        int number;
    } all[] = {
        {handle, SIGHUP},   {handle, SIGINT},      {handle, SIGTERM},
        {SIG_IGN, SIGPIPE}, {do_nothing, SIGUSR1},
    };
    if (sem_init(&wake, 0, 0) < 0)
        return -errno;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
        struct sigaction now, then = {.sa_handler = all[i].handler};
        sigemptyset(&then.sa_mask);
        if (sigaction(all[i].number, NULL, &now) < 0 ||
            (now.sa_handler == SIG_DFL && sigaction(all[i].number, &then, NULL) < 0))
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

void signals_interrupt(pthread_t thread)
{
    pthread_kill(thread, SIGUSR1);
}

bool signals_came(void)
{
    return atomic_load(&came);
}
