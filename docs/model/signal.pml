/* SPDX-License-Identifier: MIT */
/* Answers in a signal handler: a coordinator, one thread, and what interrupts it. The thread uses
 * windows of assembler, windows that count (the library's own functions, with a lock held), holds
 * back, sleeps in TRI_BLOCKING, blocks the signal, is between two stacks; and at last it comes to
 * no safepoint any more, and only a handler can answer for it. A handler of the program's may
 * interrupt it, too, and be interrupted in turn; it may take a signal away. With CLOSE, a library
 * is closed. With NO_LAYOUT nobody knows where the kernel has put the context of an interrupted
 * handler, so what that has interrupted cannot be set back.
 *
 * Functions: handle, answer_or_put_off, answer_at, set_back_others, tri__signal_send (signal.c);
 * send_signals, forget_signal, ask, act_for, tri__handshake_answer, let_go,
 * tri__window_deferred_slow (handshake.c); tri__window_open, tri__window_close (window.h);
 * tri_blocking_begin, tri_blocking_end (blocking.c); hold (bulk.c);
 * tri__windows_begin_reading, tri__windows_end_reading, tri__windows_remove (windows.c).
 * And the windows of window_x86_64.h, window_aarch64.h and window_counted.h.
 *
 * A handler stops the thread; other threads run on. Each access to a shared word is a step of its
 * own. Two stores, about the table of windows, come late in mutants.
 *
 * What must hold
 *   - no window is torn apart: from the look at the phase to the store there is no answer
 *                        [inv.window.inline], [inv.window.nested], [inv.window.held]
 *   - nor is there one in the library, where a lock may be held           [inv.window.runtime]
 *   - only one party acts for the thread at a time                        [inv.mutator.claim]
 *   - once a round is over the thread does not run on in an old phase     [inv.handshake.dekker]
 *   - a thread that was asked inside the library answers as it leaves it
 *   - all answers come, once each: no state in which all sleep
 *   - rows of windows are not unmapped under a handler's eyes             [inv.window.known]
 * Mutants, each of which must fail
 *   NO_DEPTH        the handler answers inside the library
 *   NO_RESTART      ... inside a window of assembler, without setting the thread back
 *   NO_NESTED       ... or inside a handler of the program's that has interrupted such a window
 *   NO_HELD         ... although the thread holds back
 *   NO_STATE        ... although the collector may be acting for the thread
 *   NO_STACK        ... although the thread is on no stack of its own
 *   NO_NOTE         the handler leaves no note in the library
 *   LOOK_FIRST      the look for the note comes before the window is closed
 *   ONE_LOOK        what comes in while a note is dealt with is not looked for again
 *   SLOW_HELD, SLOW_STATE, SLOW_STACK
 *                   who deals with a note does not look at that
 *   NO_LET_GO       a safepoint does not end holding back
 *   SEND_ONCE       a signal is not sent again
 *   NO_FORGET       ... if it was taken away
 *   NO_READERS      the handler does not say that it reads the table of windows
 *   WEAK_READERS    ... or that is seen after its look
 *   WEAK_UNLINK     that a library's windows are taken out is seen after the look for readers
 *   STALE_TAKE      a thread counts an answer that may be for a later announcement */
#ifndef ROUNDS
#define ROUNDS 2
#endif
#ifndef OPS
#define OPS 2
#endif

mtype = { running, blocked, claimed, awaited };

byte announced, answered, pending;
mtype state = running;
bool request, deferred, held;   /* bits of the request word */
byte inside;                    /* so many windows that count */
bool signalled;
bool coordinator_sleeps, thread_sleeps;
bool linked = true, readers;    /* a library's rows; as all see it */
bool is_linked = true;          /* as who closes it has stored it */
bool unmapped;

/* The machine and the program. */
bool sent, masked;              /* a signal is pending; it is blocked */
bool in_handler, in_program;    /* ours runs; one of the program's does, on top of the thread */
bool on_alternate;              /* the program's does so on an alternate stack */
bool in_window;                 /* the thread is inside a window of assembler */
bool set_back;                  /* and begins again when it goes on */
bool elsewhere;                 /* it is on a stack that is not its own */
bool resting;                   /* it comes to no safepoint any more */

