/* SPDX-License-Identifier: MIT */
/* tests/collected.h: starts the library, and sees what a collection has left.
 *
 * Stacks are scanned conservatively, and compilers leave words on them that nobody asked for. So an
 * object that is to die is hidden from the collector as a number, and tests make many of them and
 * forgive some. */
#ifndef TRI__TESTS_COLLECTED_H
#define TRI__TESTS_COLLECTED_H

#include <check.h>
#include <stdint.h>
#include <string.h>

#include <tricolor.h>

/* No cycle runs unless the test asks for one. */
static inline void start_quiet(void)
{
    tri_config config = TRI_CONFIG_INIT;
    config.gc_percent = -1;
    ck_assert_int_eq(tri_init(&config), 0);
}

static inline tri_stats stats_now(void)
{
    tri_stats stats = TRI_STATS_INIT;
    ck_assert_int_eq(tri_stats_get(&stats), 0);
    return stats;
}

/* An address that no scan takes for a pointer. */
struct hidden {
    uintptr_t bits;
};

static inline struct hidden hide(const void *p)
{
    return (struct hidden){~(uintptr_t)p};
}

static inline void *reveal(struct hidden hidden)
{
    return (void *)~hidden.bits;
}

/* Overwrites what calls that have returned left below the caller's frame. */
static __attribute__((noinline)) void clear_stack(void)
{
    volatile char room[64 << 10];
    memset((char *)room, 0, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
}

static inline void collect(void)
{
    clear_stack();
    tri_collect();
}

/* How many of them are objects still. Only right before anything is allocated after the
 * collection. */
static __attribute__((noinline, unused)) size_t count_objects(const struct hidden *hidden, size_t n)
{
    size_t count = 0;
    for (size_t i = 0; i < n; i++)
        count += tri_object_base(reveal(hidden[i])) != NULL;
    return count;
}

static inline bool is_zero(const void *p, size_t bytes)
{
    const unsigned char *at = p;
    return bytes == 0 || (at[0] == 0 && memcmp(at, at + 1, bytes - 1) == 0);
}

#endif
