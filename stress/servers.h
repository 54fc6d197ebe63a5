/* SPDX-License-Identifier: MIT */
/* stress/servers.h: what the threads of the servers program do, and what they share. */
#ifndef TRI__STRESS_SERVERS_H
#define TRI__STRESS_SERVERS_H

#include "stress/driver.h"
#include "stress/objects.h"
#include "tests/sanitized.h"

/* What is left out under sanitizers, which are in the way of the program, not of the library. */
enum {
    /* TSan: a child of a process that has threads can start none, so it has no cycles. ASan: its
     * allocator's locks stay as they were at the fork. There children end, or exec, at once. */
    CHILDREN_LIVE = !HAS_TSAN && !HAS_ASAN,
    /* TSan loses count of the locks of a thread that is cancelled while it sleeps. */
    THREADS_ARE_CANCELLED = !HAS_TSAN,
    /* TSan calls a handler only after the call that sleeps has returned. */
    SLEEPS_ARE_INTERRUPTED = !HAS_TSAN,
    /* Bytes of a stack that a deep recursion takes at most. TSan has a stack of its own, for 64 Ki
     * frames; ASan's frames are larger, and it counts whole ones as used. */
    RECURSION_BYTES = HAS_TSAN ? 1 << 20 : 4 << 20,
};

/* The collector interrupts threads. If not, threads neither spin nor sleep outside TRI_BLOCKING. */
static inline bool have_signal(void)
{
    return stress_signal == SIGNAL_ON;
}

/* A child of fork(): of the threads there is only the one that has forked. const otherwise */
extern bool in_child;

/* Ends the program with status 1. */
_Noreturn void servers_fail(struct worker *worker, const char *what);

/* ---- servers_table.c: the shared heap and its model ---- */

void table_init(struct worker *worker);
void table_change(struct worker *worker); /* one change, or look */
void act_take(struct worker *worker);     /* has some of it on its stack alone, and puts it back */
void table_adopt(struct worker *worker);  /* in a child: what the other threads were changing */
void table_check(struct worker *worker);  /* all of it; nobody else is there */
void table_clear(void);

/* Some objects that only the caller knows; and looking at all of them. */
slot tree_new(struct worker *worker);
void tree_check(struct worker *worker, slot tree, const char *where);

void make_garbage(struct worker *worker);

/* ---- acts; each checks what it alone knew ---- */

/* servers_sleep.c: threads that do not answer, since they compute or sleep. */
void sleep_init(struct worker *worker);
void sleep_end(void);
void act_spin(struct worker *worker);
void act_sleep(struct worker *worker); /* inside TRI_BLOCKING, or outside */
void sleep_somehow(struct worker *worker);
void spin_shortly(struct worker *worker);

/* servers_signals.c: signals of the program's, on the stack or on an alternate one. */
void signals_init(struct worker *worker);
void signals_end(void);
void signals_enter(void); /* the calling thread gets them, until it leaves */
void signals_leave(void);
void act_alternate(struct worker *worker, void (*inside)(struct worker *));

/* servers_life.c: threads and processes that come and go. */
void life_init(void);
void life_end(struct worker *worker);
void act_storm(struct worker *worker);
void act_fork(struct worker *worker);
void act_spawn(struct worker *worker);

/* servers_stacks.c: coroutines, deep recursion, alloca. */
void stacks_init(struct worker *worker);
void stacks_end(void);
void act_coroutines(struct worker *worker);
void act_recursion(struct worker *worker);
void act_alloca(struct worker *worker);

/* servers_memory.c: ranges that are moved, arenas, handles. */
void act_ranges(struct worker *worker);
void act_arena(struct worker *worker);
void act_handle(struct worker *worker);

/* servers_modules.c: shared objects. */
void modules_init(void);
void act_roots_module(struct worker *worker);
void act_types_module(struct worker *worker);

/* servers_holdings.c: what the process has, before and after. */
void holdings_remember(void);
void holdings_await_threads(struct worker *worker); /* until there are as many as then */
void holdings_compare(struct worker *worker);

#endif
