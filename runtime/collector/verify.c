/* SPDX-License-Identifier: MIT */
/* Finding missing barriers.
 *
 * At the verdict everything that is reachable is marked, and what is born later is black. So until
 * H4 no thread can get hold of a white object any more, and no word of a marked object, of a root,
 * of a handle or of an arena holds the address of one: at no moment, whatever the program stores
 * meanwhile, if it has told the collector of its stores. That is looked for while the program runs
 * on [inv.verify.barrier]. A word that breaks this was stored plainly, or copied, or has been
 * handed over where the collector does not look; the object would be lost in this cycle. Words on
 * stacks prove nothing: compilers leave old ones there. Threads: the coordinator. */
#include "collector/verify.h"

#include "base/fatal.h"
#include "collector/verify_clobber.h"
#include "collector/verify_layout.h"
#include "collector/verify_path.h"
#include "collector/verify_rule.h"
#include "collector/words.h"
#include "heap/graves.h"
#include "heap/type_notes.h"
#include "heap/watch.h"

#define REPORTS_MOST 20u /* in all; more would hide the first */

static enum tri__verify_barrier mode;
static unsigned missing, told; /* pointers that nobody told of; and how many when that was last said */

/* Before any thread has a block: its barrier rests at what is watched. */
static void watch(const struct tri__options *options)
{
    tri__watched = (options->clobber ? TRI__WATCH_OBJECTS : 0) |
                   (options->blocking ? TRI__WATCH_USES : 0) |
                   (options->barrier != TRI__VERIFY_OFF ? TRI__WATCH_TOLD : 0);
}

int tri__verify_init(const struct tri__options *options)
{
    bool by_type = options->barrier != TRI__VERIFY_OFF || options->layout || options->clobber;
    int error = by_type ? tri__type_notes_init() : 0;

    mode = options->barrier;
    if (mode != TRI__VERIFY_OFF)
        tri__told_reset();
    tri__verify_layout_init(options->layout);
    if (error == 0 && options->clobber)
        error = tri__graves_init();
    if (error == 0)
        watch(options);
    else
        tri__verify_release();
    return error;
}

/* What is not reported is counted: it is said when there are twice as many as before, and at last. */
static void tell_count(unsigned least)
{
    if (missing <= REPORTS_MOST || missing < least)
        return;
    told = missing;
    tri__warn("%u pointers so far that the collector was not told of; the first %u were reported",
              missing, REPORTS_MOST);
}

void tri__verify_release(void)
{
    tell_count(told + 1);
    missing = told = 0;
    tri__watched = 0;
    tri__graves_release();
    tri__type_notes_release();
}

bool tri__verify_is_on(void)
{
    return mode != TRI__VERIFY_OFF;
}

/* ---- messages ---- */

static void report(const struct tri__finding *finding, const struct tri__ref *lost)
{
    const char *rule = tri__broken_rule(finding); /* before the program stores anything else */
    char where[2 * TRI__DESCRIPTION], what[TRI__DESCRIPTION];

    tri__describe_slot(where, finding->slot);
    tri__describe_object(what, lost);
    tri__warn("a barrier is missing: %s holds %#zx, in %s, which the mark has not reached", where,
              (size_t)finding->value, what);
    if (finding->holder->kind == TRI__HOLDER_OBJECT)
        tri__print_path(finding->holder->ref.base);
    tri__print_told(finding);
    if (mode == TRI__VERIFY_ABORT)
        tri__fatal("%s", rule);
    tri__warn("%s", rule);
}

/* ---- the check ---- */

struct check {
    struct tri__marker *marker;
    size_t found;
};

static void check_word(const struct tri__holder *holder, uintptr_t slot, uintptr_t value,
                       void *argument)
{
    struct check *check = argument;
    struct tri__ref lost;

    if (TRI__LIKELY(!tri__is_white(value, &lost)))
        return;
    check->found++;
    if (missing++ < REPORTS_MOST) {
        struct tri__finding finding = {.holder = holder, .slot = slot, .value = value};

        finding.is_known = tri__told_last(slot, &finding.told);
        report(&finding, &lost);
    }
    tri__marker_take(value, check->marker);
}

size_t tri__verify_barriers(struct tri__marker *marker)
{
    struct check check = {marker, 0};

    tri__root_words_each(check_word, &check);
    tri__marked_words_each(check_word, &check);
    tell_count(2 * told);
    return check.found;
}
