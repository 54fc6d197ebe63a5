/* SPDX-License-Identifier: MIT */
/* Life and death beside handshakes: a coordinator, a thread that sleeps and forks, and one that
 * attaches, sleeps, leaves and attaches again, at any step of a cycle. In the child of the fork the
 * others have stopped dead between any two steps; what follows is a cycle of the child's, with a
 * new coordinator and a new thread.
 *
 * Functions: advance_phase_locked, announce_locked, ask, tri__handshake, tri__handshake_settle,
 * act_for, unclaim, needs_nothing, catch_up, tri__handshake_answer, tri__handshake_join_locked,
 * tri__handshake_abandon_locked (handshake.c); become_blocked, become_running (blocking.c); attach,
 * join, tri__mutator_leave, start_anew_locked, tri__mutators_after_fork (attach.c);
 * tri__registry_each, tri__registry_shrink_locked (registry.c); before_fork, after_fork_in_parent,
 * after_fork_in_child (init.c).
 *
 * Each access to a shared word is a step of its own; stores that need it are sequentially
 * consistent. What happens if not, handshake.pml says. "Scanned asleep" is stored relaxed, and may
 * be seen late.
 *
 * What must hold
 *   - only one party acts for a thread at a time                         [inv.mutator.claim]
 *   - no thread runs on in an old phase once a round is over, and what a settled announcement asks
 *     for has been done                            [inv.handshake.dekker], [inv.handshake.asleep]
 *   - answers are counted once each, and all that are waited for come: no state in which all sleep
 *   - who attaches joins in the new phase, scanned if that is what it says; who leaves is not
 *     waited for, and leaves nothing behind                               [inv.registry.phase]
 *   - nobody looks at the block of a thread that is freed
 *   - in the child nobody waits for the dead, and no mark goes on         [inv.fork.rebuild]
 * Mutants, each of which must fail
 *   JOIN_EARLY      a thread that attaches takes the phase before it takes the lock
 *   JOIN_LATE       ... or enters the table after it has given the lock back
 *   NO_ATTACH_SCAN  ... or does not scan its stack when it joins as scanned
 *   LEAVE_UNASKED   a thread that leaves does not answer what is pending
 *   LEAVE_UNLOCKED  ... or does so before it takes the lock
 *   LEAVE_BUFFER    ... or does not give its buffer away
 *   FREE_AT_ONCE    ... or frees its block without a grace period
 *   PLAIN_CLAIM     the coordinator stores CLAIMED after a look, instead of swapping
 *   PLAIN_WAKE      a thread that wakes stores RUNNING instead of swapping BLOCKED for it
 *   PLAIN_UNCLAIM   the end of a claim stores BLOCKED, and does not see that the thread waits
 *   NO_CATCH_UP     a thread that wakes does not look for an announcement
 *   FORK_UNLOCKED   a fork does not take the registry's lock
 *   KEEP_PENDING    the child does not forget which answers were awaited
 *   KEEP_PHASE      ... or goes on with the parent's phase
 *   KEEP_DEAD       ... or leaves the dead in the table
 *   KEEP_STATE      ... or leaves the survivor claimed, if it was
 *   KEEP_REQUEST    ... or asked, if it was
 *   KEEP_BARRIER    ... or in the phase that it was in */
mtype = { running, blocked, claimed, awaited };

#define F 0 /* the thread that forks; 1 and 2 are blocks of the other one's */
#define BLOCKS 3

#define ARM     1
#define SCAN    2
#define FLUSH   3
#define RELEASE 4

#define NONE 0
#define NEW  1
#define OLD  2 /* from before its answer to the last H3 */

#define IDLE      0
#define UNSCANNED 1
#define SCANNED   2

/* An announcement: number, count of H3 rounds, stage. */
#define WORD(number, stamp, stage) ((number) << 4 | (stamp) << 2 | (stage))
#define NUMBER(word) ((word) >> 4)
#define STAMP(word) ((word) >> 2 & 3)
#define STAGE(word) ((word) & 3)

