/* SPDX-License-Identifier: MIT */
/* A cycle: two mutators, O objects of one field and a global root, and a collector beside them.
 *
 * Each step of a barrier, of an answer, of the marker and of a handshake is a step of its own;
 * memory is sequentially consistent. What must hold: at the verdict nothing that can be reached is
 * white [inv.mark.verdict], and no mutator ever touches an object that was freed. Buffers are sets:
 * what is in one and whose it is matters, the order does not.
 *
 * Functions: tri__store_slow, tri__exchange_slow (store.c), tri__shade_old, tri__shade_new,
 * tri__buffer_push (buffer.h), exchange, push_full, tri__buffer_surrender, tri__buffer_flush,
 * tri__buffer_reset, tri__buffer_drain_writer, tri__buffer_drain_full, tri__buffers_drain_older
 * (buffer.c), arm, release, scan, first_scan, flush, catch_up, tri__handshake,
 * tri__handshake_join_locked, advance_phase_locked (handshake.c), tri__mutator_leave (attach.c),
 * tri__cache_arm, tri__cache_blacken, tri__cache_flip (cache.c), take_buffers, take_flushed,
 * mark_until_quiet, scan_roots, terminate, arm, mark, release, sweep (cycle.c), tri__marker_take,
 * tri__marker_drain (marker.c), tri__span_sweep (span.c).
 *
 * Options
 *   OPS=n      how many heap operations both mutators together make, each chosen freely
 *   SCRIPT=n   a fixed sequence of operations instead, with safepoints wherever they like
 *   EXCHANGE   tri_exchange is among the operations
 *   GLOBAL     so are loads and stores of the global root
 *   ATTACH     mutator 1 comes and goes
 *   STALE      dead words stay on stacks and are scanned
 *   LOOSE      nothing but one stack leads to object 2 at the start
 *   SCAN2      H3 scans the stacks again, as the library does; by the argument it need not
 * Mutants, each of which must fail somewhere (check.sh knows where)
 *   NO_OLD, NO_NEW  the barrier leaves out the old, the new value         [inv.barrier.hybrid]
 *   NO_H1           barriers go on with the answer to H2                  [inv.barrier.armed]
 *   NO_CONFIRM      H2 follows the first answers to H1 at once            [inv.barrier.armed]
 *   NO_H2           nobody scans a stack
 *   EARLY_MARK      marking begins before everybody has answered H2       [inv.mark.start]
 *   NO_H3           the verdict without asking anybody                    [inv.mark.verdict]
 *   SKIP_FLUSH      H3 leaves out buffers that are partly filled          [inv.mark.verdict]
 *   NO_SURRENDER    H3 reads the buffers one after the other, instead of having them given away
 *   WHITE_ALLOC     objects born during the mark are white                [inv.alloc.black]
 *   BLACK_AT_H1     objects are born black from the answer to H1 on       [inv.alloc.black]
 *   UNSWEPT         after H4 a thread allocates from unswept spans        [inv.sweep.sides] */
#define N 2
#ifndef O
#define O 3
#endif
#ifndef OPS
#define OPS 3
#endif
#define L 2 /* local variables a mutator has */
#ifdef GLOBAL
#define ROOT 1
#else
#define ROOT 0
#endif

#define NIL 0 /* objects are 1..O; field[0] is the global root */
#define FREE  0
#define WHITE 1
#define GREY  2
#define BLACK 3

mtype = { none, arm, confirm, scan, flush, release };

byte colour[O + 1];
byte field[O + 1];
byte loc[N * L];
byte dead;           /* bit m * L + i: that local is dead, but still on the stack */
mtype request[N];
bool attached[N], armed[N], black[N], released[N];
bool newer[N];       /* has answered the current round of H3 */
byte buf[N];         /* bit o: the mutator's buffer holds o */
byte older, given;   /* buffers given away before and after their thread's answer to H3 */
bool swept_slot[O + 1]; /* allocated after its thread's answer to H4: from a swept span */
mtype phase;         /* what was asked last: a thread that attaches joins there */
byte ops;
bool found;          /* a white object became grey */
bool done;

#define LOC(m, i) loc[(m) * L + (i)]
#define IS_DEAD(m, i) ((dead >> ((m) * L + (i))) & 1)
#define LIVE(m, i) (IS_DEAD(m, i) -> NIL : LOC(m, i))
#define BIT(o) (1 << (o))

/* --- buffers --------------------------------------------------------------------------------- */

inline give(m) {
  if
  :: newer[m] -> given = given | buf[m]
  :: else -> older = older | buf[m]
  fi;
  buf[m] = 0
}

