/* SPDX-License-Identifier: MIT */
/* Runs, spans and sweeping: N mutators that allocate from S spans of K slots each, and a coordinator
 * that goes through some cycles. What threads hold is theirs alone: who
 * passes what to whom, and by which barrier, is in cycle.pml.
 *
 * Functions: tri__cache_refill, cut_run, take_span, take_unswept, take_fresh, tri__file_span,
 * tri__sweep_one, tri__cache_arm, tri__cache_blacken, tri__cache_flip, tri__cache_drop (cache.c);
 * tri__span_next_run, tri__span_paint, tri__span_sweep (span.c); sweep_all, mark, release,
 * tri__cycle_steps (cycle.c).
 *
 * Lists are sets: any span of one may be popped. A span is swept in one step, but it is popped, swept
 * and filed in three.
 *
 * What must hold: no slot is handed out while somebody holds it; what is held is never free; what a
 * thread holds when its stack is scanned is white, so that the mark looks at it [inv.alloc.black]; a
 * marker blackens no free slot [inv.colour.writer]; after a sweep nothing is left to sweep, and no span
 * is nowhere [inv.sweep.sides].
 *
 * Options
 *   CYCLES=n   how many cycles there are
 *   OPS=n      how often both mutators together refill, forget, or leave, whenever they like
 *   LEAVE      mutator 1 comes and goes
 *   STRAY      in each mark a marker comes to some slot by a stray word, and blackens it later
 * Mutants, each of which must fail
 *   SWEEP_IN_MARK  a thread sweeps on after its answer to H1                [inv.sweep.quiet]
 *   UNSWEPT        slots are cut from a span that was not swept             [inv.sweep.sides]
 *   NO_FLIP        with its answer to H4 a thread keeps its side            [inv.sweep.sides]
 *   FLIP_FIRST     H4 gives spans back to the new side                      [inv.sweep.sides]
 *   FILE_BACK      what a thread has swept it files where it was
 *   LATE_FILE      a thread passes safepoints between popping and filing    [inv.sweep.quiet]
 *   NO_PREPARE     the next mark begins although not everything was swept
 *   KEEP_COLOUR    the sweep leaves what is black black
 *   ALL_WHITE      the sweep keeps what is white, too: nothing is ever freed
 *   NO_PAINT       H2 does not paint what is left of a run                  [inv.alloc.black]
 *   WHITE_RUNS     runs are cut white during the mark                       [inv.alloc.black]
 *   BLACK_AT_H1    runs are cut black from the answer to H1 on              [inv.alloc.black]
 *   KEEP_RUN       H4 does not take the run away                            [inv.alloc.black]
 *   FREE_IN_MARK   a thread that leaves during a mark frees its run         [inv.colour.writer]
 *   FORGET_SPAN    a thread that leaves does not file its span */
#ifndef CYCLES
#define CYCLES 2
#endif
#ifndef OPS
#define OPS 6
#endif
#define N 2
#define S 2
#define K 2
#define SLOTS (S * K)
#define NONE S

#define FREE  0
#define WHITE 1
#define BLACK 2

mtype = { none, arm, scan, release };

#define BIT(i) (1 << (i))
#define HAS(set, i) (((set) >> (i)) & 1)
#define SLOT(s, k) ((s) * K + (k))

byte colour[SLOTS];
byte next[S];              /* the span's next_slot */
byte partial[2], filled[2];  /* of each side: sets of spans */
byte unused = BIT(S) - 1;  /* no spans at the moment: their pages are free */
byte span[N] = NONE;       /* in the mutator's cache */
byte cut[N];               /* slots that are cut and not handed out */
byte held[N];              /* objects: the mutator's stack holds them */
bool attached[N], side[N], black[N], sweeping[N];
mtype request[N];
byte ops;
bool phase_side, phase_black, phase_sweeping; /* for those that attach */
byte hand[N] = NONE;       /* a span that the mutator has popped and not filed */
byte grey;                 /* what scans have found */
byte excused;              /* slots that may outlive this cycle without being held */

