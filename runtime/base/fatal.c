/* SPDX-License-Identifier: MIT */
/* base/fatal.c: messages that must come out whatever state the process is in: no allocation, no
 * stdio streams, no locks. */
#include "base/fatal.h"

#include "base/print.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MESSAGE_BYTES 1024u

/* One write for the whole line, so that lines of several threads do not mix. */
static void write_message(const char *format, va_list arguments)
{
    char line[MESSAGE_BYTES] = "tricolor: ";
    size_t prefix = strlen(line);
    size_t room = sizeof line - prefix - 1; /* one byte stays free for the line end */
    int wanted = vsnprintf(line + prefix, room, format, arguments);
    size_t length = wanted < 0 ? 0 : (size_t)wanted;
    if (length >= room)
        length = room - 1;
    line[prefix + length] = '\n';
    tri__write_all(STDERR_FILENO, line, prefix + length + 1);
}

void tri__fatal(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    write_message(format, arguments);
    va_end(arguments);
    abort();
}

void tri__warn(const char *format, ...)
{
    int saved = errno;
    va_list arguments;
    va_start(arguments, format);
    write_message(format, arguments);
    va_end(arguments);
    errno = saved;
}

void tri__assert_failed(const char *expression, const char *file, int line)
{
    tri__fatal("broken invariant: %s, at %s:%d. This is a bug in tricolor, or memory it relies on "
               "was overwritten.",
               expression, file, line);
}