/* A value goes into the buffer; it may be the one that finds the buffer full. */
inline push(m, o) {
  atomic {
    if
    :: (o) == NIL
    :: (o) != NIL -> buf[m] = buf[m] | BIT(o)
    :: (o) != NIL && buf[m] != 0 -> give(m); buf[m] = BIT(o)
    fi
  }
}

inline shade_set(set) {
  d_step {
    q = 1;
    do
    :: q <= O ->
       if
       :: ((set) & BIT(q)) != 0 && colour[q] == WHITE -> colour[q] = GREY; found = true
       :: else
       fi;
       q++
    :: else -> break
    od;
    q = 0
  }
}

/* --- mutators -------------------------------------------------------------------------------- */

inline scan_stack(m) {
  push(m, LOC(m, 0));
  push(m, LOC(m, 1))
}

inline answer(m) {
  if
  :: request[m] == arm -> d_step {
       armed[m] = true; buf[m] = 0;
#ifdef BLACK_AT_H1
       black[m] = true;
#endif
       request[m] = none }
  :: request[m] == confirm -> request[m] = none
  :: request[m] == scan ->
       d_step { armed[m] = true;
#ifndef WHITE_ALLOC
         black[m] = true
#endif
       };
       scan_stack(m);
       request[m] = none
  :: request[m] == flush ->
#ifdef SCAN2
       scan_stack(m);
#endif
       d_step {
#if !defined(SKIP_FLUSH) && !defined(NO_SURRENDER)
         give(m);
#endif
         newer[m] = true; request[m] = none }
  :: request[m] == release -> d_step {
       armed[m] = false; black[m] = false; released[m] = true; buf[m] = 0; request[m] = none }
  :: request[m] == none
  fi
}

/* A local takes a value. */
inline set_local(m, i, value) {
  LOC(m, i) = value;
  dead = dead & ~BIT((m) * L + (i))
}

inline load(m, i, from) {
  assert((from) == 0 || colour[from] != FREE);
  assert(field[from] == NIL || colour[field[from]] != FREE);
  set_local(m, i, field[from])
}

/* tri_store: both values are shaded, then the word is written; no safepoint in between
 * [inv.barrier.window]. The caller has read the old value. */
inline store(m, to, value, old) {
  if
  :: armed[m] ->
#ifndef NO_OLD
     push(m, old);
#endif
#ifndef NO_NEW
     push(m, value);
#endif
     skip
  :: else
  fi;
  atomic { assert((to) == 0 || colour[to] != FREE); field[to] = value; old = NIL }
}

/* The other half of tri_exchange: the word has been written, and until it is shaded the old value
 * is in the thread's hands only. */
inline shade_exchanged(m, value, old) {
  if
  :: armed[m] ->
#ifndef NO_OLD
     push(m, old);
#endif
#ifndef NO_NEW
     push(m, value);
#endif
     old = NIL
  :: else -> old = NIL
  fi
}

inline drop(m, i) {
  if
  :: set_local(m, i, NIL)
#ifdef STALE
  :: dead = dead | BIT((m) * L + (i))
#endif
  fi
}

/* The lowest free slot, if there is one, in the thread's colour. */
inline alloc(m, i) {
  o = 1;
  do
  :: o <= O && colour[o] != FREE -> o++
  :: else -> break
  od;
  if
  :: o <= O ->
     field[o] = NIL;
     set_local(m, i, o);
     swept_slot[o] = released[m];
     colour[o] = (black[m] -> BLACK : WHITE)
  :: else -> o = NIL
  fi
}

/* Where a thread may answer, if it is asked. */
inline safepoint(m) {
  do
  :: request[m] != none -> answer(m)
  :: break
  od
}

#define BUDGET ops < OPS && !done && attached[m]

