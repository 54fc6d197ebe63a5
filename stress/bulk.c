/* SPDX-License-Identifier: MIT */
/* stress/bulk.c: threads that move, clear and fill ranges of arrays while cycles run back to back;
 * nothing but bulk operations (and first stores) changes what has pointers. See stress/driver.h for
 * how it is called. */
#include "stress/bulk.h"

#include "stress/driver.h"
#include "stress/fields.h"

static void begin(struct worker *worker)
{
    (void)worker;
    fields_init();
}

static void work(struct worker *worker)
{
    struct rows rows;

    rows_init(worker, &rows);
    while (!stopping()) {
        for (uint64_t left = 20 + below(worker, 200); left > 0 && !stopping(); left--) {
            act_range(worker);
            rows_offer(worker);
        }
        act_rows(worker, &rows);
    }
    rows_check(worker, &rows);
}

int main(int argc, char **argv)
{
    static const struct stress bulk = {"bulk", begin, work, NULL, fields_end};

    return stress_main(argc, argv, &bulk);
}
