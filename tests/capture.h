/* SPDX-License-Identifier: MIT */
/* tests/capture.h: runs a function in a child process and keeps what it wrote to stderr and how it
 * ended, for tests of what is fatal. Threads: call it before the test starts any. */
#ifndef TRI__TESTS_CAPTURE_H
#define TRI__TESTS_CAPTURE_H

#include <check.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef TRI__DEBUG
enum { IS_DEBUG_BUILD = 1 };
#else
enum { IS_DEBUG_BUILD = 0 };
#endif

struct captured {
    int status;       /* as from waitpid */
    char text[32768]; /* stderr, cut */
};

static inline void run_captured(void (*function)(void), int stderr_end)
{
    struct rlimit no_core = {0, 0};
    if (dup2(stderr_end, STDERR_FILENO) < 0 || setrlimit(RLIMIT_CORE, &no_core) != 0)
        _exit(126);
    function();
    _exit(0);
}

static inline void read_all(int file, char *text, size_t room)
{
    size_t length = 0;
    while (length + 1 < room) {
        ssize_t got = read(file, text + length, room - 1 - length);
        if (got < 0 && errno == EINTR)
            continue;
        ck_assert_int_ge(got, 0);
        if (got == 0)
            break;
        length += (size_t)got;
    }
    text[length] = '\0';
}

static inline struct captured capture_child(void (*function)(void))
{
    struct captured captured = {0};
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        run_captured(function, ends[1]);
    ck_assert_int_eq(close(ends[1]), 0);
    read_all(ends[0], captured.text, sizeof captured.text);
    ck_assert_int_eq(close(ends[0]), 0);
    ck_assert_int_eq(waitpid(child, &captured.status, 0), child);
    return captured;
}

static inline bool captured_aborted(const struct captured *captured)
{
    return WIFSIGNALED(captured->status) && WTERMSIG(captured->status) == SIGABRT;
}

static inline bool captured_exited(const struct captured *captured, int code)
{
    return WIFEXITED(captured->status) && WEXITSTATUS(captured->status) == code;
}

#endif