/* What the assertions speak of. */
byte joined;                    /* the announcement the thread is in */
byte over;                      /* the last one whose round has ended */
byte acting;
bool lock;                      /* one that an answer takes */
bool copying;                   /* between the barrier for a range and the copy */
bool owed;                      /* a note was left */

#define GOES_ON (!in_handler && !in_program)
#define STEP(x) atomic { GOES_ON -> x }

/* --- answers: `may` is when who answers can take a step -------------------------------------- */

inline catch_up(may, number) {
  atomic { (may) -> acting++; assert(acting == 1) };
  atomic { (may) ->
    if
    :: joined != number -> joined = number
    :: else
    fi;
    acting--
  }
}

inline count(may) {
  atomic { (may) ->
    assert(pending > 0);
    pending--;
    if
    :: pending == 0 -> coordinator_sleeps = false
    :: else
    fi
  }
}

inline take(may, counts) {
  atomic { (may) ->
    counts = counts || request;
    request = false
  }
}

#define NEEDS_ANSWER (announced != answered || request)

/* It scans the stack that the thread is on, and takes locks that the library takes. */
#define CAN_ANSWER (!lock && !elsewhere)

inline answer(may, n, counts) {
  if
  :: (may) && NEEDS_ANSWER ->
     do
     :: atomic { (may) -> n = announced; assert(CAN_ANSWER) };
        catch_up(may, n);
        atomic { (may) -> answered = n };
#ifdef STALE_TAKE
        take(may, counts);
        break
#else
        take(may, counts);
        if
        :: (may) && announced == n -> break
        :: (may) && announced != n
        fi
#endif
     od;
     if
     :: counts -> atomic { (may) -> counts = false }; count(may)
     :: else
     fi;
     atomic { (may) -> n = 0; owed = false }
  :: atomic { (may) && !NEEDS_ANSWER -> owed = false }
  fi
}

/* --- windows that count ---------------------------------------------------------------------- */

inline open_window() { STEP(inside++) }

#ifdef SLOW_HELD
#define SLOW_IS_HELD false
#else
#define SLOW_IS_HELD held
#endif
#ifdef SLOW_STATE
#define SLOW_IS_RUNNING true
#else
#define SLOW_IS_RUNNING (state == running)
#endif
#ifdef SLOW_STACK
#define SLOW_IS_ELSEWHERE false
#else
#define SLOW_IS_ELSEWHERE elsewhere
#endif
#define SLOW_MAY (!SLOW_IS_HELD && SLOW_IS_RUNNING && !SLOW_IS_ELSEWHERE)

/* tri__window_deferred_slow(), inside a window. */
inline deal_with_note(may, n, counts) {
  atomic { (may) -> deferred = false };
  if
  :: (may) && SLOW_MAY -> answer(may, n, counts)
  :: atomic { (may) && !SLOW_MAY -> owed = false }
  fi
}

inline close_window() {
#ifdef LOOK_FIRST
  if
  :: GOES_ON && deferred -> deal_with_note(GOES_ON, n, counts)
  :: GOES_ON && !deferred
  fi;
  STEP(inside--; assert(!owed))
#else
  STEP(inside--);
  do
  :: GOES_ON && deferred ->
     open_window();
     deal_with_note(GOES_ON, n, counts);
#ifdef ONE_LOOK
     STEP(inside--; assert(!owed));
     break
#else
     STEP(inside--)
#endif
  :: atomic { GOES_ON && !deferred -> assert(!owed); break }
  od
#endif
}

/* --- the thread ------------------------------------------------------------------------------ */

/* The test and the store of tri_store(), which is done by the rules of the phase it has seen. */
inline inline_store() {
  STEP(seen = joined; in_window = true);
  do
  :: atomic { GOES_ON && set_back -> set_back = false; seen = joined }
  :: atomic { GOES_ON && !set_back ->
       assert(seen == joined && joined >= over); in_window = false; seen = 0; break }
  od
}