/* The lowest member of a set that is not empty. */
#define LOWEST(set) (HAS(set, 0) -> 0 : (HAS(set, 1) -> 1 : (HAS(set, 2) -> 2 : 3)))

/* ---- spans, by whoever owns them ---- */

#define FREE_SLOT(s, k) ((k) >= next[s] && colour[SLOT(s, k)] == FREE)
#define HAS_ROOM(s) (FREE_SLOT(s, 0) || FREE_SLOT(s, 1))
#define IS_EMPTY(s) (colour[SLOT(s, 0)] == FREE && colour[SLOT(s, 1)] == FREE)

inline sweep_slot(o) {
  if
  :: colour[o] == BLACK ->
#ifndef KEEP_COLOUR
       colour[o] = WHITE
#endif
  :: colour[o] == WHITE ->
#ifndef ALL_WHITE
       assert(!HAS(held[0] | held[1], o)); /* what is held is never freed */
       colour[o] = FREE
#endif
  :: else
  fi
}

inline sweep_span(s) {
  atomic { next[s] = 0; sweep_slot(SLOT(s, 0)); sweep_slot(SLOT(s, 1)) }
}

inline file_span(s, where) {
  atomic {
    if
    :: HAS_ROOM(s) -> partial[where] = partial[where] | BIT(s)
    :: else -> filled[where] = filled[where] | BIT(s)
    fi
  }
}

/* Any of the set, or NONE. */
inline pop_any(set, s) {
  if
  :: set == 0 -> s = NONE
  :: HAS(set, 0) -> s = 0; set = set & ~BIT(0)
  :: HAS(set, 1) -> s = 1; set = set & ~BIT(1)
  fi
}

inline pop_unswept(which, s) {
  atomic {
    pop_any(partial[which], s);
    if
    :: s == NONE -> pop_any(filled[which], s)
    :: else
    fi
  }
}

/* ---- allocation ---- */

inline paint_slot(m, o) {
  assert(colour[o] == FREE && !HAS(held[0] | held[1], o));
#ifdef WHITE_RUNS
  colour[o] = WHITE;
#else
  colour[o] = (black[m] -> BLACK : WHITE);
#endif
  cut[m] = cut[m] | BIT(o);
  excused = excused | BIT(o);
  next[span[m]] = o % K + 1
}

/* Free slots from next_slot on, as many as there are in a row, or fewer. */
inline cut_run(m) {
  atomic {
    if
    :: FREE_SLOT(span[m], 0) ->
         paint_slot(m, SLOT(span[m], 0));
         if
         :: FREE_SLOT(span[m], 1) -> paint_slot(m, SLOT(span[m], 1))
         :: true
         fi
    :: else -> paint_slot(m, SLOT(span[m], 1))
    fi
  }
}

inline take_unswept(m) {
  pop_unswept(1 - side[m], hand[m]);
  if
  :: hand[m] == NONE
  :: else ->
#ifdef LATE_FILE
       if
       :: request[m] != none -> answer(m)
       :: true
       fi;
#endif
#ifndef UNSWEPT
       sweep_span(hand[m]);
#endif
       if
       :: HAS_ROOM(hand[m]) -> span[m] = hand[m]
       :: else ->
#ifdef FILE_BACK
            file_span(hand[m], 1 - side[m])
#else
            file_span(hand[m], side[m])
#endif
       fi;
       hand[m] = NONE
  fi
}

/* What is full goes to the full ones; then a swept span, or one that is swept now, or a fresh one. */
inline refill(m) {
  atomic {
    if
    :: span[m] != NONE && !HAS_ROOM(span[m]) ->
         filled[side[m]] = filled[side[m]] | BIT(span[m]); span[m] = NONE
    :: else
    fi;
    if
    :: span[m] == NONE -> pop_any(partial[side[m]], span[m])
    :: else
    fi
  };
  if
  :: span[m] == NONE && sweeping[m] -> take_unswept(m)
  :: else
  fi;
  atomic {
    if
    :: span[m] == NONE -> pop_any(unused, span[m])
    :: else
    fi;
    if
    :: span[m] != NONE && HAS_ROOM(span[m]) -> cut_run(m)
    :: else
    fi
  }
}

