/* SPDX-License-Identifier: MIT */
/* stress/rows.c: what a bulk barrier with one half missing would lose.
 *
 * As stress/patterns.c, for rows of objects at a time: they are hidden where no marker looks, at a
 * moment when only a bulk barrier saves them, and looked at after the sweep. */
#include <string.h>

#include "stress/bulk.h"
#include "stress/moments.h"
#include "stress/objects.h"

#define ROW 24u
#define ROWS (1500u / SLOWDOWN)
#define MOVES 60u
#define MAIL 16u
#define HELD 8u /* rows on the stack */
#define WINDOW_NS UINT64_C(3000000)

/* Born black, so that a marker never looks into it. */
typedef struct crate {
    void *p[ROW];
    struct crate *next;
    uint64_t want[ROW], index;
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

static void check_row(struct worker *worker, void *const *p, const uint64_t *want,
                      const char *where)
{
    for (size_t i = 0; i < ROW; i++)
        check_slot(worker, (slot){p[i], want[i]}, where);
}

static void check_crates(struct worker *worker, const crate *chain, const char *where)
{
    for (; chain != NULL; chain = chain->next) {
        if (tri_object_base(chain) != chain)
            lost(worker, (slot){chain->p[0], chain->want[0]}, where,
                 "that the crate it was in, at %p, had been freed", (const void *)chain);
        check_row(worker, chain->p, chain->want, where);
    }
}

/* --- needs the old-value half ----------------------------------------------------------------- */

/* A row: pointers to tokens, whose ids stand in the tokens. */
static void **row_new(struct worker *worker)
{
    void **row = tri_new_ptrs(ROW);

    if (row == NULL)
        give_up("out of memory");
    for (size_t i = 0; i < ROW; i++)
        tri_init_store(&row[i], token_new(worker).p);
    return row;
}

void rows_init(struct worker *worker, struct rows *rows)
{
    void ***all = (void ***)tri_new_ptrs(ROWS);

    if (all == NULL)
        give_up("out of memory");
    rows->rows = all;
    rows->mark_ns = 1000000;
    for (size_t i = 0; i < ROWS; i++)
        tri_init_store(&all[i], row_new(worker));
}

static uint64_t want_of_token(const void *p)
{
    return p == NULL ? 0 : want_of(TOKEN, ((const token *)p)->id);
}

void rows_check(struct worker *worker, const struct rows *rows)
{
    for (size_t i = 0; i < ROWS; i++)
        for (size_t k = 0; k < ROW; k++)
            check_slot(worker, (slot){rows->rows[i][k], want_of_token(rows->rows[i][k])}, "a row");
}

/* Clears the row: now only a crate that no marker looks into leads to what was in it. */
static crate *hide_row(struct worker *worker, struct rows *rows, crate *chain)
{
    size_t i = below(worker, ROWS);
    crate *hiding = crate_new();
    void **row = rows->rows[i];

    if (row[0] == NULL)
        return chain;
    for (size_t k = 0; k < ROW; k++) {
        tri_init_store(&hiding->p[k], row[k]);
        hiding->want[k] = want_of_token(row[k]);
    }
    hiding->index = i;
    tri_init_store(&hiding->next, chain);
    tri_memclr(row, ROW * sizeof row[0]);
    return hiding;
}

__attribute__((noinline)) static crate *hide_many(struct worker *worker, struct rows *rows)
{
    struct moves moves = moves_from_now(rows->mark_ns, MOVES);
    crate *chain = NULL;

    while (await_move(worker, &moves))
        chain = hide_row(worker, rows, chain);
    rows->mark_ns = await_last_move(worker, &moves);
    return chain;
}

static void put_back(struct rows *rows, const crate *chain)
{
    for (; chain != NULL; chain = chain->next)
        tri_copy_array(rows->rows[chain->index], chain->p, &tri_type_ptr, ROW);
}

static void hide(struct worker *worker, struct rows *rows)
{
    crate *chain;

    worker->act = "hide rows";
    if (!await_scan(worker))
        return;
    chain = hide_many(worker, rows);
    await_sweep(worker);
    check_crates(worker, chain, "a crate that hides a row");
    put_back(rows, chain);
}

/* --- needs the new-value half ----------------------------------------------------------------- */

void rows_offer(struct worker *worker)
{
    size_t i = below(worker, MAIL);
    crate *none = NULL;

    if (barrier_state() == TRI__BARRIER_SCANNED &&
        __atomic_load_n(&mail[i], __ATOMIC_RELAXED) == NULL)
        tri_compare_exchange(&mail[i], &none, crate_new());
}

/* Moves rows from the stack into crates that other threads offer; no safepoint in here. */
__attribute__((noinline)) static crate *fill_crates(void *held[HELD][ROW], uint64_t want[HELD][ROW])
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
        memcpy(box->want, want[count], sizeof box->want);
        tri_memcpy(box->p, held[count], sizeof box->p);
        tri_store(&box->next, chain);
        memset(held[count], 0, sizeof held[count]);
        count++;
        chain = box;
    }
    on_the_stack(held);
    return chain;
}

static void make_rows(struct worker *worker, void *held[HELD][ROW], uint64_t want[HELD][ROW])
{
    for (size_t i = 0; i < HELD; i++)
        for (size_t k = 0; k < ROW; k++) {
            slot value = token_new(worker);

            held[i][k] = value.p;
            want[i][k] = value.want;
        }
}

/* A thread that has not been scanned hides what it holds in black memory of one that has: marking
 * it then is the job of the new-value half. */
static void early_black(struct worker *worker)
{
    void *held[HELD][ROW];
    uint64_t want[HELD][ROW];
    crate *chain;

    worker->act = "early black rows";
    make_rows(worker, held, want);
    on_the_stack(held);
    if (!await_request(worker, TRI__BARRIER_UNSCANNED))
        return;
    for (size_t i = 0; i < MAIL; i++)
        tri_exchange(&mail[i], (crate *)NULL);
    chain = fill_crates(held, want);
    scrub_stack();
    tri_safepoint();
    if (barrier_state() == TRI__BARRIER_UNSCANNED)
        await_state(worker, TRI__BARRIER_SCANNED, true);
    await_sweep(worker);
    check_crates(worker, chain, "a crate filled by a thread not yet scanned");
}

void act_rows(struct worker *worker, struct rows *rows)
{
    if (!hurrying())
        return;
    if (chance(worker, 40))
        early_black(worker);
    else
        hide(worker, rows);
}
