/* SPDX-License-Identifier: MIT */
/* Windows, one instruction at a time: a thread runs a store or an allocation under the processor's
 * trap flag, and at one of its instructions, each in turn, it is asked for a handshake by a signal.
 * What comes out must be right whichever it was: [inv.window.inline], [inv.window.runtime],
 * [inv.window.nested].
 *
 * Threads: the one that is stepped through, and one that asks. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "base/os.h"
#include "collected.h"
#include "heap/object.h"
#include "mutator/context.h"
#include "mutator/windows.h"
#include "phase.h"
#include "suite.h"

#define SKIPPED 77

#ifdef TRI__WINDOWS_X86_64

#define TRAP_FLAG 0x100
#define MOST_STEPS 10000 /* more is a loop of the library's */
#define EACH 25 /* instructions, at first; of the rest some, evenly spread */
#define SOME 3
#define NOWHERE (-1)
#define UNSTEPPED (-3)
#define LEAVE_INSIDE (-2)

typedef struct node {
    struct node *next, *other;
    uintptr_t key;
} node;
TRI_TYPE(node, next, other);

static node *holder; /* not a root, nor are the others: nothing but the barrier shades what they hold */
static node *old_value, *new_value, *result;

/* ---- what is stepped through ---- */

__attribute__((noinline)) static void store(void)
{
    tri_store(&holder->next, new_value);
}

__attribute__((noinline)) static void exchange(void)
{
    result = tri_exchange(&holder->next, new_value);
}

__attribute__((noinline)) static void compare_exchange(void)
{
    node *expected = old_value;

    result = tri_compare_exchange(&holder->next, &expected, new_value) ? expected : NULL;
}

__attribute__((noinline)) static void move(void)
{
    tri_memmove(&holder->next, &new_value, sizeof holder->next);
}

__attribute__((noinline)) static void allocate(void)
{
    result = tri_new(node);
}

struct operation {
    const char *name;
    void (*run)(void);
    bool stores, swaps;
    unsigned inside; /* it has at least so many instructions at which it is inside a window */
};

static const struct operation operations[] = {
    {"store", store, true, false, 2},
    {"exchange", exchange, true, true, 3},
    {"compare_exchange", compare_exchange, true, true, 3},
    {"move", move, true, false, 0},
    {"allocate", allocate, false, false, 7},
};
#define OPERATIONS (int)(sizeof operations / sizeof operations[0])

/* ---- stepping ---- */

static struct {
    int step, target;     /* instructions so far; at which one the thread is asked */
    bool asked;           /* an operation does not always take as many instructions */
    uint8_t phase_before; /* the thread's when it is asked */
    bool was_inside;      /* at the target */
    bool at_once;         /* the next instruction found it answered */
    bool in_handler;      /* it was answered while the trap's handler ran */
    bool left_inside;     /* stepping ends inside a window, and did */
    bool before_store;    /* it had answered while the old value was still there */
} trace;

/* When the signal comes: at the instruction that was trapped, when the trap's handler has returned; or
 * within that; or within another one that has interrupted that; or when a handler that has interrupted the
 * instruction has returned, but not given up its frame. */
static enum { AT_THE_INSTRUCTION, IN_A_HANDLER, IN_TWO_HANDLERS, BEHIND_A_HANDLER } where;

static uintptr_t trampoline; /* the code that gives up a handler's frame; 0: no handler is under way */
static uintptr_t interrupted_at;

static uint32_t turn;               /* atomic: 1: the other thread shall ask; 2: end */
static uint32_t done;               /* atomic: handshakes that are over */
static enum tri__request requested; /* handed over by `turn` */

/* Below the red zone of the function this becomes a part of. */
#define CHANGE_FLAGS(change)                                                                       \
    __asm__ volatile("leaq -128(%%rsp), %%rsp\n\t"                                                 \
                     "pushfq\n\t" change ", (%%rsp)\n\t"                                           \
                     "popfq\n\t"                                                                   \
                     "leaq 128(%%rsp), %%rsp"                                                      \
                     :                                                                             \
                     :                                                                             \
                     : "memory", "cc")

static bool is_asked(void)
{
    return (tri__load_relaxed(&tri__self->request) & TRI__REQUEST_ASKED) != 0;
}

