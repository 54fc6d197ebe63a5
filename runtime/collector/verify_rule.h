/* SPDX-License-Identifier: MIT */
/* Which rule a program has probably broken that has stored a pointer without telling of it, and who
 * has told of the store before. Guesses, and said to be: what is known of the one word is its
 * value. Threads: the coordinator, between the verdict of a mark and H4. */
#ifndef TRI__COLLECTOR_VERIFY_RULE_H
#define TRI__COLLECTOR_VERIFY_RULE_H

#include "collector/words.h"
#include "heap/told.h"

struct tri__finding {
    const struct tri__holder *holder;
    uintptr_t slot, value;
    struct tri__told told; /* the last store to the owner that was told of */
    bool is_known;         /* there is one */
};

/* The rule and its cure, one sentence each. */
const char *tri__broken_rule(const struct tri__finding *finding);

/* One line: the thread and the phase of `told`. */
void tri__print_told(const struct tri__finding *finding);

#endif
