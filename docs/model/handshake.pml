/* SPDX-License-Identifier: MIT */
/* Handshakes: a coordinator and two threads that run, sleep and wake as they like; one of them also
 * leaves and attaches. Announcements are numbered; number n is of kind KIND(n), in the order of a
 * cycle, and all but arm are settled.
 *
 * Functions: catch_up, tri__handshake_answer, take_request, count_answer, tri__handshake_is_answered,
 * tri__handshake_join_locked, advance_phase_locked, announce_locked, is_answered, ask, begin_asking,
 * ask_running, ask_if_running, await_answers, tri__handshake, act_for, unclaim, needs_nothing,
 * visit_sleeper, tri__handshake_settle (handshake.c); become_blocked, await_unclaimed,
 * become_running (blocking.c); join, tri__mutator_leave (attach.c); tri__registry_each (registry.c).
 *
 * Each access to a shared word is a step of its own. A store that is not sequentially consistent
 * may be seen late: loads find what was there before, until some later step; swaps do not.
 *
 * What must hold
 *   - only one party acts for a thread at a time                         [inv.mutator.claim]
 *   - no thread runs on in an old phase once a round is over              [inv.handshake.dekker]
 *   - once it is settled, every thread has taken the announcement; but in a flush those may be left
 *     out that were scanned asleep, and nobody has work from before it    [inv.handshake.asleep]
 *   - answers are counted once each, and all that are waited for come: no state in which all sleep
 *   - who attaches joins in the new phase, who leaves is not waited for   [inv.registry.phase]
 * Mutants, each of which must fail
 *   WEAK_ANNOUNCE   the store of the announcement may be seen after the look at the states
 *   WEAK_BLOCK      the store of BLOCKED may be seen after the look at the announcement
 *   WEAK_WAKE       the store of RUNNING may be seen after the look at the announcement
 *   WEAK_ANSWER     a thread looks for a request before it stores what it has answered
 *   WEAK_ASK        the coordinator looks at what was answered before it stores the request
 *   WEAK_SCANNED    "scanned asleep" may be seen although the thread has run and sleeps again
 *   NO_LOOK         a thread that blocks does not look for an announcement
 *   NO_CATCH_UP     a thread that wakes does not
 *   NO_TAKE_BACK    the coordinator asks without a look at what was answered
 *   STALE_TAKE      a thread counts an answer although the request may be for a later announcement
 *   PLAIN_CLAIM     the coordinator stores CLAIMED after a look, instead of swapping
 *   PLAIN_WAKE      a thread that wakes stores RUNNING instead of swapping BLOCKED for it
 *   NO_WAKE         the end of a claim does not wake the thread
 *   NO_LAST_WAKE    the last answer does not wake the coordinator
 *   NO_SETTLE       settling is left out
 *   SETTLE_ASLEEP   settling does not wait for threads that have just woken up
 *   SKIP_DIRTY      a flush leaves out all that sleep, scanned there or not
 *   EARLY_PHASE     a thread that attaches takes the phase before it takes the lock
 *   LEAVE_UNASKED   a thread that leaves does not answer what is pending
 *   LEAVE_UNLOCKED  ... or does so before it takes the lock */
#ifndef ROUNDS
#define ROUNDS 3
#endif
#ifndef TURNS_A
#define TURNS_A 1 /* naps of A, and times that it leaves: then it stays where it is */
#endif
#ifndef TURNS_B
#define TURNS_B 2
#endif

mtype = { running, blocked, claimed, awaited };

#define ARM   1
#define SCAN  2
#define FLUSH 3
#define FREE  0
#define KIND(n) ((n) % 4)

#define B 0 /* only sleeps and wakes */
#define A 1 /* leaves and attaches, too */

byte announced, number;     /* as threads see it, and as the coordinator has stored it */
mtype state[2] = running;
bool lags[2];               /* the last store of the state is not to be seen yet by loads */
mtype before[2];            /* what they find instead */
byte answered[2];
bool request[2];
bool scanned[2];            /* scanned asleep, as memory has it */
bool scanned_lags[2];       /* the thread has stored "no", which is not to be seen yet */
byte pending;
bool member[2] = true;
bool reading;               /* the coordinator is among its readers of the table */
bool registry_lock, coordinator_sleeps, thread_sleeps[2];

/* What the assertions speak of. */
byte acting[2];             /* how many act for it */
byte joined[2];             /* the announcement it is in */
byte work[2];               /* 0, or the announcement in which it got what it has not handed over */
bool awake[2];              /* it runs code of its own */
byte over;                  /* the last announcement whose round has ended */

#define SEEN(t) (lags[t] -> before[t] : state[t])

inline lock() { atomic { !registry_lock -> registry_lock = true } }
inline unlock() { registry_lock = false }

/* --- what an answer does --------------------------------------------------------------------- */