static bool is_inside(uintptr_t pc)
{
    bool inside;

    ck_assert(tri__windows_begin_reading());
    inside = tri__window_around(pc) != 0;
    tri__windows_end_reading();
    return inside;
}

static void interrupt_myself(int number)
{
    ck_assert_int_eq(tri__os_signal_thread(tri__os_tid(), number), 0);
}

/* The second handler, on an alternate stack that lies above the first one's. */
static void on_visit(int number)
{
    (void)number;
    interrupt_myself(SIGURG);
}

/* A handler that is stepped through from here to where it returns. */
static void on_step_behind(int number)
{
    (void)number;
    trampoline = (uintptr_t)__builtin_return_address(0);
    CHANGE_FLAGS("orq $0x100");
}

static void ask_here(uintptr_t pc)
{
    uint32_t before = tri__load_acquire(&done);

    trace.asked = true;
    trace.phase_before = tri__self->barrier;
    trace.was_inside = is_inside(pc);
    tri__store_release(&turn, 1); /* rel -> acq in ask_when_told() */
    while (!is_asked() && tri__load_acquire(&done) == before) /* it may be answered already */
        tri__os_sleep(1);
    interrupt_myself(where == IN_TWO_HANDLERS ? SIGUSR1 : SIGURG);
    trace.in_handler = !is_asked();
}

/* There is nothing more to see: it was answered, or will be when the thread leaves the library, which
 * does all of its work first. Each trap costs much where the machine is a virtual one. */
static bool is_enough(bool answered)
{
    return answered || trace.left_inside || trace.step > MOST_STEPS ||
           (trace.asked && trace.step > trace.target && tri__window_depth != 0);
}

/* The signal is blocked here, so it comes when this handler has returned: at the same instruction. */
static void step_behind(ucontext_t *context)
{
    if (tri__context_pc(context) != trampoline)
        return;
    trampoline = 0;
    ask_here(interrupted_at);
    context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
}

static void ask_now_or_behind(uintptr_t pc)
{
    if (where != BEHIND_A_HANDLER) {
        ask_here(pc);
        return;
    }
    interrupted_at = pc;
    interrupt_myself(SIGUSR1); /* blocked, too */
}

static void on_trap(int number, siginfo_t *info, void *argument)
{
    ucontext_t *context = argument;
    bool answered = trace.asked && !is_asked();

    (void)number, (void)info;
    if (trampoline != 0) {
        step_behind(context);
        return;
    }
    if (trace.target == LEAVE_INSIDE && is_inside(tri__context_pc(context)))
        trace.left_inside = true;
    if (trace.step == trace.target)
        ask_now_or_behind(tri__context_pc(context));
    if (trace.step == trace.target + 1)
        trace.at_once = answered;
    if (answered && holder->next == old_value)
        trace.before_store = true;
    if (is_enough(answered))
        context->uc_mcontext.gregs[REG_EFL] &= ~(greg_t)TRAP_FLAG;
    trace.step++;
}

static void catch_traps(void)
{
    struct sigaction action = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
    struct sigaction visit = {.sa_handler = on_visit, .sa_flags = SA_ONSTACK};

    sigemptyset(&action.sa_mask);
    sigemptyset(&visit.sa_mask);
    if (where == AT_THE_INSTRUCTION || where == BEHIND_A_HANDLER)
        sigaddset(&action.sa_mask, SIGURG);
    if (where == BEHIND_A_HANDLER) {
        sigaddset(&action.sa_mask, SIGUSR1);
        visit.sa_handler = on_step_behind;
    }
    ck_assert_int_eq(sigaction(SIGTRAP, &action, NULL), 0);
    ck_assert_int_eq(sigaction(SIGUSR1, &visit, NULL), 0);
}

/* Returns how many instructions it took. */
__attribute__((noinline)) static int step_through(void (*run)(void), int target)
{
    trace.step = 0;
    trace.target = target;
    trace.asked = trace.was_inside = trace.at_once = trace.in_handler = trace.before_store = false;
    trace.left_inside = false;
    if (target == UNSTEPPED) {
        run();
        return 0;
    }
    CHANGE_FLAGS("orq $0x100");
    run();
    CHANGE_FLAGS("andq $-257");
    return trace.step;
}

/* ---- who asks ---- */

