/* SPDX-License-Identifier: MIT */
/* Scanning stacks word by word.
 *
 * The words are read without a sanitizer's instrumentation, and only here. ASan: a scan crosses the
 * red zones between locals. TSan: a thread in TRI_BLOCKING may write to locals of the block (the
 * buffer of a read(), say) while the collector looks at its stack; the words that count, heap
 * pointers it held when it entered, do not change [inv.stack.foreign], and any other value is
 * filtered like every stray word. */
#include "mutator/stack.h"

#include "base/fatal.h"
#include "mutator/context.h"

#if defined(__has_feature)
#define HAS_FEATURE(x) __has_feature(x)
#else
#define HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || HAS_FEATURE(address_sanitizer)
#include <sanitizer/asan_interface.h>

/* With detect_stack_use_after_return ASan keeps locals in frames of its own on the heap; the
 * stack only points to them. */
static bool fake_frame(uintptr_t word, uintptr_t *low, uintptr_t *high)
{
    void *stack = __asan_get_current_fake_stack(), *begin = NULL, *end = NULL;

    if (stack == NULL || __asan_addr_is_in_fake_stack(stack, (void *)word, &begin, &end) == NULL)
        return false;
    *low = (uintptr_t)begin;
    *high = (uintptr_t)end;
    return true;
}
#else
static bool fake_frame(uintptr_t word, uintptr_t *low, uintptr_t *high)
{
    (void)word, (void)low, (void)high;
    return false;
}
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) ||                               \
    HAS_FEATURE(address_sanitizer) || HAS_FEATURE(thread_sanitizer)
#define UNSEEN __attribute__((no_sanitize("address", "thread"), noinline))
#else
#define UNSEEN inline
#endif

UNSEEN static uintptr_t read_word(uintptr_t address)
{
    return *(const volatile uintptr_t *)address;
}

UNSEEN static void write_word(uintptr_t address, uintptr_t word)
{
    *(volatile uintptr_t *)address = word;
}

void tri__stack_words(uintptr_t low, uintptr_t high, tri__buffer_take *take, void *argument)
{
    for (uintptr_t at = low; at < high; at += TRI_WORD) {
        uintptr_t word = read_word(at);

        if (tri__in_heap(word))
            take(word, argument);
    }
}

uintptr_t tri__stack_find(uintptr_t low, uintptr_t high, uintptr_t word)
{
    uintptr_t at = low & ~(uintptr_t)(TRI_WORD - 1);

    while (at < high && read_word(at) != word)
        at += TRI_WORD;
    return at < high ? at : 0;
}

bool tri__stack_has(uintptr_t low, uintptr_t high, bool (*matches)(uintptr_t word))
{
    uintptr_t at = low & ~(uintptr_t)(TRI_WORD - 1);

    while (at < high && !matches(read_word(at)))
        at += TRI_WORD;
    return at < high;
}

uintptr_t tri__stack_word(uintptr_t address)
{
    return read_word(address);
}

void tri__stack_change(uintptr_t address, uintptr_t word)
{
    write_word(address, word);
}

void tri__stack_shade(uintptr_t word, void *mutator)
{
    tri__buffer_push(&((struct tri__mutator *)mutator)->writer, word);
}

static void scan_words(struct tri__mutator *mutator, uintptr_t low, uintptr_t high)
{
    tri__stack_words(low, high, tri__stack_shade, mutator);
}

/* The stack proper: also follows words into frames that a sanitizer moved
 * elsewhere. Own thread only. */
static void scan_frames(struct tri__mutator *mutator, uintptr_t low, uintptr_t high)
{
    for (uintptr_t at = low; at < high; at += TRI_WORD) {
        uintptr_t word = read_word(at), frame_low, frame_high;

        if (tri__in_heap(word))
            tri__buffer_push(&mutator->writer, word);
        else if (fake_frame(word, &frame_low, &frame_high))
            scan_words(mutator, frame_low, frame_high);
    }
}

/* A signal handler answers. The stack pointer of what was interrupted may be odd, and lie above what
 * that still uses. */
static void scan_interrupted(struct tri__mutator *self)
{
    uintptr_t low = self->interrupted.pointer - TRI__RED_ZONE;

    low = low > self->stack_end ? low & ~(uintptr_t)(TRI_WORD - 1) : self->stack_end;
    scan_words(self, self->interrupted.low, self->interrupted.high);
    scan_frames(self, low, self->stack_high);
}

bool tri__stack_is_own(const struct tri__mutator *self)
{
    uintptr_t pointer = tri__stack_pointer();

    return pointer >= self->stack_end && pointer < self->stack_high;
}

_Noreturn void tri__stack_is_foreign(const struct tri__mutator *self, const char *what)
{
    tri__fatal("a thread %s on a stack that is not its own: %p is not in %p..%p; "
               "register the stacks of coroutines and switch with tri_stack_switch(), and "
               "do not use the heap in signal handlers",
               what, (void *)tri__stack_pointer(), (void *)self->stack_end,
               (void *)self->stack_high);
}

void tri__stack_must_be_own(const char *what)
{
    const struct tri__mutator *self = tri__mutator_self();

    if (self != NULL && !tri__stack_is_own(self))
        tri__stack_is_foreign(self, what);
}

void tri__stack_scan_own(struct tri__mutator *self)
{
    uintptr_t registers[TRI__SAVED_REGISTERS], pointer = tri__stack_pointer();

    if (self->interrupted.pointer != 0) {
        scan_interrupted(self);
        return;
    }

    if (!tri__stack_is_own(self))
        tri__stack_is_foreign(self, "used the heap");
    tri__registers_read(registers);
    /* From our own frame on: it holds the registers our callers need and we use. */
    scan_frames(self, pointer, self->stack_high);
    scan_words(self, (uintptr_t)registers, (uintptr_t)(registers + TRI__SAVED_REGISTERS));
}

void tri__stack_save(struct tri__registers *registers, uintptr_t low, uintptr_t high)
{
    for (unsigned i = 0; i < TRI__SAVED_FRAME && low + i * TRI_WORD < high; i++)
        registers->frame[i] = read_word(low + i * TRI_WORD);
}

void tri__stack_scan_claimed(struct tri__mutator *mutator)
{
    scan_words(mutator, (uintptr_t)&mutator->registers, (uintptr_t)(&mutator->registers + 1));
    scan_words(mutator, mutator->stack_low, mutator->stack_high);
}
