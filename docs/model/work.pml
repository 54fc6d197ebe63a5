/* SPDX-License-Identifier: MIT */
/* Shared work and the end of a mark: a coordinator, a further marker that sleeps when there is nothing
 * to do, and a mutator that shades, assists, and answers H3. What is marked is a number of objects: the
 * mutator may make one grey while another is, for a white object is reached through a grey one only.
 *
 * Functions: tri__work_enter, tri__work_leave, tri__work_publish, tri__work_take, tri__work_is_done,
 * tri__work_wait, tri__work_wake, somebody_waits (work.c); quantum, take_on, tri__assist_close
 * (assist.c); tri__marker_enter, tri__marker_work, tri__marker_leave, share (marker.c); finish_work,
 * take_buffers, mark_until_quiet, terminate, take_flushed (cycle.c); help, join_helpers
 * (coordinator.c); tri__buffer_drain_full, tri__buffer_surrender (buffer.c).
 *
 * A chunk holds one object. No wait has an end of its own: the coordinator's 200 us are not needed for
 * anything but speed.
 *
 * What must hold: when the work is done there is none [inv.work.pending]; at the verdict nothing is grey
 * [inv.mark.verdict], and nobody marks after it [inv.assist.closed]; nobody sleeps for ever
 * [inv.work.wake]: a state in which nothing can happen is an error to spin.
 *
 * Options
 *   WHITE=n       objects that are white when the mark begins
 * Changes that do no harm, because a mutator answers H3 between two assists, never within one: between
 * a late assist and the verdict there is its answer, which says all it has marked
 *   WEAK_CLOSE    assists are closed with a release: the store comes late, but before the next update
 *                 that the coordinator makes
 *   NO_FINISH     the coordinator does not wait for assists before H3
 *   LOOK_OUTSIDE  who assists looks whether it may before it is counted
 * Mutants, each of which must fail
 *   NO_COUNT      who looks for work is not counted                       [inv.work.pending]
 *   PUSH_FIRST    a chunk is shared before it is counted                  [inv.work.pending]
 *   KEEP_COUNT    a chunk that was taken still counts as shared           [inv.work.wake]
 *   COUNT_LATE    a marker leaves before it adds what it has marked       [inv.mark.verdict]
 *   NO_EVENT      who wakes does not change the word that is slept on     [inv.work.wake]
 *   NO_WAKE       who shares wakes nobody                                 [inv.work.wake]
 *   LOOK_FIRST    who shares looks for sleepers first                     [inv.work.wake]
 *   SLEEP_FIRST   who sleeps looks at the stack before it is counted      [inv.work.wake]
 *   NO_LAST_WAKE  the last one that leaves wakes nobody                   [inv.work.wake]
 *   NO_LOOK       who assists does not look whether it may                [inv.assist.closed]
 *   ONE_LOOK      what H3 has brought up ends the mark                    [inv.mark.verdict]
 *   NO_FLUSH      the answer to H3 gives no buffer away                   [inv.mark.verdict] */
#ifndef WHITE
#define WHITE 3
#endif

#define COORDINATOR 0
#define HELPER 1
#define MUTATOR 2

byte white = WHITE - 1;
byte mine[3];          /* grey objects in a marker's hands */
bool objects[3];       /* it has marked some since it came */
byte shared;           /* chunks on the stack */
byte pending, waiting;
bool event[3];         /* `events` has changed since the marker read it */
bool marked;           /* the count has changed since the coordinator read it */
byte buffer, given;    /* grey objects in the mutator's buffer, and in those it has given away */
bool asleep[3];
bool open, late_close; /* late_close: the store of 0 has not come yet */
bool asked, stop, verdict, ended[2];
bool busy = true;      /* the mutator may do something of itself still */
bool again;            /* after the verdict the barrier has named a black object once more: who looked at
                        * it now would colour a slot of a swept span */

#define GREY (mine[0] + mine[1] + mine[2] + shared + buffer + given)

/* ---- work.c ---- */

/* Any update of the coordinator's comes after its late store. */
inline settle(p) {
  if
  :: p == COORDINATOR && late_close -> open = false; late_close = false
  :: else
  fi
}

inline wake() {
#ifndef NO_EVENT
  atomic { event[COORDINATOR] = true; event[HELPER] = true };
#endif
  atomic {
    if
    :: waiting != 0 -> asleep[COORDINATOR] = false; asleep[HELPER] = false
    :: else
    fi
  }
}

inline enter(p) {
#ifndef NO_COUNT
  atomic { settle(p); pending++ }
#else
  atomic { settle(p) }
#endif
}

/* The count is raised, the chunk pushed, and then `waiting` looked at: an update of it. */
inline publish(p) {
#ifdef LOOK_FIRST
  bool look = waiting != 0;
#endif
#ifndef PUSH_FIRST
  pending++;
#endif
  atomic { shared++; mine[p]-- };
#ifdef PUSH_FIRST
  pending++;
#endif
#ifdef LOOK_FIRST
  if
  :: look -> wake()
  :: else
  fi
#else
#ifndef NO_WAKE
  if
  :: waiting != 0 -> wake()
  :: else
  fi
#endif
#endif
}

/* The taker is counted itself. */
inline take(p) {
  if
  :: atomic { shared != 0 -> shared--; mine[p]++ };
#ifndef KEEP_COUNT
     pending--
#endif
  :: atomic { else }
  fi
}

inline lower() {
#ifndef NO_COUNT
  atomic { pending--; last = pending == 0 };
#else
  last = pending == 0;
#endif
#ifndef NO_LAST_WAKE
  if
  :: last -> wake()
  :: else
  fi;
#endif
  last = false
}