proctype mutator(byte m) {
  byte i, j, o, value, old;
#ifdef SCRIPT
  /* Object 1 is on both stacks, 2 on the second one only. */
  safepoint(m);
#if SCRIPT == 1
  if
  :: m == 0 -> /* 1->field = a new object */
     atomic { alloc(m, 0); o = NIL };
     safepoint(m);
     old = field[1];
     store(m, 1, LOC(0, 0), old)
  :: m == 1 -> /* new = 1->field; new->field = 2; forget 2 */
     atomic { load(m, 1, 1) };
     safepoint(m);
     if
     :: LOC(1, 1) != NIL -> old = field[LOC(1, 1)]; store(m, LOC(1, 1), LOC(1, 0), old)
     :: else
     fi;
     safepoint(m);
     atomic { drop(m, 0) }
  fi;
#else
  if
  :: m == 0 -> /* 1->field = NULL */
     old = field[1];
     store(m, 1, NIL, old)
  :: m == 1 -> /* 1->field = 2; forget 2; load it again, hide it in a new object, and forget it */
     old = field[1];
     store(m, 1, LOC(1, 0), old);
     safepoint(m);
     atomic { drop(m, 0) };
     safepoint(m);
     atomic { load(m, 0, 1) };
     safepoint(m);
     atomic { alloc(m, 1) };
     safepoint(m);
     if
     :: o != NIL -> field[o] = LOC(1, 0) /* tri_init_store */
     :: else
     fi;
     safepoint(m);
     atomic { drop(m, 0); o = NIL };
     safepoint(m)
  fi;
#endif
  do
  :: request[m] != none -> answer(m)
  :: done -> break
  od
#else
  do
  :: request[m] != none -> answer(m)
#ifdef ATTACH
  :: m == 1 && !attached[m] && ops < OPS && !done ->
     /* under the registry's lock: [inv.registry.phase] */
     d_step {
       attached[m] = true;
       armed[m] = (phase == arm || phase == confirm || phase == scan || phase == flush);
       black[m] = (phase == scan || phase == flush);
       released[m] = (phase == release);
       newer[m] = (phase == flush)
     }
  :: m == 1 && attached[m] && request[m] == none && !done ->
     /* and so is detaching: any answer first, then the buffer */
     d_step {
       if
       :: request[m] == none ->
          give(m); attached[m] = false; armed[m] = false; black[m] = false; newer[m] = false;
          set_local(m, 0, NIL); set_local(m, 1, NIL)
       :: else
       fi
     }
#endif
  :: atomic { BUDGET -> /* l[i] = *l[j], or the root */
       ops++;
       select(i : 0 .. (L - 1)); select(j : 0 .. (L - 1 + ROOT));
       o = (j < L -> LIVE(m, j) : 0);
       if
       :: j < L && o == NIL
       :: else -> load(m, i, o)
       fi;
       o = NIL; i = 0; j = 0
     }
  :: atomic { BUDGET -> /* *l[i], or the root, = l[j] or NULL */
       ops++;
       select(i : 0 .. (L - 1 + ROOT)); select(j : 0 .. L);
       o = (i < L -> LIVE(m, i) : 0);
       value = (j < L -> LIVE(m, j) : NIL);
       j = (i < L && o == NIL -> 1 : 0);
       i = 0;
       old = (armed[m] && j == 0 -> field[o] : NIL)
     }
     if
     :: j == 0 -> store(m, o, value, old)
     :: else
     fi;
     o = NIL; value = NIL; j = 0
#ifdef EXCHANGE
  :: atomic { BUDGET -> /* l[j] = exchange(*l[i] or the root, l[j]) */
       ops++;
       select(i : 0 .. (L - 1 + ROOT)); select(j : 0 .. (L - 1));
       o = (i < L -> LIVE(m, i) : 0);
       value = LIVE(m, j);
       if
       :: i < L && o == NIL -> value = NIL
       :: else ->
          assert(o == NIL || colour[o] != FREE);
          old = field[o];
          field[o] = value;
          assert(old == NIL || colour[old] != FREE);
          set_local(m, j, old)
       fi;
       o = NIL; i = 0; j = 0
     }
     shade_exchanged(m, value, old);
     value = NIL
#endif
  :: atomic { BUDGET -> /* forget a local */
       ops++;
       select(i : 0 .. (L - 1));
       drop(m, i);
       i = 0
     }
  :: atomic { BUDGET -> /* l[0] = a new object, and perhaps tri_init_store(&new->field, l[1]) */
       ops++;
       alloc(m, 0)
     }
     if
     :: o != NIL && LIVE(m, 1) != NIL ->
        safepoint(m);
        field[o] = LIVE(m, 1)
     :: true
     fi;
     o = NIL
  :: done -> break
  od
#endif
}

/* --- the collector --------------------------------------------------------------------------- */

/* Marks one grey object: reads its field, shades the child, blackens it. */
inline mark_one() {
  atomic {
    o = 1;
    do
    :: o <= O && colour[o] != GREY -> o++
    :: else -> break
    od;
    if
    :: o > O -> o = 0; break
    :: else -> c = field[o]
    fi
  };
  atomic { shade_set(BIT(c) & ~1); colour[o] = BLACK; o = 0; c = 0 }
}

inline mark_grey() {
  do
  :: mark_one()
  od
}

inline take_full() {
  atomic { set = older | given; older = 0; given = 0; shade_set(set); set = 0 };
  mark_grey()
}

inline take_partial() {
  do
  :: atomic { m < N && buf[m] == 0 -> m++ }
  :: atomic { m < N && buf[m] != 0 -> set = buf[m]; buf[m] = 0; shade_set(set); set = 0; m++ };
     mark_grey()
  :: m == N -> m = 0; break
  od
}

