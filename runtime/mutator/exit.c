/* SPDX-License-Identifier: MIT */
/* Keeps loaded what is in the tables when exit() is called.
 *
 * In this order [inv.exit.modules]: whoever enters something from now on keeps it loaded itself; what
 * was there before is kept loaded; nothing is taken out any more. One that is being unloaded in the
 * meantime is waited for, for the loader does one thing at a time, and takes its entries out. */
#include "mutator/exit.h"

#include <errno.h>
#include <stdlib.h>

#include <tricolor/thread.h>

#include "base/atomic.h"
#include "base/entry.h"
#include "base/module.h"
#include "mutator/roots.h"
#include "mutator/windows.h"

static bool keeping;   /* atomic */
static bool begun;     /* atomic */
static bool inherited; /* the process is a child of fork() */

static void keep_all(const void *(*next)(const void *address))
{
    for (const void *at = next(NULL); at != NULL; at = next(at))
        tri__module_pin(at);
}

/* The loader's lock may be had by somebody who waits for a cycle. In a child of fork() the loader may
 * be what another thread of the parent's has left it in the middle of: it is not asked for anything.
 * exit() may be called on a stack that nobody knows: the block is the library's own
 * [inv.stack.foreign]. */
static void note_exit(void)
{
    TRI__IN_RUNTIME;

    if (!inherited) {
        tri__store_seqcst(&keeping, true);
        TRI_BLOCKING {
            keep_all(tri__roots_next_module);
            keep_all(tri__windows_next_module);
        }
    }
    tri__store_seqcst(&begun, true);
}

/* Where tri_init() was called before main(), by a constructor, functions for atexit() come after
 * destructors, of which the program's own are the first. Nobody closes a program. */
static bool is_of_the_program(const void *address)
{
    if (!tri__module_is_program(address))
        return false;
    tri__store_seqcst(&begun, true);
    return true;
}

int tri__exit_init(void)
{
    static bool done;

    if (!done && atexit(note_exit) != 0)
        return -ENOMEM;
    done = true;
    return 0;
}

bool tri__exit_has_begun(void)
{
    return tri__load_seqcst(&begun);
}

bool tri__exit_keeps_entry(const void *address)
{
    return tri__exit_has_begun() || is_of_the_program(address);
}

void tri__exit_after_fork(void)
{
    inherited = true;
}

void tri__exit_note_entry(const void *address)
{
    if (tri__load_seqcst(&keeping))
        tri__module_pin(address);
}