/* Whoever acts for thread t brings it into announcement n. A clean sleeper that has not run since
 * has nothing to hand over in a flush. */
inline catch_up(t, n, own) {
  atomic { acting[t]++; assert(acting[t] == 1) };
  atomic {
    if
    :: joined[t] != n && (KIND(n) == SCAN || KIND(n) == FLUSH) ->
       if
       :: KIND(n) == FLUSH && scanned[t] && !scanned_lags[t]
       :: else -> work[t] = 0; scanned[t] = !own; scanned_lags[t] = false
       fi
    :: KIND(n) == FREE -> work[t] = 0; scanned[t] = false; scanned_lags[t] = false
    :: else
    fi;
    joined[t] = n
  };
  acting[t]--
}

inline count() {
  atomic {
    assert(pending > 0);
    pending--;
#ifndef NO_LAST_WAKE
    if
    :: pending == 0 -> coordinator_sleeps = false
    :: else
    fi
#endif
  }
}

inline take(t, counts) {
  atomic {
    counts = counts || request[t];
    request[t] = false
  }
}

inline answer(t) {
  do
  :: n = announced;
     catch_up(t, n, true);
#ifdef WEAK_ANSWER
     take(t, counts);
     answered[t] = n;
#else
     answered[t] = n;
#ifdef STALE_TAKE
     if
     :: request[t] && announced == n -> take(t, counts); break
     :: request[t] && announced != n
     :: !request[t] -> break
     fi
#else
     take(t, counts);
#endif
#endif
#ifndef STALE_TAKE
     if
     :: announced == n -> break
     :: announced != n
     fi
#endif
  od;
  if
  :: counts -> counts = false; count()
  :: else
  fi;
  n = 0
}

inline catch_up_if_needed(t) {
  if
  :: announced != answered[t] -> answer(t)
  :: announced == answered[t]
  fi
}

/* --- a thread -------------------------------------------------------------------------------- */

/* It may load, store and allocate, for which nobody else must be acting. */
inline run_a_bit(t) {
  atomic { acting[t]++; assert(acting[t] == 1); assert(joined[t] >= over); work[t] = joined[t] };
  acting[t]--
}

inline become_blocked(t) {
  do
  :: atomic {
#ifdef WEAK_BLOCK
       before[t] = running; lags[t] = true;
#endif
#ifndef WEAK_SCANNED
       if
       :: scanned_lags[t] -> scanned[t] = false; scanned_lags[t] = false
       :: else
       fi;
#endif
       state[t] = blocked
     };
#ifdef NO_LOOK
     break
#else
     if
     :: announced == answered[t] -> break
     :: announced != answered[t]
     fi;
     atomic {
       lags[t] = false;
       if
       :: state[t] == blocked -> state[t] = running
       :: else -> break
       fi
     };
     answer(t)
#endif
  od
}

/* The futex word is the state: to sleep on it is one step with a look at it. */
inline become_running(t) {
#ifdef PLAIN_WAKE
  atomic { lags[t] = false; state[t] = running };
#else
  do
  :: atomic { state[t] == blocked ->
#ifdef WEAK_WAKE
       before[t] = blocked; lags[t] = true;
#endif
       state[t] = running; break }
  :: atomic { state[t] == claimed -> state[t] = awaited }
  :: atomic { state[t] == awaited -> thread_sleeps[t] = true };
     !thread_sleeps[t]
  od;
#endif
#ifndef NO_CATCH_UP
  catch_up_if_needed(t);
#endif
  atomic { scanned_lags[t] = scanned[t]; awake[t] = true }
}

inline attach(t) {
  /* its block is a new one: the old one is there until nobody reads it */
#ifdef EARLY_PHASE
  joined[t] = number;
  lock();
#else
  lock();
  joined[t] = number;
#endif
  atomic { !reading -> answered[t] = joined[t]; request[t] = false };
  atomic { member[t] = true; awake[t] = true };
  unlock()
}

inline leave(t) {
#ifdef LEAVE_UNLOCKED
  catch_up_if_needed(t);
  lock();
#else
  lock();
#ifndef LEAVE_UNASKED
  catch_up_if_needed(t);
#endif
#endif
  atomic { member[t] = false; awake[t] = false; work[t] = 0; scanned[t] = false; scanned_lags[t] = false };
  unlock()
}

active [2] proctype thread() {
  byte turns, n;
  bool counts;
  awake[_pid] = true;
end_running:
  do
  :: request[_pid] -> answer(_pid)
  :: run_a_bit(_pid)
  :: turns < (_pid == A -> TURNS_A : TURNS_B) ->
     turns++;
     awake[_pid] = false;
     become_blocked(_pid);
     if
     :: become_running(_pid)
     :: goto end_blocked
     fi
  :: _pid == A && turns < (_pid == A -> TURNS_A : TURNS_B) ->
     turns++;
     leave(_pid);
end_left:
     if
     :: attach(_pid)
     :: goto end_blocked
     fi
  od;
end_blocked: /* it sleeps for ever, or is gone */
  false
}