inline allocate(m) {
  d_step {
    o = LOWEST(cut[m]);
    cut[m] = cut[m] & ~BIT(o);
    assert(!HAS(held[0] | held[1], o)); /* nobody else has it */
    held[m] = held[m] | BIT(o);
    o = 0
  }
}

/* ---- answers ---- */

inline give_run_back(m) {
  if
  :: cut[m] != 0 ->
       o = LOWEST(cut[m]);
       next[span[m]] = o % K;
       do
       :: o < SLOTS ->
            if
            :: HAS(cut[m], o) -> colour[o] = FREE
            :: else
            fi;
            o++
       :: else -> break
       od;
       o = 0;
       cut[m] = 0
  :: else
  fi
}

inline answer_scan(m) {
  do
  :: o < SLOTS ->
       /* What is black already nobody would look at. */
       assert(!HAS(held[m], o) || colour[o] == WHITE);
#ifndef NO_PAINT
       if
       :: HAS(cut[m], o) -> colour[o] = BLACK
       :: else
       fi;
#endif
       o++
  :: else -> break
  od;
  o = 0;
  grey = grey | held[m];
  excused = excused | held[m] | cut[m];
  black[m] = true
}

inline answer_release(m) {
#ifdef FLIP_FIRST
  side[m] = 1 - side[m];
#endif
#ifndef KEEP_RUN
  give_run_back(m);
  if
  :: span[m] != NONE -> partial[side[m]] = partial[side[m]] | BIT(span[m]); span[m] = NONE
  :: else
  fi;
#endif
  black[m] = false;
  sweeping[m] = true;
#if !defined(NO_FLIP) && !defined(FLIP_FIRST)
  side[m] = 1 - side[m];
#endif
}

inline answer(m) {
  d_step {
    if
    :: request[m] == arm ->
#ifndef SWEEP_IN_MARK
         sweeping[m] = false;
#endif
#ifdef BLACK_AT_H1
         black[m] = true;
#endif
    :: request[m] == scan -> answer_scan(m)
    :: request[m] == release -> answer_release(m)
    :: else
    fi;
    request[m] = none
  }
}

inline leave(m) {
  d_step {
#ifndef FREE_IN_MARK
    if
    :: !black[m] -> give_run_back(m)
    :: else -> cut[m] = 0
    fi;
#else
    give_run_back(m);
#endif
    if
#ifndef FORGET_SPAN
    :: span[m] != NONE && HAS_ROOM(span[m]) -> partial[side[m]] = partial[side[m]] | BIT(span[m])
    :: span[m] != NONE && !HAS_ROOM(span[m]) -> filled[side[m]] = filled[side[m]] | BIT(span[m])
#endif
    :: else
    fi;
    span[m] = NONE; held[m] = 0; request[m] = none;
    side[m] = 0; black[m] = false; sweeping[m] = false;
    attached[m] = false
  }
}

inline attach(m) {
  d_step {
    side[m] = phase_side; black[m] = phase_black; sweeping[m] = phase_sweeping;
    attached[m] = true
  }
}

/* Allocates, and forgets all it has, when it likes; its safepoint is the beginning of the loop. */
proctype mutator(byte m)
{
  byte o = 0;

end:
  do
  :: attached[m] && request[m] != none -> answer(m)
  :: attached[m] && cut[m] != 0 -> allocate(m)
  :: attached[m] && cut[m] == 0 && ops < OPS && request[m] == none -> ops++; refill(m)
  :: attached[m] && held[m] != 0 && ops < OPS -> d_step { ops++; held[m] = 0 }
#ifdef LEAVE
  :: attached[m] && m == 1 && ops < OPS && request[m] == none -> atomic { ops++; leave(m) }
  :: !attached[m] -> attach(m)
#endif
  od
}