inline give_back(p) {
  do
  :: mine[p] != 0 -> publish(p)
  :: else -> break
  od
}

inline add_up(p) {
  atomic { marked = marked || objects[p]; objects[p] = false }
}

inline leave(p) {
  give_back(p);
#ifdef COUNT_LATE
  lower(); add_up(p)
#else
  add_up(p); lower()
#endif
}

/* The kernel compares the word and puts the caller to sleep in one step. */
inline sleep_on(p) {
#ifdef SLEEP_FIRST
  if
  :: shared == 0 -> waiting++; atomic { asleep[p] = !event[p] }; !asleep[p]
  :: else -> waiting++
  fi;
#else
  waiting++;
  if
  :: shared == 0 -> atomic { asleep[p] = !event[p] }; !asleep[p]
  :: else
  fi;
#endif
  waiting--
}

/* ---- marker.c ---- */

/* Makes one object black, and some that it points to grey. */
inline scan_one(p) {
  atomic {
    assert(!verdict);
    mine[p]--;
    objects[p] = true;
    if
    :: white != 0 -> white--; mine[p]++
    :: white > 1 -> white = white - 2; mine[p] = mine[p] + 2
    :: true
    fi
  }
}

/* Half of what it has: what it keeps may be marked already, and in no number here. */
inline share(p) {
  if
  :: waiting != 0 && shared == 0 -> publish(p)
  :: true
  fi
}

inline work(p) {
  share(p);
  if
  :: mine[p] != 0 -> scan_one(p)
  :: else
  fi
}

inline drain(p) {
  do
  :: mine[p] != 0 -> work(p)
  :: mine[p] == 0 && shared != 0 -> take(p)
  :: mine[p] == 0 && shared == 0 -> break
  od
}

/* ---- the coordinator ---- */

inline finish_work() {
  do
  :: event[COORDINATOR] = false;
     enter(COORDINATOR); drain(COORDINATOR); leave(COORDINATOR);
     if
     :: pending == 0 -> break
     :: else -> sleep_on(COORDINATOR)
     fi
  od
}

/* The buffers that are there; what one holds is marked before the next one is taken. */
inline take_given() {
  enter(COORDINATOR);
  do
  :: atomic { given != 0 -> given--; mine[COORDINATOR]++ }; drain(COORDINATOR)
  :: given == 0 -> break
  od;
  leave(COORDINATOR);
  finish_work()
}

inline mark_until_quiet() {
  do
  :: marked = false;
     take_given();
     if
     :: !marked -> break
     :: else
     fi
  od
}

inline close_assists() {
#ifdef WEAK_CLOSE
  late_close = true;
#else
  open = false;
#endif
#ifndef NO_FINISH
  finish_work()
#endif
}

inline ask() {
  atomic { settle(COORDINATOR); asked = true };
  !asked
}

active proctype coordinator()
{
  bool last;

  mine[COORDINATOR] = 1; /* from the roots */
  open = true;
  enter(COORDINATOR); drain(COORDINATOR); leave(COORDINATOR);
  do
  :: mark_until_quiet();
     close_assists();
     marked = false;
     ask();
     take_given();
#ifdef ONE_LOOK
     marked = false;
#endif
     if
     :: !marked -> break
     :: else -> atomic { open = true; late_close = false }
     fi
  od;
  atomic { verdict = true; assert(GREY == 0) };
  settle(COORDINATOR);
  stop = true;
  wake();
  ended[0] && ended[1] /* a state in which they cannot end is an error */
}

/* ---- a further marker ---- */

active proctype helper()
{
  bool last;

  do
  :: event[HELPER] = false;
     if
     :: stop -> break
     :: else
     fi;
     if
     :: shared == 0 -> sleep_on(HELPER)
     :: else -> enter(HELPER); drain(HELPER); leave(HELPER)
     fi
  od;
  ended[0] = true
}

/* ---- a mutator ---- */

/* Takes on a buffer, or not; and does some of the work there is, or all of it. */
inline work_some() {
  if
  :: atomic { given != 0 -> given--; mine[MUTATOR]++ }
  :: true
  fi;
  do
  :: mine[MUTATOR] != 0 -> work(MUTATOR)
  :: mine[MUTATOR] == 0 && shared != 0 -> take(MUTATOR)
  :: true -> break
  od
}

inline assist() {
#ifdef LOOK_OUTSIDE
  may = open;
  enter(MUTATOR);
#else
  enter(MUTATOR);
  may = open;
#endif
#ifdef NO_LOOK
  may = true;
#endif
  if
  :: may -> work_some()
  :: else
  fi;
  may = false;
  leave(MUTATOR)
}

/* Its safepoint: the buffer goes with the answer [inv.mark.verdict]. */
inline answer() {
#ifndef NO_FLUSH
  atomic { given = given + buffer; buffer = 0 };
#endif
  asked = false
}

active proctype mutator()
{
  bool last, may;

  do
  :: asked -> answer()
  :: verdict && !asked -> break
  :: busy -> busy = false /* it assists no more: whoever waits for that waits for ever */
  :: atomic { busy && white != 0 && GREY != 0 && !verdict -> white--; buffer++ }
  :: atomic { busy && buffer != 0 -> given = given + buffer; buffer = 0 }
  :: atomic { verdict && !again -> again = true; given++ }
  :: busy -> assist()
  od;
  ended[1] = true
}

/* The store that is late comes at any time. */
#ifdef WEAK_CLOSE
active proctype memory()
{
  do
  :: atomic { late_close -> open = false; late_close = false }
  :: verdict && !late_close -> break
  od
}
#endif
