/* SPDX-License-Identifier: MIT */
/* The end of a thread that was unwound: pthread_exit() or cancellation, in the middle of whatever.
 *
 * libc runs what was registered here before destructors of thread-specific data, with the stack of
 * the thread unwound. It remembers that in a block of malloc's, which stays if the thread is past
 * that point already: so only those threads register that need it.
 * Threads: each for itself. See: docs/threads.md "Threads that end". */
#include "mutator/thread_end.h"

#include <stdbool.h>
#include <stddef.h>

#include "mutator/handshake.h"

/* libc's, for destructors of thread_local objects; NULL with C libraries that do not have it. */
extern int __cxa_thread_atexit_impl(void (*function)(void *), void *argument, void *object)
    __attribute__((weak));
extern void *__dso_handle;

/* The sanitizers', in programs that are built with them; the library need not be. */
extern void __asan_unpoison_memory_region(const volatile void *low, size_t bytes)
    __attribute__((weak));
extern void __lsan_disable(void) __attribute__((weak));
extern void __lsan_enable(void) __attribute__((weak));

static __thread bool watched;

/* Frames that were unwound leave AddressSanitizer's poison behind, and destructors run there:
 * liburcu's calls what looks at it, before any of ours could clear it. Not all of the stack: who
 * comes after us is no deeper than that, and above us is libc. */
static void clear_poison(void)
{
    enum { BELOW = 12 << 10, ABOVE = 4 << 10 };
    char *here = __builtin_frame_address(0);

    if (__asan_unpoison_memory_region != NULL)
        __asan_unpoison_memory_region(here - BELOW, BELOW + ABOVE);
}

/* A thread that ended inside TRI_BLOCKING has left it when its destructors run, and they may use the
 * heap. */
static void end_thread(void *unused)
{
    (void)unused;
    clear_poison();
    tri__blocking_leave_all();
}

void tri__thread_end_watch(void)
{
    if (watched || __cxa_thread_atexit_impl == NULL)
        return;
    watched = __cxa_thread_atexit_impl(end_thread, NULL, &__dso_handle) == 0;
}

/* For the poison only: a thread may well use the heap in its destructors first, when it is too late
 * and what libc remembers is never freed. */
void tri__thread_end_watch_attached(void)
{
    if (__asan_unpoison_memory_region == NULL || __lsan_disable == NULL || __lsan_enable == NULL)
        return;
    __lsan_disable();
    tri__thread_end_watch();
    __lsan_enable();
}