/* ---- the coordinator ---- */

inline ask(what) {
  d_step {
    phase_sweeping = (what == release);
    phase_black = (what == scan);
    phase_side = (what == release -> 1 - phase_side : phase_side);
    request[0] = (attached[0] -> what : none);
    request[1] = (attached[1] -> what : none)
  };
}

inline await_all() {
  request[0] == none && request[1] == none
}

inline sweep_all() {
  do
  :: atomic { partial[1 - phase_side] != 0 || filled[1 - phase_side] != 0 ->
       pop_unswept(1 - phase_side, swept) };
     sweep_span(swept);
     if
     :: IS_EMPTY(swept) -> unused = unused | BIT(swept)
     :: else -> file_span(swept, phase_side)
     fi;
     swept = NONE
  :: partial[1 - phase_side] == 0 && filled[1 - phase_side] == 0 -> break
  od;
  skip
}

#define NOTHING SLOTS
#define IS_WHITE(o) (colour[o] == WHITE)
/* When it looks, the slot is allocated; when it stores, not black. */
#define MAY_STRAY(o) (colour[o] != FREE && !HAS(grey, o))

/* A marker has looked at a slot, some steps ago perhaps, and stores its colour. */
inline blacken(o) {
  assert(colour[o] != FREE);
  colour[o] = BLACK;
  excused = excused | BIT(o);
  grey = grey & ~BIT(o)
}

/* What scans have found; and, with STRAY, one slot that a stray word points to. */
inline mark() {
#ifdef STRAY
  if
  :: MAY_STRAY(0) -> stray = 0
  :: MAY_STRAY(1) -> stray = 1
  :: MAY_STRAY(2) -> stray = 2
  :: MAY_STRAY(3) -> stray = 3
  :: true
  fi;
#endif
  do
  :: grey != 0 ->
       d_step {
         looked = LOWEST(grey);
         if
         :: IS_WHITE(looked) -> blacken(looked)
         :: else -> grey = grey & ~BIT(looked)
         fi;
         looked = 0
       }
  :: else -> break
  od;
#ifdef STRAY
  atomic {
    if
    :: stray != NOTHING && colour[stray] != BLACK -> blacken(stray)
    :: else
    fi;
    stray = NOTHING
  }
#endif
}

#define SOMEWHERE (unused | partial[0] | partial[1] | filled[0] | filled[1] | BIT(span[0]) | \
                   BIT(span[1]) | BIT(hand[0]) | BIT(hand[1]))
#define MAY_BE(o) (colour[o] == FREE || HAS(excused, o))

/* After the sweep. */
inline check() {
  d_step {
    assert(partial[1 - phase_side] == 0 && filled[1 - phase_side] == 0);
    assert((SOMEWHERE & (BIT(S) - 1)) == BIT(S) - 1);
    /* A thread may be about to sweep what it has popped. */
    assert(hand[0] != NONE || hand[1] != NONE ||
           (MAY_BE(0) && MAY_BE(1) && MAY_BE(2) && MAY_BE(3)))
  }
}

active proctype coordinator()
{
  byte swept = NONE, looked = 0, stray = NOTHING;
  byte cycles = 0;

  d_step {
    attached[0] = true; attached[1] = true;
    side[0] = 0; side[1] = 0;
    phase_sweeping = true; sweeping[0] = true; sweeping[1] = true
  };
  atomic { run mutator(0); run mutator(1) };
  do
  :: cycles == CYCLES -> break
  :: cycles < CYCLES ->
     cycles++;
#ifndef NO_PREPARE
     sweep_all();
#endif
     d_step { excused = 0 };
     ask(arm);
     await_all();
     ask(scan);
     await_all();
     mark();
     ask(release);
     await_all();
#ifndef NO_PREPARE
     sweep_all();
     check();
#endif
  od
}