#ifndef LIVES
#define LIVES 2  /* times that the other thread attaches; its last block is also the child's */
#endif
#ifndef FORKS
#define NAPS_F 0 /* the thread that forks does not, and only runs */
#define NAPS_X 1
#define FORKS  0
#else
#define NAPS_F 1
#define NAPS_X 0
#endif

byte announced;
byte phase_stage, phase_stamp;  /* what a thread joins in */
byte pending;
bool registry_lock, coordinator_sleeps, thread_sleeps[BLOCKS];
byte members = 1 << F;          /* bit b: block b is in the table */
bool reading;                   /* somebody reads the table */

/* A block. */
mtype state[BLOCKS] = running;
byte answered[BLOCKS];
bool request[BLOCKS];
byte barrier[BLOCKS];
byte stamp[BLOCKS];
bool scanned[BLOCKS];           /* scanned asleep, as memory has it */
bool scanned_lags[BLOCKS];      /* the thread has stored "no", which is not to be seen yet */

/* What the assertions speak of. */
byte acting[BLOCKS];            /* how many act for it */
byte joined[BLOCKS];            /* the announcement it is in */
byte work[BLOCKS];              /* what it has not handed over, while it is scanned */
bool grey[BLOCKS];              /* its stack was not scanned since it attached */
bool awake[BLOCKS];             /* it runs code of the program */
bool gone[BLOCKS], freed[BLOCKS];
byte over;                      /* the last announcement whose round has ended */

bool starting;                  /* in the child, whose threads are not there yet */
bool coordinator_died, comer_died;

#define IS_MEMBER(b) ((members >> (b) & 1) != 0)

inline lock() { atomic { !registry_lock -> registry_lock = true } }
inline unlock() { registry_lock = false }

/* --- what an answer does --------------------------------------------------------------------- */

inline get_work(b) {
  if
  :: barrier[b] == SCANNED && work[b] == NONE -> work[b] = (stamp[b] == phase_stamp -> NEW : OLD)
  :: else
  fi
}

inline hand_over(b, own) {
  work[b] = NONE; grey[b] = false; scanned[b] = !(own); scanned_lags[b] = false
}

inline catch_up(b, word, own) {
  d_step { acting[b]++; assert(acting[b] == 1); assert(!freed[b]) };
  d_step {
    acting[b]--;
    if
    :: STAGE(word) == IDLE && barrier[b] != IDLE ->
       barrier[b] = IDLE; work[b] = NONE; scanned[b] = false; scanned_lags[b] = false
    :: STAGE(word) != IDLE && barrier[b] == IDLE -> barrier[b] = UNSCANNED; work[b] = NONE
    :: else
    fi;
    if
    :: STAGE(word) == SCANNED && barrier[b] == UNSCANNED ->
       barrier[b] = SCANNED; stamp[b] = STAMP(word); hand_over(b, own)
    :: STAGE(word) == SCANNED && barrier[b] == SCANNED && stamp[b] != STAMP(word) ->
       stamp[b] = STAMP(word);
       if
       :: scanned[b] && !scanned_lags[b]
       :: else -> hand_over(b, own)
       fi
    :: else
    fi;
    joined[b] = NUMBER(word)
  }
}

inline count() {
  atomic {
    assert(pending > 0);
    pending--;
    if
    :: pending == 0 -> coordinator_sleeps = false
    :: else
    fi
  }
}

inline take(b, counts) {
  atomic {
    counts = counts || request[b];
    request[b] = false
  }
}

inline answer(b) {
  do
  :: n = announced;
     catch_up(b, n, true);
     answered[b] = NUMBER(n);
     take(b, counts);
     if
     :: announced == n -> break
     :: announced != n
     fi
  od;
  if
  :: counts -> counts = false; count()
  :: else
  fi;
  n = 0
}

inline catch_up_if_needed(b) {
  if
  :: NUMBER(announced) != answered[b] || request[b] -> answer(b)
  :: NUMBER(announced) == answered[b] && !request[b]
  fi
}

/* --- a thread -------------------------------------------------------------------------------- */

