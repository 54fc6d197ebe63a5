/* SPDX-License-Identifier: MIT */
/* tests/forked.h: children that run a function, and what to do about those that hang.
 *
 * In a child nothing of Check may be used: it is not the process that Check has started. What fails
 * there is printed, and ends the child. */
#ifndef TRI__TESTS_FORKED_H
#define TRI__TESTS_FORKED_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <tricolor.h>

#define CHILD_SECONDS 40

#define child_assert(condition)                                                                    \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: in child %d: %s\n", __FILE__, __LINE__, (int)getpid(),         \
                    #condition);                                                                   \
            _exit(99);                                                                             \
        }                                                                                          \
    } while (0)

static inline void nap(long ns)
{
    struct timespec time = {0, ns};

    nanosleep(&time, NULL);
}

/* What its threads wait for, as far as can be had here. */
static inline void show_threads(pid_t child)
{
    char command[512];

    snprintf(command, sizeof command,
             "for t in /proc/%d/task/*; do echo \"$t $(cat $t/comm $t/wchan $t/syscall 2>&1 | tr "
             "'\\n' ' ')\"; done >&2; command -v gdb >/dev/null && gdb --batch -p %d -ex 'thread "
             "apply all bt' >&2 2>/dev/null",
             (int)child, (int)child);
    if (system(command) != 0)
        fprintf(stderr, "the threads of %d cannot be shown\n", (int)child);
}

/* Waits for its end. Its exit status; -1: it was killed, or had to be. */
static inline int end_of_child(pid_t child)
{
    time_t limit = time(NULL) + CHILD_SECONDS;
    int status;
    pid_t done;

    while ((done = waitpid(child, &status, WNOHANG)) == 0 && time(NULL) < limit)
        nap(500000);
    if (done == child && WIFEXITED(status))
        return WEXITSTATUS(status);
    if (done == child) {
        fprintf(stderr, "child %d was ended by signal %d\n", (int)child, WTERMSIG(status));
        return -1;
    }
    fprintf(stderr, "child %d hangs\n", (int)child);
    show_threads(child);
    kill(child, SIGKILL);
    waitpid(child, &status, 0);
    return -1;
}

/* Forks a child that runs `function` and is over; returns at once. */
static inline pid_t start_child(void (*function)(void *), void *argument)
{
    pid_t child = fork();

    if (child != 0)
        return child;
    function(argument);
    _exit(0);
}

static inline int run_child(void (*function)(void *), void *argument)
{
    pid_t child = start_child(function, argument);
    int status = -1;

    if (child > 0)
        TRI_BLOCKING
            status = end_of_child(child);
    return status;
}

#endif
