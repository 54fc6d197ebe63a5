/* SPDX-License-Identifier: MIT */
/* stress/patterns.c: what a collector with one half of its protocol missing would lose.
 *
 * Each pattern hides objects from the marker in a way that is within the rules, at the moment when
 * only one part of the protocol saves them, and looks at them after the sweep. To find that moment
 * the thread looks at its own barrier state, which no other program should do. See:
 * docs/invariants.md. */
#include "stress/acts.h"
#include "stress/moments.h"

#include <stddef.h>

#define HOARD (12000u / SLOWDOWN)
#define MOVES 150u /* less than a barrier buffer holds, with what two scans of the stack add */
#define HELD 64u
#define BORN 200u
#define MAIL 16u
#define WINDOW_NS UINT64_C(3000000) /* to wait, without answering, for what others should do */

/* Objects are hidden in crates that are born black: a marker never looks into them. */
typedef struct crate {
    void *p;
    struct crate *next;
    uint64_t want, index;
} crate;
TRI_TYPE(crate, p, next);

TRI_ROOT static crate *mail[MAIL]; /* atomic: exchanged */

static crate *crate_new(void)
{
    crate *fresh = tri_new(crate);

    if (fresh == NULL)
        give_up("out of memory");
    return fresh;
}

static void check_crates(struct worker *worker, const crate *chain, const char *where)
{
    for (; chain != NULL; chain = chain->next) {
        slot value = {chain->p, chain->want};

        if (tri_object_base(chain) != chain)
            lost(worker, value, where, "that the box it was in, at %p, had been freed",
                 (const void *)chain);
        check_slot(worker, value, where);
    }
}

/* --- needs H1, and the new-value half --------------------------------------------------------- */

void pattern_offer(struct worker *worker)
{
    size_t i = below(worker, MAIL);
    crate *none = NULL;

    if (barrier_state() == TRI__BARRIER_SCANNED &&
        __atomic_load_n(&mail[i], __ATOMIC_RELAXED) == NULL)
        tri_compare_exchange(&mail[i], &none, crate_new());
}

static void empty_mail(void)
{
    for (size_t i = 0; i < MAIL; i++)
        tri_exchange(&mail[i], (crate *)NULL);
}

/* Moves objects from the stack into crates that other threads offer; no safepoint in here. */
__attribute__((noinline)) static crate *fill_crates(slot *held)
{
    uint64_t end = now_ns() + WINDOW_NS;
    crate *chain = NULL;
    size_t count = 0;

    for (size_t i = 0; count < HELD && now_ns() < end; i++) {
        crate *box = tri_exchange(&mail[i % MAIL], (crate *)NULL);

        if (box == NULL) {
            if (i % MAIL == 0)
                pause_shortly();
            continue;
        }
        box->want = held[count].want;
        tri_store(&box->p, held[count].p);
        tri_store(&box->next, chain);
        chain = box;
        held[count++] = nothing;
    }
    on_the_stack(held);
    return chain;
}

/* A thread that has not been scanned hides what it holds in a black object of one that has: marking
 * it then is the job of the new-value half; and that it does so before anybody has black objects is
 * the job of H1. */
static void early_black(struct worker *worker)
{
    slot held[HELD];
    crate *chain;

    for (size_t i = 0; i < HELD; i++)
        held[i] = token_new(worker);
    worker->act = "early black";
    if (!await_request(worker, chance(worker, 50) ? TRI__BARRIER_UNSCANNED : TRI__BARRIER_IDLE))
        return;
    empty_mail();
    chain = fill_crates(held);
    scrub_stack();
    tri_safepoint();
    if (barrier_state() == TRI__BARRIER_UNSCANNED)
        await_state(worker, TRI__BARRIER_SCANNED, true);
    await_sweep(worker);
    check_crates(worker, chain, "a crate filled by a thread not yet scanned");
}

/* --- needs the old-value half, and partly filled buffers -------------------------------------- */

void hoard_init(struct worker *worker, struct hoard *hoard)
{
    void **boxes = tri_new_ptrs(HOARD);

    if (boxes == NULL)
        give_up("out of memory");
    hoard->mark_ns = 1000000;
    hoard->boxes = boxes;
    for (size_t i = 0; i < HOARD; i++) {
        slot value = token_new(worker), *box = tri_new(slot);

        if (box == NULL)
            give_up("out of memory");
        tri_init_store(&box->p, value.p);
        box->want = value.want;
        tri_init_store(&boxes[i], (void *)box);
    }
}