/* It may load, store and allocate, for which nobody else must be acting; and what it stores it has
 * from a scanned stack if its barrier takes that for granted. */
#define MAY_RUN(b) (acting[b] == 0 && joined[b] >= over && \
                    (joined[b] != NUMBER(announced) || barrier[b] == STAGE(announced)) && \
                    (barrier[b] != SCANNED || !grey[b]))

/* A step only if it matters: where nobody can make one, nobody is waited for. */
inline run_a_bit(b) {
  d_step {
    !MAY_RUN(b) || (barrier[b] == SCANNED && work[b] == NONE) -> assert(MAY_RUN(b)); get_work(b)
  }
}

inline become_blocked(b) {
  do
  :: d_step {
       awake[b] = false;
       if
       :: scanned_lags[b] -> scanned[b] = false; scanned_lags[b] = false
       :: else
       fi;
       state[b] = blocked
     };
     if
     :: NUMBER(announced) == answered[b] -> break
     :: NUMBER(announced) != answered[b]
     fi;
     atomic {
       if
       :: state[b] == blocked -> state[b] = running
       :: else -> break
       fi
     };
     answer(b)
  od
}

/* The futex word is the state: to sleep on it is one step with a look at it. */
inline become_running(b) {
#ifdef PLAIN_WAKE
  state[b] = running;
#else
  do
  :: atomic { state[b] == blocked -> state[b] = running; break }
  :: atomic { state[b] == claimed -> state[b] = awaited }
  :: atomic { state[b] == awaited -> thread_sleeps[b] = true };
     !thread_sleeps[b]
  od;
#endif
#ifndef NO_CATCH_UP
  catch_up_if_needed(b);
#endif
  atomic { scanned_lags[b] = scanned[b]; awake[b] = true }
}

inline join_phase(b) {
#ifdef KEEP_BARRIER
  if
  :: b != F -> barrier[b] = phase_stage; stamp[b] = phase_stamp
  :: else
  fi;
#else
  barrier[b] = phase_stage; stamp[b] = phase_stamp;
#endif
#ifndef KEEP_REQUEST
  request[b] = false;
#endif
  answered[b] = NUMBER(announced); joined[b] = NUMBER(announced); work[b] = NONE
}

inline attach(b) {
#ifdef JOIN_EARLY
  d_step { join_phase(b) };
  lock();
#else
  lock();
  d_step { join_phase(b) };
#endif
#ifdef JOIN_LATE
  unlock();
  members = members | 1 << b;
#else
  members = members | 1 << b;
  unlock();
#endif
  grey[b] = true; /* it may hold what it has loaded before */
#ifndef NO_ATTACH_SCAN
  if
  :: barrier[b] == SCANNED ->
     d_step { assert(acting[b] == 0); grey[b] = false; get_work(b) }
  :: else
  fi;
#endif
  awake[b] = true
}

inline leave(b) {
  awake[b] = false;
#ifdef LEAVE_UNLOCKED
  catch_up_if_needed(b);
  lock();
#else
  lock();
#ifndef LEAVE_UNASKED
  catch_up_if_needed(b);
#endif
#endif
#ifndef LEAVE_BUFFER
  work[b] = NONE;
#endif
  members = members & ~(1 << b);
  unlock();
#ifdef FREE_AT_ONCE
  freed[b] = true
#else
  d_step {
    if
    :: reading -> gone[b] = true
    :: else -> freed[b] = true
    fi
  }
#endif
}

/* --- fork ------------------------------------------------------------------------------------ */

