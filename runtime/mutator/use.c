/* SPDX-License-Identifier: MIT */
/* Looking at uses of the heap.
 *
 * Inside the library tri__window_depth is not 0 [inv.window.runtime]. So a public function that
 * finds the depth above its own has been called by the library itself, or by a handler of the
 * program's that has interrupted it: the return address tells. In a program that is linked
 * statically it does not, and nothing is said. Locks: none. */
#include "mutator/use.h"

#include <stdio.h>
#include <sys/auxv.h>

#include <tricolor/window.h>

#include "base/fatal.h"
#include "base/os.h"
#include "mutator/code_map.h"
#include "mutator/mutator.h"

#define WHERE 256u
#define HEAD_START_NS UINT64_C(1000000000)

/* Where the linker has put the library; or the program, if that was linked statically. */
extern const char __ehdr_start[] __attribute__((visibility("hidden")));
extern const char _etext[] __attribute__((visibility("hidden")));

static bool is_in_module(uintptr_t address)
{
    return address - (uintptr_t)__ehdr_start < (uintptr_t)_etext - (uintptr_t)__ehdr_start;
}

/* The program's own headers lie in the program. */
static bool is_shared_library(void)
{
    return !is_in_module((uintptr_t)getauxval(AT_PHDR));
}

/* Where a call returns to may be the next line: its last byte is in the call's own. */
void tri__use_name_code(const void *caller, char *text, size_t room)
{
    static struct tri__code_map map;
    static bool taken; /* atomic: the map is read once */
    const char *address = (const char *)caller - 1;

    snprintf(text, room, "%p", (const void *)address);
    if (tri__exchange_acqrel(&taken, true)) {
        tri__os_sleep(HEAD_START_NS); /* another thread's message has a name, and is the last one */
        return;
    }
    tri__code_map_read(&map, 0);
    tri__code_map_name(&map, (uintptr_t)address, text, room);
}

_Noreturn static void used_in_handler(const char *call, const void *caller)
{
    char place[WHERE];

    tri__use_name_code(caller, place, sizeof place);
    tri__fatal("%s() in a signal handler, called from %s, while the library is at work on the same "
               "thread: what was interrupted may be half done. Handlers must not use the heap: let "
               "them set a flag, or write to a pipe or an eventfd, and do the rest outside of "
               "them; docs/verify-blocking.md",
               call, place);
}

_Noreturn static void used_in_blocking(const char *call, const void *caller)
{
    char place[WHERE];

    tri__use_name_code(caller, place, sizeof place);
    tri__fatal("%s() inside TRI_BLOCKING, called from %s: the collector does not wait for the "
               "thread there, and may be acting for it. Use the heap before the block or after it, "
               "and let only what sleeps be inside; docs/verify-blocking.md",
               call, place);
}

void tri__use_check(const char *call, const void *caller)
{
    const struct tri__mutator *self = tri__mutator_self();

    if (tri__window_depth > 1 && is_shared_library() && !is_in_module((uintptr_t)caller))
        used_in_handler(call, caller);
    if (self != NULL && self->blocking_depth != 0)
        used_in_blocking(call, caller);
}
