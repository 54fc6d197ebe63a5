/* SPDX-License-Identifier: MIT */
/* The courier: two threads that pass one errand to and fro. */
#include "collector/courier.h"

#include <pthread.h>

#include "base/futex.h"
#include "base/os.h"
#include "mutator/mutator.h"

/* Whose turn it is, and so who may touch the errand: the courier's while ASKED, else the
 * coordinator's. */
enum { IDLE, ASKED, STOPPED };
static uint32_t turn; /* atomic: each store is a release, each look that changes hands an acquire */

static struct {
    enum tri__request what;
    struct tri__handshake_report *report;
} errand;

static pthread_t courier;

static void pass(uint32_t next)
{
    tri__store_release(&turn, next); /* rel -> acq in await() */
    tri__futex_wake(&turn, 1);
}

/* Sleeps while the turn is `other`; returns what it has become. */
static uint32_t await(uint32_t other)
{
    uint32_t now;

    while ((now = tri__load_acquire(&turn)) == other) /* acq <- rel in pass() */
        tri__futex_wait(&turn, other, 0);
    return now;
}

static void *carry(void *unused)
{
    (void)unused;
    tri__mutator_forbid();
    tri__os_ask_for_short_slice();
    while (await(IDLE) == ASKED) {
        tri__handshake(errand.what, errand.report);
        pass(IDLE);
    }
    return NULL;
}

void tri__courier_handshake(enum tri__request what, struct tri__handshake_report *report)
{
    errand.what = what;
    errand.report = report;
    pass(ASKED);
    await(ASKED);
}

int tri__courier_start(void)
{
    tri__store_relaxed(&turn, IDLE);
    return tri__os_thread_start(&courier, carry, NULL, "tri-courier");
}

void tri__courier_stop(void)
{
    pass(STOPPED);
    pthread_join(courier, NULL);
}
