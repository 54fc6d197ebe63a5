/* SPDX-License-Identifier: MIT */
/* base/print.c: formats into a buffer of the caller's, writes by write(2). */
#include "base/print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/os.h"

void tri__write_all(int fd, const char *text, size_t bytes)
{
    while (bytes > 0) {
        long written = syscall(SYS_write, fd, text, bytes); /* write() is a cancellation point */
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return;
        text += written;
        bytes -= (size_t)written;
    }
}

void tri__print_end(struct tri__print *out)
{
    int saved = errno;

    tri__write_all(out->fd, out->text, out->used);
    out->used = 0;
    errno = saved;
}

/* Appends the piece if it fits: false if not, and nothing has changed. */
static bool append(struct tri__print *out, const char *format, va_list arguments)
{
    size_t room = sizeof out->text - out->used;
    int wanted = vsnprintf(out->text + out->used, room, format, arguments);

    if (wanted < 0)
        return true; /* a format that cannot be had: nothing is better than garbage */
    if ((size_t)wanted >= room)
        return false;
    out->used += (unsigned)wanted;
    return true;
}

void tri__put(struct tri__print *out, const char *format, ...)
{
    va_list arguments;
    bool whole;

    va_start(arguments, format);
    whole = append(out, format, arguments);
    va_end(arguments);
    if (whole)
        return;
    tri__print_end(out);
    va_start(arguments, format);
    if (!append(out, format, arguments))
        out->used = sizeof out->text - 1; /* cut */
    va_end(arguments);
}

void tri__put_bits(struct tri__print *out, uint64_t mask, unsigned words)
{
    char text[64 + 8];
    unsigned used = 0;

    for (unsigned k = 0; k < words && k < 64; k++) {
        if (k % 8 == 0 && k != 0)
            text[used++] = ' ';
        text[used++] = (mask >> k & 1) != 0 ? '1' : '0';
    }
    text[used] = '\0';
    tri__put(out, "%s", text);
}

bool tri__try_read(void *to, const void *from, size_t bytes)
{
    struct iovec here = {to, bytes}, there = {(void *)(uintptr_t)from, bytes};
    int saved = errno;
    /* Not by the process's number: that is the main thread's, which may have ended. */
    ssize_t copied = process_vm_readv((pid_t)tri__os_tid(), &here, 1, &there, 1, 0);

    errno = saved;
    return copied == (ssize_t)bytes;
}
