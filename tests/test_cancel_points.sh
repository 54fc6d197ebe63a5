#!/bin/sh
# SPDX-License-Identifier: MIT
# libtricolor.so calls no cancellation point, but where cancellation is switched off: a thread that was cancelled in the middle of
# the library would leave locks and the protocol behind. The list is POSIX's (XSH 2.9.5), as far as anybody would call them here.
set -eu

library=$TRI_BUILDDIR/.libs/libtricolor.so
if [ -n "$TRI_SANITIZERS$TRI_COVERAGE" ] || [ ! -e "$library" ]; then
    echo "SKIP: no plain shared library in this build"
    exit 77
fi

points='accept aio_suspend clock_nanosleep close connect creat dprintf epoll_wait fcntl fcntl64 fdatasync fflush fgetc fgets fprintf
fputc fputs fread fsync fwrite getc getchar lockf mq_receive mq_send msgrcv msgsnd msync nanosleep open open64 openat
openat64 opendir pause perror poll ppoll pread pread64 preadv printf pselect pthread_cond_timedwait pthread_testcancel putc puts pwrite
pwrite64 pwritev read readdir readv recv recvfrom recvmsg select sem_timedwait sem_wait send sendmsg sendto sigsuspend sigtimedwait
sigwait sigwaitinfo sleep syslog system tcdrain usleep vfprintf wait wait3 wait4 waitid waitpid write writev'
# Called with cancellation off: in tri_init() fopen, fscanf, getdelim, fclose (cgroup.c); in tri_shutdown() pthread_join; in
# tri_collect() and allocations out of memory pthread_cond_wait (coordinator.c), which collector threads call, too.
failures=0
imported=$($NM -D --undefined-only "$library" | awk '{ sub(/@.*/, "", $NF); print $NF }' | sed 's/^__//')
for point in $points; do
    if printf '%s\n' "$imported" | grep -qx "$point"; then
        echo "FAILED: $point() is a cancellation point; use the system call, or switch cancellation off and name it here"
        failures=1
    fi
done
[ "$failures" -eq 0 ]
