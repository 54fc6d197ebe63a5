/* SPDX-License-Identifier: MIT */
/* measure: runs a program and writes into a file what it cost: wall s, CPU s, peak memory in KiB.
 *
 *   measure FILE [NAME=VALUE ...] PROGRAM [ARGUMENT ...]
 *
 * The variables are set for PROGRAM only, so that a preloaded library is in nothing but what is
 * measured. The exit status is the program's; 128 and the signal's number when one killed it. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

_Noreturn static void die(const char *what)
{
    fprintf(stderr, "measure: %s: %s\n", what, strerror(errno));
    exit(126);
}

static double now(void)
{
    struct timespec time;

    if (clock_gettime(CLOCK_MONOTONIC, &time) != 0)
        die("clock_gettime");
    return (double)time.tv_sec + (double)time.tv_nsec * 1e-9;
}

static double seconds(struct timeval time)
{
    return (double)time.tv_sec + (double)time.tv_usec * 1e-6;
}

/* In the child. The program must not outlive whoever measures it. */
_Noreturn static void run(char **words)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
        die("prctl");
    for (; *words != NULL && strchr(*words, '=') != NULL; words++)
        if (putenv(*words) != 0)
            die("putenv");
    if (*words != NULL)
        execv(*words, words);
    die(*words != NULL ? *words : "no program");
}

static void write_costs(const char *path, double wall, const struct rusage *usage)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        die(path);
    fprintf(file, "%.6f %.6f %ld\n", wall, seconds(usage->ru_utime) + seconds(usage->ru_stime),
            usage->ru_maxrss);
    if (fclose(file) != 0)
        die(path);
}

int main(int argc, char **argv)
{
    struct rusage usage;
    double start = now();
    pid_t child;
    int status;

    if (argc < 3) {
        fprintf(stderr, "usage: measure FILE [NAME=VALUE ...] PROGRAM [ARGUMENT ...]\n");
        return 126;
    }
    child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        run(argv + 2);
    while (wait4(child, &status, 0, &usage) < 0)
        if (errno != EINTR)
            die("wait4");
    write_costs(argv[1], now() - start, &usage);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