static void *ask_when_told(void *unused)
{
    struct tri__handshake_report report;
    uint32_t now;

    tri__mutator_forbid();
    while ((now = tri__load_acquire(&turn)) != 2) { /* acq <- rel in ask_here() */
        if (now == 0) {
            tri__os_sleep(1);
            continue;
        }
        tri__store_relaxed(&turn, 0);
        tri__handshake(requested, &report);
        tri__fetch_add_acqrel(&done, 1);
    }
    return unused;
}

static pthread_t asker;

static void start(void)
{
    start_quiet();
    tri__store_relaxed(&turn, 0);
    catch_traps();
    ck_assert_int_eq(pthread_create(&asker, NULL, ask_when_told, NULL), 0);
}

static void stop(void)
{
    tri__store_release(&turn, 2);
    ck_assert_int_eq(pthread_join(asker, NULL), 0);
    (tri_shutdown)(); /* unchecked: no sweep has followed the marks that were announced */
}

/* ---- one operation, asked at one instruction ---- */

static bool shades(const struct shaded *shaded, const void *p)
{
    size_t i = 0;

    while (i < shaded->count && shaded->entries[i] != (uintptr_t)p)
        i++;
    return i < shaded->count;
}

static bool is_black(const void *p)
{
    struct tri__ref ref;

    return tri__locate((uintptr_t)p, &ref) && *ref.colour == tri__cache_colour(&own_writer()->cache);
}

static void expect_stored(const struct operation *operation, const struct shaded *shaded, int target)
{
    bool marking = trace.phase_before != TRI__BARRIER_IDLE || trace.before_store;

    if (holder->next != new_value || (operation->swaps && result != old_value))
        ck_abort_msg("%s, instruction %d: wrong value", operation->name, target);
    if (requested == TRI__REQUEST_RELEASE || !marking)
        return;
    if (!shades(shaded, old_value) || !shades(shaded, new_value))
        ck_abort_msg("%s, instruction %d: shaded too little", operation->name, target);
}

/* Each slot is given out once; what is born in a mark, or was there when the stack was scanned,
 * outlives it. */
static void expect_allocated(const struct shaded *shaded, int target)
{
    node *mine = result;

    ck_assert_ptr_nonnull(mine);
    if (mine->next != NULL || mine->other != NULL || mine->key != 0)
        ck_abort_msg("allocate, instruction %d: not zero", target);
    if (tri_object_base(mine) != mine)
        ck_abort_msg("allocate, instruction %d: no object", target);
    if (requested == TRI__REQUEST_SCAN && !is_black(mine) && !shades(shaded, mine))
        ck_abort_msg("allocate, instruction %d: born white, and not shaded", target);
    for (int i = 0; i < 1000; i++)
        if (tri_new(node) == mine)
            ck_abort_msg("allocate, instruction %d: given out twice", target);
}

static void enter_phase(enum tri__request next)
{
    if (next != TRI__REQUEST_ARM)
        begin_mark(next == TRI__REQUEST_SCAN ? TRI__BARRIER_UNSCANNED : TRI__BARRIER_SCANNED);
    else
        tri__buffers_open();
}

static void leave_phase(void)
{
    ck_assert(tri__buffers_close());
    if (tri__self->barrier != TRI__BARRIER_IDLE)
        ask_all(TRI__REQUEST_RELEASE);
    tri__buffer_discard_full();
}

static void await_done(uint32_t before)
{
    while (tri__load_acquire(&done) == before)
        tri_safepoint();
}

/* Returns how many instructions the operation took. */
static int run_once(const struct operation *operation, int target)
{
    uint32_t before = tri__load_acquire(&done);
    int steps;

    old_value = tri_new(node);
    new_value = tri_new(node);
    holder = tri_new(node);
    tri_memmove(&holder->next, &old_value, sizeof holder->next);
    enter_phase(requested);
    trace.phase_before = tri__self->barrier;
    steps = step_through(operation->run, target);
    if (trace.asked) {
        if (is_asked())
            ck_abort_msg("%s, instruction %d: not answered at the end", operation->name, target);
        await_done(before);
        if (operation->stores)
            expect_stored(operation, take_shaded(), target);
        else
            expect_allocated(take_shaded(), target);
    }
    leave_phase();
    return steps;
}

static const enum tri__request requests[] = {TRI__REQUEST_ARM, TRI__REQUEST_SCAN,
                                             TRI__REQUEST_FLUSH, TRI__REQUEST_RELEASE};
#define REQUESTS (int)(sizeof requests / sizeof requests[0])