void hoard_check(struct worker *worker, const struct hoard *hoard)
{
    for (size_t i = 0; i < HOARD; i++)
        check_slot(worker, *(slot *)hoard->boxes[i], "a hoard");
}

/* Takes an object out of its box: now only a crate that no marker looks into leads to it. */
static crate *hide_one(struct worker *worker, struct hoard *hoard, crate *chain)
{
    size_t i = below(worker, HOARD);
    crate *hiding = crate_new();
    slot *box = hoard->boxes[i];

    if (box->p == NULL)
        return chain;
    tri_init_store(&hiding->p, box->p);
    tri_init_store(&hiding->next, chain);
    hiding->want = box->want;
    hiding->index = i;
    tri_store(&box->p, NULL);
    return hiding;
}

__attribute__((noinline)) static crate *hide_many(struct worker *worker, struct hoard *hoard)
{
    struct moves moves = moves_from_now(hoard->mark_ns, MOVES);
    crate *chain = NULL;

    while (await_move(worker, &moves))
        chain = hide_one(worker, hoard, chain);
    hoard->mark_ns = await_last_move(worker, &moves);
    return chain;
}

static void put_back(struct hoard *hoard, const crate *chain)
{
    for (; chain != NULL; chain = chain->next) {
        slot *box = hoard->boxes[chain->index];

        tri_store(&box->p, chain->p);
    }
}

static void hide(struct worker *worker, struct hoard *hoard)
{
    crate *chain;

    worker->act = "hide";
    if (!await_scan(worker))
        return;
    chain = hide_many(worker, hoard);
    await_sweep(worker);
    check_crates(worker, chain, "a crate that hides what was in a hoard");
    put_back(hoard, chain);
}

/* --- needs allocate-black --------------------------------------------------------------------- */

__attribute__((noinline)) static crate *bear(struct worker *worker)
{
    crate *chain = NULL;

    for (size_t i = 0; i < BORN; i++) {
        slot value = token_new(worker);
        crate *fresh = crate_new();

        tri_init_store(&fresh->p, value.p);
        tri_init_store(&fresh->next, chain);
        fresh->want = value.want;
        chain = fresh;
    }
    return chain;
}

/* Answers, while the mark goes on, so many requests: each asks whether it is over. */
static bool answer_last_requests(unsigned count)
{
    uint64_t end = now_ns() + MOMENT_NS;

    while (count > 0 && barrier_state() == TRI__BARRIER_SCANNED) {
        bool asked = is_asked();

        if (stopping() || now_ns() > end)
            return false;
        tri_safepoint();
        count -= asked;
    }
    return barrier_state() == TRI__BARRIER_SCANNED;
}

/* What is born between the last look at the thread's stack and the sweep has nothing but its
 * colour. */
static void late_birth(struct worker *worker)
{
    crate *chain;

    if (!await_scan(worker) || !answer_last_requests(1 + (unsigned)below(worker, 2)))
        return;
    chain = bear(worker);
    await_sweep(worker);
    check_crates(worker, chain, "what was born at the end of a mark");
}

/* All others sleep, so that the attempt to end the mark which this thread has just answered is the
 * last one. */
static void late_births(struct worker *worker)
{
    worker->act = "late birth";
    if (!gate_close(worker))
        return;
    for (int i = 0; i < 3 && !stopping(); i++)
        late_birth(worker);
    gate_open();
}

/* --- needs bounds ----------------------------------------------------------------------------- */

/* As many stores as can be made, none of which changes anything for long. */
static void store_storm(struct worker *worker)
{
    node *left = node_new(worker, 1), *right = node_new(worker, 1), *middle = node_new(worker, 2);

    worker->act = "store storm";
    for (int i = 0; i < 20; i++) {
        for (int k = 0; k < 1000; k++) {
            tri_store(&middle->slots[0].p, (void *)left);
            tri_store(&middle->slots[0].p, (void *)right);
        }
        tri_safepoint();
    }
    set_word(&middle->slots[0].want, want_of(NODE, right->id));
    check_slot(worker, middle->slots[0], "the end of a storm");
    check_node(worker, left, id_of(want_of(NODE, left->id)), "the end of a storm");
}

void act_pattern(struct worker *worker, struct hoard *hoard)
{
    unsigned kind = (unsigned)below(worker, 100);

    if (kind >= 90 || !hurrying())
        store_storm(worker);
    else if (kind < 40)
        early_black(worker);
    else if (kind < 85)
        hide(worker, hoard);
    else
        late_births(worker);
}