/* Nothing in here is seen by anybody else: the child has one thread until it unlocks. */
inline forget_parent(inside) {
  d_step {
    starting = true; coordinator_died = true; comer_died = true;
    reading = false; coordinator_sleeps = false;
    acting[F] = 0; thread_sleeps[F] = false; scanned_lags[F] = false;
#ifndef KEEP_PENDING
    pending = 0;
#endif
#ifndef KEEP_PHASE
    phase_stage = IDLE;
#endif
    announced = WORD(NUMBER(announced) + 1, phase_stamp, phase_stage);
    over = NUMBER(announced);
#ifndef KEEP_DEAD
    members = 1 << F;
    b = 1;
    do
    :: b < BLOCKS -> /* theirs are not looked at: as they were, so that there are fewer states */
       state[b] = running; answered[b] = 0; request[b] = false; barrier[b] = 0; stamp[b] = 0;
       scanned[b] = false; scanned_lags[b] = false; acting[b] = 0; joined[b] = 0; work[b] = NONE;
       grey[b] = false; awake[b] = false; gone[b] = false; freed[b] = false;
       thread_sleeps[b] = false; b++
    :: else -> b = 0; break
    od;
#endif
    join_phase(F);
    scanned[F] = false;
#ifndef KEEP_STATE
    if
    :: inside -> state[F] = blocked
    :: else -> state[F] = running
    fi
#endif
  }
}

inline fork(inside) {
#ifndef FORK_UNLOCKED
  lock();
#endif
  if
  :: true /* the parent */
  :: forget_parent(inside); starting = false
  fi;
#ifndef FORK_UNLOCKED
  unlock()
#endif
}

active proctype forker() {
  byte naps, n, b;
  bool counts, forked = !FORKS;
  awake[F] = true;
end_running:
  do
  :: request[F] -> answer(F)
  :: run_a_bit(F)
  :: naps < NAPS_F ->
     naps++;
     become_blocked(F);
     if
     :: !forked -> forked = true; fork(true)
     :: true
     fi;
     if
     :: become_running(F)
     :: goto end_blocked
     fi
  :: naps < NAPS_F && !forked ->
     naps++;
     forked = true;
     become_blocked(F); /* while it waits for the first locks */
     become_running(F);
     fork(false)
  od;
end_blocked:
  false
}

/* --- the other thread ------------------------------------------------------------------------ */

active proctype comer() {
  byte naps, lives, n, b;
  bool counts;
anew:
  {
    do
    :: !starting && lives < LIVES ->
       lives++;
       b = lives;
       attach(b);
end_running:
       do
       :: request[b] -> answer(b)
       :: run_a_bit(b)
       :: naps < NAPS_X ->
          naps++;
          become_blocked(b);
          if
          :: become_running(b)
          :: goto asleep
          fi
       :: leave(b); break
       od
    :: lives == LIVES -> break
    od;
asleep:
end_asleep:
    false
  } unless {
    atomic { comer_died ->
      comer_died = false; naps = 0; lives = LIVES - 1; n = 0; b = 0; counts = false }
  };
  goto anew
}

/* --- stores that come late ------------------------------------------------------------------ */

active proctype late_stores() {
end:
  do
  :: d_step { scanned_lags[0] -> scanned[0] = false; scanned_lags[0] = false }
  :: d_step { scanned_lags[1] -> scanned[1] = false; scanned_lags[1] = false }
  :: d_step { scanned_lags[2] -> scanned[2] = false; scanned_lags[2] = false }
  od
}

/* --- the coordinator ------------------------------------------------------------------------- */

inline ask(b) {
  pending++;
  atomic { assert(!freed[b]); request[b] = true };
  if
  :: answered[b] == NUMBER(announced) ->
     take(b, counts);
     if
     :: counts -> counts = false; count()
     :: else
     fi
  :: answered[b] != NUMBER(announced)
  fi
}

inline begin_asking() { atomic { assert(pending == 0); pending = 1 } }

inline await_answers() {
  pending--;
  do
  :: atomic { pending != 0 -> coordinator_sleeps = true };
     !coordinator_sleeps
  :: atomic { pending == 0 -> break }
  od
}

inline announce(what) {
  d_step {
    if
    :: what == ARM -> phase_stage = UNSCANNED
    :: what == SCAN -> phase_stage = SCANNED
    :: what == FLUSH ->
       phase_stamp = (phase_stamp + 1) & 3;
       work[0] = 2 * (work[0] != NONE); work[1] = 2 * (work[1] != NONE);
       work[2] = 2 * (work[2] != NONE)
    :: what == RELEASE -> phase_stage = IDLE
    fi
  };
  announced = WORD(NUMBER(announced) + 1, phase_stamp, phase_stage)
}

