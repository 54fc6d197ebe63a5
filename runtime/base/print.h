/* SPDX-License-Identifier: MIT */
/* base/print.h: text for people, from whatever state the process is in: a debugger that calls into
 * a stopped program, the way to abort(). No allocation, no stdio streams, no locks; errno stays.
 *
 *     struct tri__print out = tri__print_to(fd);
 *     tri__put(&out, "%zu bytes\n", bytes);       // any number of pieces
 *     tri__print_end(&out);
 *
 * Threads: one at a time uses a tri__print, which lies on its stack. */
#ifndef TRI__BASE_PRINT_H
#define TRI__BASE_PRINT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRI__PRINT_BYTES 1024u

struct tri__print {
    int fd;
    unsigned used;
    char text[TRI__PRINT_BYTES]; /* not written out yet */
};

static inline struct tri__print tri__print_to(int fd)
{
    return (struct tri__print){.fd = fd};
}

/* Integers, pointers and strings only. A single piece is cut at the size of the buffer. */
void tri__put(struct tri__print *out, const char *format, ...)
    __attribute__((format(printf, 2, 3), cold));

/* Writes out what is left. */
void tri__print_end(struct tri__print *out);

/* Bits of up to 64 words, the lowest address first, in groups of eight: "11010000 1". */
void tri__put_bits(struct tri__print *out, uint64_t mask, unsigned words);

/* All of it, unless the descriptor takes no more: then nobody is left to tell. */
void tri__write_all(int fd, const char *text, size_t bytes);

/* Copies memory that may not be there, or not be readable. false: it is not, and nothing was
 * copied. Where the kernel does not let a process ask this of itself, it is believed to be there.
 */
bool tri__try_read(void *to, const void *from, size_t bytes);

#endif