/* --- stores that come late ------------------------------------------------------------------- */

active proctype late_stores() {
end:
  do
  :: lags[0] -> lags[0] = false
  :: lags[1] -> lags[1] = false
  :: announced != number -> announced = number
#ifndef WEAK_SCANNED
  :: atomic { scanned_lags[0] -> scanned[0] = false; scanned_lags[0] = false }
  :: atomic { scanned_lags[1] -> scanned[1] = false; scanned_lags[1] = false }
#endif
  od
}

/* --- the coordinator ------------------------------------------------------------------------- */

inline ask(t) {
#ifdef WEAK_ASK
  seen = (answered[t] == number);
  pending++;
  request[t] = true;
#else
  pending++;
  request[t] = true;
  seen = (answered[t] == number);
#endif
#ifndef NO_TAKE_BACK
  if
  :: seen ->
     take(t, counts);
     if
     :: counts -> counts = false; count()
     :: else
     fi
  :: else
  fi;
#endif
  seen = false
}

inline await_answers() {
  pending--;
  do
  :: atomic { pending != 0 -> coordinator_sleeps = true };
     !coordinator_sleeps
  :: atomic { pending == 0 -> break }
  od
}

inline announce() {
#ifdef WEAK_ANNOUNCE
  atomic { announced = number; number++ }
#else
  atomic { number++; announced = number }
#endif
}

inline round() {
  atomic { assert(pending == 0); pending = 1 };
  lock();
  announce();
  t = 0;
  do
  :: t < 2 ->
     if
     :: member[t] && SEEN(t) != blocked -> ask(t)
     :: !member[t] || SEEN(t) == blocked
     fi;
     t++
  :: else -> break
  od;
  t = 0;
  unlock();
  await_answers();
  atomic {
    assert(!awake[B] || joined[B] == number);
    assert(!awake[A] || joined[A] == number);
    over = number
  }
}

/* true: it may be left alone. */
inline look(t) {
  if
  :: answered[t] == number -> seen = true
  :: answered[t] != number ->
     if
     :: KIND(number) == FLUSH && SEEN(t) == blocked ->
#ifdef SKIP_DIRTY
        seen = true
#else
        seen = scanned[t]
#endif
     :: KIND(number) != FLUSH || SEEN(t) != blocked
     fi
  fi
}

inline claim(t) {
#ifdef PLAIN_CLAIM
  if
  :: state[t] == blocked -> state[t] = claimed; mine = true
  :: state[t] != blocked
  fi;
#else
  atomic {
    lags[t] = false;
    if
    :: state[t] == blocked -> state[t] = claimed; mine = true
    :: else
    fi
  };
#endif
  if
  :: mine ->
     if
     :: answered[t] != number -> catch_up(t, number, false); answered[t] = number
     :: else
     fi;
     atomic {
#ifndef NO_WAKE
       if
       :: state[t] == awaited -> thread_sleeps[t] = false
       :: else
       fi;
#endif
       state[t] = blocked
     }
  :: else
  fi
}

inline settle() {
  atomic { assert(pending == 0); pending = 1 };
  atomic { reading = true; found[0] = member[0]; found[1] = member[1] };
  t = 0;
  do
  :: t < 2 && found[t] ->
     look(t);
     if
     :: seen -> seen = false
     :: else ->
        claim(t);
        if
        :: mine -> mine = false
#ifdef SETTLE_ASLEEP
        :: else
#else
        :: else -> ask(t)
#endif
        fi
     fi;
     t++
  :: t < 2 && !found[t] -> t++
  :: t == 2 -> break
  od;
  atomic { t = 0; found[0] = false; found[1] = false; reading = false };
  await_answers();
}

/* Whoever has not taken the announcement sleeps, or has not run since it woke up. */
#define IS_SETTLED(t) (!member[t] || joined[t] == number || \
                       (KIND(number) == FLUSH && !awake[t] && work[t] == 0))
#define HAS_NO_OLD(t) (work[t] == 0 || work[t] == number)

active proctype coordinator() {
  byte t;
  bool mine, seen, counts, found[2];
  do
  :: number < ROUNDS ->
     round();
     if
     :: KIND(number) == ARM
     :: KIND(number) != ARM ->
#ifndef NO_SETTLE
        settle();
#endif
        atomic {
          assert(IS_SETTLED(B));
          assert(IS_SETTLED(A));
          assert(KIND(number) != FLUSH || (HAS_NO_OLD(B) && HAS_NO_OLD(A)))
        }
     fi
  :: else -> break
  od
}
