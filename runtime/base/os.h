/* SPDX-License-Identifier: MIT */
/* base/os.h: all that tricolor asks of the operating system; one os_<name>.c answers it.
 *
 * Sizes and addresses of memory calls are multiples of the OS page. Threads: any, unless said
 * otherwise. */
#ifndef TRI__BASE_OS_H
#define TRI__BASE_OS_H

#include <pthread.h>
#include <stddef.h>
#include <stdint.h>

/* Address space that faults on every access and costs no memory; NULL when it can't be had. */
void *tri__os_reserve(size_t bytes);

/* Makes a reserved range readable and writable; new pages read zero. 0 or -errno. */
int tri__os_commit(void *start, size_t bytes);

/* Gives the memory behind a committed range back. The range stays accessible and reads zero
 * afterwards. */
void tri__os_decommit(void *start, size_t bytes);

/* Gives the memory behind a committed range back and takes access to it away: it faults until it is
 * committed again, and reads zero then. 0, or -errno when the system has no room for one more
 * mapping: then the range is as after tri__os_decommit(). */
int tri__os_protect(void *start, size_t bytes);

/* Zeroed memory for metadata, backed page by page when first touched; NULL when it can't be had. */
void *tri__os_map(size_t bytes);

/* Ends a mapping or a reservation, or a part of one. */
void tri__os_unmap(void *start, size_t bytes);

size_t tri__os_page_size(void);
size_t tri__os_physical_memory(void); /* 0 when unknown */
size_t tri__os_resident_bytes(void);  /* of this process; 0 when unknown */
unsigned tri__os_cpus(void);          /* this process may run on; at least 1 */

uint64_t tri__os_now(void); /* nanoseconds, monotonic, never 0 */
/* Reading a file by the system calls themselves: libc's functions are cancellation points. A
 * descriptor or -errno; bytes, 0 at the end, or -errno. */
int tri__os_open(const char *path);
long tri__os_read(int file, void *to, size_t room);
void tri__os_close(int file);

int tri__os_pid(void);
int tri__os_signal_thread(uint32_t tid, int number); /* of this process; 0 or -errno */
uint32_t tri__os_tid(void); /* the calling thread's number, as tools show it */
void tri__os_yield(void);
void tri__os_sleep(uint64_t ns); /* the whole time, signals or not */

/* The calling thread runs only for microseconds at a time: asks the scheduler for a short slice, so
 * that it may interrupt others when it is woken. A wish; nothing happens where that cannot be had. */
void tri__os_ask_for_short_slice(void);

/* The calling thread's stack: low <= any local < high. 0 or -errno. The part below the stack
 * pointer may be unmapped. */
int tri__os_stack_bounds(uintptr_t *low, uintptr_t *high);

/* A joinable thread that takes none of the program's signals, so that no handler of the user's runs
 * on it. The signals of its own faults (SIGSEGV and its kind) stay open: blocked, they would kill
 * without a report. The name is cut to 15 characters. 0 or -errno. */
int tri__os_thread_start(pthread_t *thread, void *(*function)(void *), void *argument,
                         const char *name);

#endif