/* The table that is read is the one that was there at the beginning. */
#define READ_TABLE atomic { reading = true; found = members; b = 0 }
#define READ_NO_MORE \
  atomic { \
    reading = false; found = 0; b = 0; \
    freed[1] = freed[1] || gone[1]; gone[1] = false; \
    freed[2] = freed[2] || gone[2]; gone[2] = false \
  }

#define RUNS_IN_NEW(b) (!awake[b] || joined[b] == NUMBER(announced))

inline round(what) {
  begin_asking();
  lock();
  announce(what);
  READ_TABLE;
  do
  :: b < BLOCKS ->
     if
     :: (found >> b & 1) != 0 && state[b] != blocked -> ask(b)
     :: (found >> b & 1) == 0 || state[b] == blocked
     fi;
     b++
  :: else -> break
  od;
  READ_NO_MORE;
  unlock();
  await_answers();
  atomic {
    assert(RUNS_IN_NEW(0) && RUNS_IN_NEW(1) && RUNS_IN_NEW(2));
    over = NUMBER(announced)
  }
}

inline claim(b) {
#ifdef PLAIN_CLAIM
  if
  :: state[b] == blocked -> state[b] = claimed; mine = true
  :: state[b] != blocked
  fi;
#else
  atomic {
    if
    :: state[b] == blocked -> state[b] = claimed; mine = true
    :: else
    fi
  };
#endif
  if
  :: mine ->
     if
     :: answered[b] != NUMBER(announced) ->
        catch_up(b, announced, false);
        answered[b] = NUMBER(announced)
     :: else
     fi;
     atomic {
#ifndef PLAIN_UNCLAIM
       if
       :: state[b] == awaited -> thread_sleeps[b] = false
       :: else
       fi;
#endif
       state[b] = blocked
     }
  :: else
  fi
}

inline visit(b) {
  assert(!freed[b]);
  if
  :: answered[b] == NUMBER(announced) -> idle = true
  :: answered[b] != NUMBER(announced) ->
     if
     :: STAGE(announced) == SCANNED && state[b] == blocked -> idle = scanned[b]
     :: STAGE(announced) != SCANNED || state[b] != blocked
     fi
  fi;
  if
  :: idle -> idle = false
  :: else ->
     claim(b);
     if
     :: mine -> mine = false
     :: else -> ask(b)
     fi
  fi
}

inline settle() {
  begin_asking();
  READ_TABLE;
  do
  :: b < BLOCKS && (found >> b & 1) != 0 -> visit(b); b++
  :: b < BLOCKS && (found >> b & 1) == 0 -> b++
  :: b == BLOCKS -> break
  od;
  READ_NO_MORE;
  await_answers()
}

/* Whoever has not taken the announcement sleeps, or has not run since it woke up. */
#define IS_SETTLED(b) (!IS_MEMBER(b) || joined[b] == NUMBER(announced) || \
                       (what == FLUSH && !awake[b] && work[b] == 0))
#define HAS_NO_OLD(b) (work[b] != OLD)

active proctype coordinator() {
  byte what, b, found;
  bool mine, idle, counts;
anew:
  {
    !starting;
    what = ARM;
    do
    :: what <= RELEASE ->
       round(what);
       if
       :: what == ARM
       :: what != ARM ->
          settle();
          atomic {
            assert(IS_SETTLED(0) && IS_SETTLED(1) && IS_SETTLED(2));
            assert(what != FLUSH || (HAS_NO_OLD(0) && HAS_NO_OLD(1) && HAS_NO_OLD(2)))
          }
       fi;
       what++
    :: else -> break
    od;
end_over:
    false
  } unless {
    atomic { coordinator_died ->
      coordinator_died = false; what = 0; b = 0; found = 0; mine = false; idle = false;
      counts = false }
  };
  goto anew
}
