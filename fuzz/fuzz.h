/* SPDX-License-Identifier: MIT */
/* fuzz/fuzz.h: what every harness has: the function that is given one input, and the input as a
 * sequence of bytes, numbers and choices. An input that has ended goes on with zeros. */
#ifndef TRI__FUZZ_FUZZ_H
#define TRI__FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "tests/layouts.h"

/* Called once an input, by libFuzzer or by replay.c; returns 0. It leaves nothing behind: what an
 * input does must not depend on those before it. A finding aborts. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct input {
    struct choices choices; /* first: choose() gets a pointer to it */
    const uint8_t *at, *end;
};

static inline uint64_t input_number(struct input *input, unsigned bytes)
{
    uint64_t number = 0;

    for (unsigned i = 0; i < bytes && input->at < input->end; i++)
        number |= (uint64_t)*input->at++ << 8 * i;
    return number;
}

/* Takes no more bytes than the limit is worth. */
static inline uint64_t input_choice(struct choices *choices, uint64_t limit)
{
    unsigned bytes = 1;

    while (limit != 0 && bytes < 8 && (limit - 1) >> 8 * bytes != 0)
        bytes++;
    if (limit == 0)
        return input_number((struct input *)(void *)choices, 8);
    return input_number((struct input *)(void *)choices, bytes) % limit;
}

static inline struct input input_of(const uint8_t *data, size_t size)
{
    return (struct input){{input_choice}, data, data + size};
}

#endif