inline call_library() {
  open_window();
  STEP(seen = joined; lock = true);
  STEP(assert(seen == joined && joined >= over); seen = 0; lock = false);
  close_window()
}

inline pass_safepoint() {
  open_window();
#ifndef NO_LET_GO
  STEP(held = false);
#endif
  answer(GOES_ON, n, counts);
  STEP(owes_safepoint = false);
  close_window()
}

/* The copy that follows is the program's own code. */
inline copy_range() {
  open_window();
  STEP(held = true);
  STEP(copying = true; owes_safepoint = true; seen = joined);
  close_window();
  STEP(assert(seen == joined && joined >= over); copying = false; seen = 0)
}

inline become_blocked() {
  do
  :: STEP(state = blocked);
     if
     :: GOES_ON && announced == answered -> break
     :: GOES_ON && announced != answered
     fi;
     atomic { GOES_ON ->
       if
       :: state == blocked -> state = running
       :: else -> break
       fi
     };
     answer(GOES_ON, n, counts)
  od
}

inline become_running() {
  do
  :: atomic { GOES_ON && state == blocked -> state = running; break }
  :: atomic { GOES_ON && state == claimed -> state = awaited }
  :: atomic { GOES_ON && state == awaited -> thread_sleeps = true };
     !thread_sleeps
  od;
#ifndef NO_LET_GO
  STEP(held = false);
#endif
  answer(GOES_ON, n, counts);
  STEP(owes_safepoint = false)
}

inline sleep_in_block() {
  open_window();
  become_blocked();
  close_window();
  open_window();
  become_running();
  close_window()
}

/* tri_stack_switch(), and then the program's switch. */
inline switch_stacks() {
  open_window();
  STEP(elsewhere = true);
  close_window();
  STEP(elsewhere = false)
}

active proctype thread() {
  byte ops, seen, n;
  bool counts, owes_safepoint;
  do
  :: ops < OPS ->
     ops++;
     if
     :: inline_store()
     :: call_library()
     :: copy_range()
     :: sleep_in_block()
     :: switch_stacks()
     :: STEP(masked = true)
     fi
  :: masked -> STEP(masked = false)
  :: request || owes_safepoint -> pass_safepoint()
  :: atomic { GOES_ON && !masked && !owes_safepoint -> resting = true; break }
  od;
end_resting: /* it computes, or sleeps in a system call */
  false
}

/* --- handlers -------------------------------------------------------------------------------- */

#ifdef NO_DEPTH
#define IN_LIBRARY false
#else
#define IN_LIBRARY (inside != 0)
#endif
#ifdef NO_STATE
#define IS_ASLEEP false
#else
#define IS_ASLEEP (state != running)
#endif
#ifdef NO_HELD
#define IS_HELD false
#else
#define IS_HELD held
#endif
#ifdef NO_STACK
#define IS_ELSEWHERE on_alternate
#else
#define IS_ELSEWHERE (elsewhere || on_alternate)
#endif
#ifdef NO_NESTED
#define MUST_WAIT false
#define CAN_SET_BACK (in_window && !in_program)
#elif defined(NO_LAYOUT)
#define MUST_WAIT (in_program && in_window)
#define CAN_SET_BACK (in_window && !in_program)
#else
#define MUST_WAIT false
#define CAN_SET_BACK in_window
#endif

#ifdef CLOSE
/* The rows that are looked at may be those of another library, which is being closed. */
inline look_for_windows() {
#ifndef NO_READERS
#ifndef WEAK_READERS
  readers = true;
#endif
#endif
  found = linked;
#ifdef WEAK_READERS
  readers = true;
#endif
  atomic { assert(!found || !unmapped); found = false };
  readers = false
}
#endif