inline mark_until_quiet() {
#ifdef SKIP_FLUSH
  take_partial(); /* the stacks are there at least */
#endif
  do
  :: found = false;
     take_full();
#ifndef SKIP_FLUSH
     take_partial();
#endif
     if
     :: found
     :: else -> break
     fi
  od
}

inline handshake(what) {
  atomic {
    phase = what;
    m = 0;
    do
    :: m < N -> request[m] = (attached[m] -> what : none); m++
    :: else -> break
    od;
    m = 0
  };
  do
#ifdef EARLY_MARK
  :: what == scan && buf[0] != 0 ->
     atomic { set = buf[0]; buf[0] = 0; shade_set(set); set = 0 };
     mark_grey()
#endif
  :: request[0] == none && request[1] == none -> break
  od
}

/* H3. true in `found`: it was not the end. */
inline terminate() {
  found = false;
#ifndef NO_H3
  atomic {
    older = older | given; given = 0; /* the stamp advances: what is given away already is old */
    newer[0] = false; newer[1] = false
  };
  handshake(flush);
#ifdef NO_SURRENDER
  take_full();
  take_partial()
#else
  atomic { set = older; older = 0; shade_set(set); set = 0 };
  mark_grey()
#endif
#endif
}

/* Over all stacks and the root, to a fixpoint. */
inline check_reachable() {
  atomic {
    set = BIT(field[0]);
    do
    :: m < N * L -> set = set | BIT(IS_DEAD(0, m) -> NIL : loc[m]); m++
    :: else -> break
    od;
    m = 0;
    do
    :: m < O ->
       q = 1;
       do
       :: q <= O ->
          if
          :: (set & BIT(q)) != 0 -> set = set | BIT(field[q])
          :: else
          fi;
          q++
       :: else -> break
       od;
       m++
    :: else -> break
    od;
    m = 0; q = 1;
    do
    :: q <= O -> assert((set & BIT(q)) == 0 || colour[q] == BLACK || colour[q] == GREY); q++
    :: else -> break
    od;
    q = 0; set = 0
  }
}

inline sweep() {
  atomic {
    o = 1;
    do
    :: o <= O ->
       if
#ifndef UNSWEPT
       :: swept_slot[o]
       :: !swept_slot[o] && colour[o] == WHITE -> colour[o] = FREE; field[o] = NIL
       :: !swept_slot[o] && colour[o] > WHITE -> colour[o] = WHITE
#else
       :: colour[o] == WHITE -> colour[o] = FREE; field[o] = NIL
       :: colour[o] > WHITE -> colour[o] = WHITE
#endif
       :: !swept_slot[o] && colour[o] == FREE
       fi;
       o++
    :: else -> break
    od;
    o = 0
  }
}

proctype collector() {
  byte m, o, c, q, set;
#ifndef NO_H1
  handshake(arm);
#endif
#ifndef NO_CONFIRM
  handshake(confirm);
#endif
#ifndef NO_H2
  handshake(scan);
#else
  do
  :: m < N -> d_step { armed[m] = true; black[m] = true }; m++
  :: else -> break
  od;
  m = 0;
#endif
  atomic { c = field[0]; shade_set(BIT(c) & ~1); c = 0 };
  do
  :: mark_until_quiet();
     terminate();
     if
     :: found
     :: else -> break
     fi
  od;
  check_reachable();
  handshake(release);
  sweep();
  done = true
}

init {
  byte k;
  atomic {
    k = 1;
    do
    :: k <= O -> colour[k] = WHITE; k++
    :: else -> break
    od;
    colour[O] = FREE;
    k = 0;
    do
    :: k < N -> attached[k] = true; request[k] = none; k++
    :: else -> break
    od;
    phase = none;
#ifdef SCRIPT
    LOC(0, 1) = 1; LOC(1, 0) = 2; LOC(1, 1) = 1;
#else
    /* 1 -> 2; the first thread has 1, the second 1 and 2. */
    field[1] = 2;
    LOC(0, 0) = 1;
#ifdef ATTACH
    attached[1] = false; field[0] = 1;
#else
    LOC(1, 0) = 1; LOC(1, 1) = 2;
#endif
#ifdef STALE
    /* A dead word where the next object will be born. */
    LOC(0, 1) = O; dead = BIT(1);
#endif
#ifdef LOOSE
    field[1] = NIL; /* 2 is on one stack only */
#endif
#endif
    k = 0;
    do
    :: k < N -> run mutator(k); k++
    :: else -> break
    od;
    run collector()
  }
}
