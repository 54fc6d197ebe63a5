/* SPDX-License-Identifier: MIT */
/* Handshakes: a coordinator, a thread that runs and blocks as it likes, and a thread that attaches
 * and detaches. Beside them, a store buffer for each word of the Dekker pair, so that a store which
 * is not sequentially consistent may come late.
 *
 * What must hold
 *   - only one party acts for a thread at a time                         [inv.mutator.claim]
 *   - each thread that is asked answers each request once                [inv.handshake.dekker]
 *   - the handshake ends, although the coordinator looks for blocked threads only once: the
 *     periodic look of the library is a backstop; there is no state in which all sleep
 *   - at its end every thread is in the new phase                        [inv.registry.phase]
 * Mutants, each of which must fail
 *   WEAK_BLOCK      the store of BLOCKED may come after the load of the request
 *   WEAK_POST       the store of the request may come after the look at the state
 *   NO_LOOK         a thread that blocks does not look for a request
 *   CLAIM_UNASKED   a claim is not followed by a second look at the request
 *   PLAIN_RETURN    a thread that goes on stores RUNNING instead of swapping BLOCKED for it
 *   NO_WAKE         the end of a claim does not wake the thread
 *   NO_LAST_WAKE    the last answer does not wake the coordinator
 *   EARLY_PHASE     a thread that attaches takes the phase before it takes the lock
 *   LEAVE_UNASKED   a thread that leaves does not answer what is pending
 *   LEAVE_UNLOCKED  ... or does so before it takes the lock */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#define TURNS 3 /* that each thread takes at most: then it stays where it is */

mtype = { running, blocked, claimed, awaited };

#define B 0 /* the thread that blocks */
#define A 1 /* the thread that attaches */

mtype state[2] = running; /* of A always running: it never blocks here */
bool request[2];          /* as memory has it */
bool state_late;          /* B's store of BLOCKED is still in its store buffer */
bool request_late;        /* the coordinator's store of B's request is still in its store buffer */
bool member;              /* A is in the table */
byte acting[2];           /* how many act for it */
byte answered[2];         /* requests answered */
byte asked[2];            /* requests posted */
byte phase, joined[2];    /* the phase, and the one each thread is in */
byte pending;
bool coordinator_sleeps, thread_sleeps;
bool registry_lock;

inline lock() { atomic { !registry_lock -> registry_lock = true } }
inline unlock() { registry_lock = false }

/* Whoever acts for thread t does what is asked. */
inline answer(t) {
  atomic { acting[t]++; assert(acting[t] == 1) };
  atomic { assert(request[t]); joined[t] = phase };
  request[t] = false;
  atomic { acting[t]--; answered[t]++; assert(answered[t] == asked[t]) };
  atomic {
    pending--;
#ifndef NO_LAST_WAKE
    if
    :: pending == 0 -> coordinator_sleeps = false
    :: else
    fi
#endif
  }
}

/* --- the thread that blocks ------------------------------------------------------------------ */

inline become_blocked() {
  do
  ::
#ifdef WEAK_BLOCK
     state_late = true;
#else
     state[B] = blocked;
#endif
#ifndef NO_LOOK
     if
     :: !request[B] -> break
     :: else
     fi;
     /* a swap empties the store buffer first */
     atomic {
       if
       :: state_late -> state_late = false; state[B] = blocked
       :: else
       fi;
       if
       :: state[B] == blocked -> state[B] = running
       :: else -> break
       fi
     };
     if
     :: request[B] -> answer(B)
     :: else
     fi
#else
     break
#endif
  od
}

/* The futex word is the state: to sleep on it is one step with a look at it. */
inline become_running() {
#ifdef PLAIN_RETURN
  atomic { state_late = false; state[B] = running };
#else
  do
  :: atomic { state_late || state[B] == blocked -> state_late = false; state[B] = running; break }
  :: atomic { !state_late && state[B] == claimed -> state[B] = awaited }
  :: atomic { !state_late && state[B] == awaited -> thread_sleeps = true };
     !thread_sleeps
  od;
#endif
  if
  :: request[B] -> answer(B)
  :: else
  fi
}

active proctype blocker() {
  byte turns;
end_running:
  do
  :: request[B] -> answer(B)
  :: turns < TURNS ->
     turns++;
     become_blocked();
     if
     :: become_running()
     :: true -> goto end_blocked
     fi;
     /* it does something of its own, for which nobody else must be acting */
     atomic { acting[B]++; assert(acting[B] == 1) };
     acting[B]--
  od;
end_blocked: /* it sleeps for ever */
  false
}

/* --- the thread that comes and goes ---------------------------------------------------------- */

inline attach() {
#ifdef EARLY_PHASE
  joined[A] = phase;
  lock();
#else
  lock();
  joined[A] = phase;
#endif
  request[A] = false; /* its block is a new one */
  answered[A] = asked[A];
  member = true;
  unlock()
}

inline leave() {
#ifdef LEAVE_UNLOCKED
  if
  :: request[A] -> answer(A)
  :: else
  fi;
  lock();
#else
  lock();
#ifndef LEAVE_UNASKED
  if
  :: request[A] -> answer(A)
  :: else
  fi;
#endif
#endif
  member = false;
  unlock()
}

active proctype comer() {
  byte turns;
end_out:
  do
  :: turns < TURNS ->
     turns++;
     attach();
end_in:
     do
     :: request[A] -> answer(A)
     :: turns < TURNS -> leave(); break
     od
  od
}

/* --- store buffers --------------------------------------------------------------------------- */

active proctype store_buffers() {
end:
  do
  :: atomic { state_late -> state_late = false; state[B] = blocked }
  :: atomic { request_late -> request_late = false; request[B] = true }
  od
}

/* --- the coordinator ------------------------------------------------------------------------- */

inline post() {
  lock();
  phase++;
  atomic {
    pending = 1 + member;
    asked[A] = asked[A] + member; request[A] = member;
    asked[B]++;
#ifdef WEAK_POST
    request_late = true
#else
    request[B] = true
#endif
  };
  unlock()
}

inline claim() {
  atomic {
    if
    :: state[B] == blocked -> state[B] = claimed; mine = true
    :: else
    fi
  };
  if
  :: mine ->
#ifndef CLAIM_UNASKED
     if
     :: request[B] || request_late -> answer(B)
     :: else
     fi;
#else
     answer(B);
#endif
     atomic {
#ifndef NO_WAKE
       if
       :: state[B] == awaited -> thread_sleeps = false
       :: else
       fi;
#endif
       state[B] = blocked;
       mine = false
     }
  :: else
  fi
}

active proctype coordinator() {
  byte round;
  bool mine;
  do
  :: round < ROUNDS ->
     post();
     if
     :: request[B] || request_late -> claim() /* it sees its own store */
     :: else
     fi;
     do
     :: atomic { pending != 0 -> coordinator_sleeps = true };
        !coordinator_sleeps
     :: atomic { pending == 0 -> break }
     od;
     assert(joined[B] == phase);
     lock();
     assert(!member || joined[A] == phase);
     unlock();
     round++
  :: else -> break
  od
}
