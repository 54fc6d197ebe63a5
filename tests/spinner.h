/* SPDX-License-Identifier: MIT */
/* tests/spinner.h: threads that run without ever coming to a safepoint, and hold an object where
 * only a signal handler can see it.
 *
 * The address is hidden (collected.h) but for the time of the spin. */
#ifndef TRI__TESTS_SPINNER_H
#define TRI__TESTS_SPINNER_H

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>

#include "base/atomic.h"
#include "base/os.h"
#include "collected.h"

typedef struct spun {
    struct spun *next;
    uintptr_t key;
} spun;
TRI_TYPE(spun, next);

enum { SPUN_KEY = 0x5b1f };

struct spinner {
    pthread_t thread;
    uintptr_t (*spin)(uintptr_t hidden, const uint32_t *stop); /* returns `hidden` */
    struct hidden object;
    uint32_t tid;     /* atomic: 0: does not spin yet */
    uint32_t stop;    /* atomic */
    uint32_t polite;  /* comes to a safepoint when told to stop, and then ends */
    int error;        /* what errno is left at */
    void *(*prepare)(struct spinner *self); /* before it attaches; may be NULL */
    void *prepared;
};

/* ---- where the object is ---- */

#if defined(__x86_64__)

enum { SPINNERS_CAN_HIDE = 1 };

#define SPIN "1:\tpause\n\tcmpl $0, (%[stop])\n\tje 1b\n\t"

static __attribute__((noinline, unused)) uintptr_t spin_in_register(uintptr_t hidden, const uint32_t *stop)
{
    __asm__ volatile("notq %[hidden]\n\t" SPIN "notq %[hidden]"
                     : [hidden] "+r"(hidden)
                     : [stop] "r"(stop)
                     : "cc", "memory");
    return hidden;
}

static __attribute__((noinline, unused)) uintptr_t spin_in_vector(uintptr_t hidden, const uint32_t *stop)
{
    __asm__ volatile("notq %[hidden]\n\tmovq %[hidden], %%xmm14\n\t"
                     "pslldq $8, %%xmm14\n\tnotq %[hidden]\n\t" SPIN "pxor %%xmm14, %%xmm14"
                     : [hidden] "+r"(hidden)
                     : [stop] "r"(stop)
                     : "cc", "memory", "xmm14");
    return hidden;
}

/* The upper half of a 256-bit register; of a 128-bit one where there is none. */
static __attribute__((noinline, unused)) uintptr_t spin_in_wide_vector(uintptr_t hidden,
                                                               const uint32_t *stop)
{
    if (!__builtin_cpu_supports("avx"))
        return spin_in_vector(hidden, stop);
    __asm__ volatile("notq %[hidden]\n\tvmovq %[hidden], %%xmm13\n\t"
                     "vperm2f128 $8, %%ymm13, %%ymm13, %%ymm13\n\tnotq %[hidden]\n\t" SPIN
                     "vzeroupper"
                     : [hidden] "+r"(hidden)
                     : [stop] "r"(stop)
                     : "cc", "memory", "xmm13");
    return hidden;
}

/* The last word of it. A leaf may keep words there: what was there is put back. */
static __attribute__((noinline, unused)) uintptr_t spin_in_red_zone(uintptr_t hidden, const uint32_t *stop)
{
    uintptr_t saved;

    __asm__ volatile("movq -128(%%rsp), %[saved]\n\t"
                     "notq %[hidden]\n\tmovq %[hidden], -128(%%rsp)\n\tnotq %[hidden]\n\t" SPIN
                     "movq %[saved], -128(%%rsp)"
                     : [hidden] "+r"(hidden), [saved] "=&r"(saved)
                     : [stop] "r"(stop)
                     : "cc", "memory");
    return hidden;
}

#else

enum { SPINNERS_CAN_HIDE = 0 };

static __attribute__((noinline, unused)) uintptr_t spin_in_register(uintptr_t hidden, const uint32_t *stop)
{
    uintptr_t object = ~hidden;

    while (tri__load_relaxed(stop) == 0)
        __asm__ volatile("" : "+r"(object));
    return ~object;
}

#define spin_in_vector spin_in_register
#define spin_in_wide_vector spin_in_register
#define spin_in_red_zone spin_in_register

#endif

/* Nowhere: the object is to die. */
static __attribute__((noinline, unused)) uintptr_t spin_with_nothing(uintptr_t hidden,
                                                                     const uint32_t *stop)
{
    while (tri__load_relaxed(stop) == 0)
        __asm__ volatile("" : : : "memory");
    return hidden;
}

/* ---- the thread ---- */

static __attribute__((noinline, unused)) struct hidden new_spun(void)
{
    spun *fresh = tri_new(spun);

    ck_assert_ptr_nonnull(fresh);
    fresh->key = SPUN_KEY;
    return hide(fresh);
}

static void *spinner_main(void *argument)
{
    struct spinner *self = argument;
    stack_t alternate;

    ck_assert_int_eq(sigaltstack(NULL, &alternate), 0); /* a sanitizer's, which it looks for later */
    if (self->prepare != NULL)
        self->prepared = self->prepare(self);
    self->object = new_spun();
    clear_stack();
    errno = 4711;
    tri__store_release(&self->tid, tri__os_tid()); /* rel -> acq in spinner_start() */
    self->object.bits = self->spin(self->object.bits, &self->stop);
    self->error = errno;
    ck_assert_int_eq(sigaltstack(&alternate, NULL), 0);
    if (self->polite != 0)
        tri_safepoint();
    return NULL;
}

static inline void spinner_start(struct spinner *spinner)
{
    ck_assert_int_eq(pthread_create(&spinner->thread, NULL, spinner_main, spinner), 0);
    while (tri__load_acquire(&spinner->tid) == 0) /* acq <- rel in spinner_main() */
        tri__os_sleep(100000);
}

static inline bool spinner_keeps(const struct spinner *spinner)
{
    const spun *object = reveal(spinner->object);

    return tri_object_base(object) == object && object->key == SPUN_KEY;
}

static inline void spinner_stop(struct spinner *spinner)
{
    tri__store_relaxed(&spinner->stop, 1);
    TRI_BLOCKING
        pthread_join(spinner->thread, NULL);
}

/* ---- cycles ---- */

static inline void collect_times(int n)
{
    for (int i = 0; i < n; i++)
        tri_collect();
}

struct collection {
    pthread_t thread;
    int times;
    uint32_t over; /* atomic */
};

static inline void *collection_main(void *argument)
{
    struct collection *self = argument;

    collect_times(self->times);
    tri__store_release(&self->over, 1); /* rel -> acq in collection_is_over() */
    return NULL;
}

static inline void collection_start(struct collection *collection, int times)
{
    *collection = (struct collection){.times = times};
    ck_assert_int_eq(pthread_create(&collection->thread, NULL, collection_main, collection), 0);
}

static inline bool collection_is_over(const struct collection *collection)
{
    return tri__load_acquire(&collection->over) != 0; /* acq <- rel in collection_main() */
}

static inline void collection_join(struct collection *collection)
{
    TRI_BLOCKING
        pthread_join(collection->thread, NULL);
}

#endif