/* At how many instructions inside a window was answered: at once, or while a handler ran there. */
struct answers {
    unsigned at_once, in_handler;
};

static struct answers run_all(const struct operation *operation)
{
    struct answers inside = {0, 0};
    int steps;

    run_once(operation, UNSTEPPED); /* the first run is longer */
    steps = run_once(operation, NOWHERE);
    ck_assert_int_gt(steps, 3);
    for (int target = 0; target < steps; target += target < EACH ? 1 : 1 + steps / SOME) {
        run_once(operation, target);
        inside.at_once += trace.was_inside && trace.at_once;
        inside.in_handler += trace.was_inside && trace.in_handler;
    }
    return inside;
}

/* The operation and the request of that number, at each instruction. */
static void expect_answers(int number, bool in_handler)
{
    const struct operation *operation = &operations[number / REQUESTS];
    struct answers inside;

    start();
    requested = requests[number % REQUESTS];
    inside = run_all(operation);
    if (requested == TRI__REQUEST_ARM || !operation->stores) /* the slow half is no such window */
        ck_assert_uint_ge(in_handler ? inside.in_handler : inside.at_once, operation->inside);
    stop();
}

START_TEST(each_instruction_answers)
{
    expect_answers(_i, false);
}
END_TEST

/* The handler's context, to which it will return, is set back. */
START_TEST(each_instruction_answers_in_a_handler)
{
    where = IN_A_HANDLER;
    expect_answers(_i, true);
}
END_TEST

/* Its return address lies below the stack pointer by now, in the red zone, and its frame above. */
START_TEST(each_instruction_answers_behind_a_handler)
{
    where = BEHIND_A_HANDLER;
    expect_answers(_i, false);
}
END_TEST

/* The context of the first handler lies below that of the second, which runs on an array in a frame
 * above both. */
START_TEST(each_instruction_answers_in_two_handlers)
{
    _Alignas(64) char local[64 << 10];
    stack_t alternate = {.ss_sp = local, .ss_size = sizeof local}, before;
    const struct operation *operation = &operations[_i];

    where = IN_TWO_HANDLERS;
    ck_assert_int_eq(sigaltstack(&alternate, &before), 0);
    start();
    requested = TRI__REQUEST_ARM;
    ck_assert_uint_ge(run_all(operation).in_handler, operation->inside);
    stop();
    ck_assert_int_eq(sigaltstack(&before, NULL), 0);
}
END_TEST

/* Returns when the thread was asked, and has answered, inside a frame that does not touch what has
 * been there before. */
__attribute__((noinline)) static void be_asked_in_a_hole(void)
{
    volatile char hole[32 << 10];
    uint32_t before = tri__load_acquire(&done);

    __asm__ volatile("" : : "r"(hole) : "memory");
    tri__store_release(&turn, 1); /* rel -> acq in ask_when_told() */
    while (tri__load_acquire(&done) == before)
        tri__os_sleep(1000);
}

/* A handler that has returned leaves the address on the stack that it had interrupted. */
START_TEST(what_a_handler_has_left_behind_holds_nobody)
{
    start();
    requested = TRI__REQUEST_ARM;
    old_value = tri_new(node);
    new_value = tri_new(node);
    holder = tri_new(node);
    enter_phase(requested);
    step_through(store, LEAVE_INSIDE);
    ck_assert(trace.left_inside);
    be_asked_in_a_hole();
    leave_phase();
    stop();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("window");
    TCase *steps = tcase_create("steps"), *nested = tcase_create("nested");
    tcase_set_timeout(steps, 60);
    tcase_add_loop_test(steps, each_instruction_answers, 0, OPERATIONS * REQUESTS);
    suite_add_tcase(suite, steps);
    tcase_set_timeout(nested, 60);
    tcase_add_loop_test(nested, each_instruction_answers_in_a_handler, 0, OPERATIONS * REQUESTS);
    tcase_add_loop_test(nested, each_instruction_answers_behind_a_handler, 0, OPERATIONS * REQUESTS);
    tcase_add_loop_test(nested, each_instruction_answers_in_two_handlers, 0, OPERATIONS);
    tcase_add_test(nested, what_a_handler_has_left_behind_holds_nobody);
    suite_add_tcase(suite, nested);
    return run_suite(suite);
}

#else

int main(void) { return SKIPPED; }

#endif
