/* SPDX-License-Identifier: MIT */
/* tests/random.h: random numbers that can be had again.
 *
 * A program prints its seed before anything else and takes it back as its first argument or as
 * TRICOLOR_SEED. Threads: each has a generator of its own, seeded from the program's seed and the
 * thread's number. */
#ifndef TRI__TESTS_RANDOM_H
#define TRI__TESTS_RANDOM_H

#include <errno.h>
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

struct random {
    uint64_t state;
};

/* The splitmix64 sequence: any seed is good, and neighbouring seeds are unlike. */
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Below limit, which is not 0. */
static inline uint64_t random_below(struct random *random, uint64_t limit)
{
    return random_next(random) % limit;
}

static inline struct random random_of(uint64_t seed, uint64_t stream)
{
    struct random random = {seed};
    random.state = random_next(&random) ^ stream;
    return random;
}

static inline uint64_t random_seed_from_clock(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now) != 0)
        return 1;
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* For main: finds the seed and prints it. Ends the program when what it is given is no number. */
static inline uint64_t random_start(int argc, char **argv)
{
    const char *text = argc > 1 ? argv[1] : getenv("TRICOLOR_SEED");
    uint64_t seed = 0;
    if (text != NULL && *text != '\0') {
        char *end;
        errno = 0;
        seed = strtoull(text, &end, 0);
        if (errno != 0 || *end != '\0' || *text == '-') {
            fprintf(stderr, "%s: the seed \"%s\" is no number\n", argv[0], text);
            exit(2);
        }
    } else {
        seed = random_seed_from_clock();
    }
    printf("%s: seed %" PRIu64 "\n", argv[0], seed);
    if (fflush(stdout) != 0)
        exit(2);
    return seed;
}

#endif