inline answer_at() {
#ifdef CLOSE
  look_for_windows();
#endif
  if
  :: IS_ELSEWHERE || MUST_WAIT
  :: else ->
#ifndef NO_RESTART
     if
     :: CAN_SET_BACK -> set_back = true
     :: else
     fi;
#endif
     answer(true, m, counts)
  fi
}

active proctype handler() {
  byte m;
  bool counts, found;
end:
  do
  :: atomic { sent && !masked -> sent = false; in_handler = true };
     signalled = false;
     if
     :: !request
     :: request ->
        if
#ifdef NO_NOTE
        :: IN_LIBRARY -> owed = true
#else
        :: IN_LIBRARY -> atomic { deferred = true; owed = true }
#endif
        :: !IN_LIBRARY && (IS_ASLEEP || IS_HELD)
        :: !IN_LIBRARY && !IS_ASLEEP && !IS_HELD ->
           inside++;
           answer_at();
           inside--;
           if
           :: deferred && !on_alternate ->
              inside++; deal_with_note(true, m, counts); inside--
           :: deferred && on_alternate -> atomic { deferred = false; owed = false }
           :: !deferred
           fi
        fi
     fi;
     in_handler = false
  od
}

/* One of the program's, for another signal. */
active proctype program_handler() {
  atomic {
    !in_handler -> in_program = true;
    if
    :: on_alternate = true
    :: true
    fi
  };
  atomic { !in_handler -> in_program = false; on_alternate = false };
end:
  false
}

/* The program takes a signal that was not meant for it, once. */
active proctype taker() {
end:
  atomic { sent && !resting -> sent = false };
end_taken:
  false
}

/* --- a library is closed --------------------------------------------------------------------- */

#ifdef CLOSE
active proctype closer() {
#ifdef WEAK_UNLINK
  is_linked = false;
  !readers;
  atomic { unmapped = true };
#else
  atomic { is_linked = false; linked = false };
  !readers;
  unmapped = true;
#endif
  linked = is_linked;
end:
  false
}
#endif

/* --- the coordinator ------------------------------------------------------------------------- */

inline ask() {
  pending++;
  signalled = false;
  request = true;
  if
  :: answered == announced ->
     take(true, counts);
     if
     :: counts -> counts = false; count(true)
     :: else
     fi
  :: answered != announced
  fi
}

/* A thread that rests gets two signals, of which the program's handler may spoil one. */
inline send() {
  if
  :: resting && !sent -> chances--
  :: else
  fi;
  signalled = true;
  sent = true
}

#ifdef SEND_ONCE
#define MAY_SEND (!was_sent)
#else
#define MAY_SEND (!resting || (chances > 0 && !in_program))
#endif

inline await_answers() {
  pending--;
  do
  :: atomic { request && state == running && !signalled && MAY_SEND -> was_sent = true; send() }
#ifndef NO_FORGET
  :: atomic { request && signalled && !sent && !in_handler -> signalled = false }
#endif
  :: pending == 0 -> break
  od;
  atomic { was_sent = false; chances = 2 }
}

inline claim() {
  atomic {
    if
    :: state == blocked -> state = claimed; mine = true
    :: else
    fi
  };
  if
  :: mine ->
     if
     :: answered != announced -> catch_up(true, announced); answered = announced
     :: else
     fi;
     atomic {
       if
       :: state == awaited -> thread_sleeps = false
       :: else
       fi;
       state = blocked
     }
  :: else
  fi
}

inline begin_asking() { atomic { assert(pending == 0); pending = 1 } }

active proctype coordinator() {
  byte chances = 2;
  bool mine, counts, was_sent;
  do
  :: announced < ROUNDS ->
     begin_asking();
     announced++;
     if
     :: state != blocked -> ask()
     :: state == blocked
     fi;
     await_answers();
     over = announced;
     begin_asking();
     if
     :: answered != announced ->
        claim();
        if
        :: mine -> mine = false
        :: else -> ask()
        fi
     :: answered == announced
     fi;
     await_answers();
     assert(joined == announced)
  :: else -> break
  od
}
