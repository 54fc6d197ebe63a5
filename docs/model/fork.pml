/* SPDX-License-Identifier: MIT */
/* Locks at a fork: a thread that forks, one that replaces a table and waits for its readers, one
 * that holds init_lock while a cycle ends, one that attaches, one that closes a library, one that
 * answers in a handler, and the courier, which asks threads and then reads the table. In the child
 * the others have stopped dead, and what they held must not be missed.
 *
 * Functions: before_fork, after_fork_in_parent, after_fork_in_child (init.c); tri__rcu_register,
 * tri__rcu_pause, tri__rcu_before_fork, tri__rcu_after_fork_child, run_waiting,
 * tri__rcu_synchronize (rcu_shim.c); tri__registry_lock (registry.c), join (attach.c), ask_running,
 * await_answers (handshake.c), drain_thread (cycle.c), tri_root_remove (roots.c), tri_shutdown
 * (init.c), tri__windows_remove, tri__windows_before_fork, tri__windows_after_fork (windows.c),
 * answer_or_put_off (signal.c).
 * And of liburcu what those of rcu_shim.c call.
 *
 * cycle_lock, roots_lock, the page heap's and the other leaves are like drain_lock, and left out;
 * so is rebuild_lock, which is like init_lock.
 *
 * What must hold
 *   - in the parent nobody waits for ever                                 [inv.fork.locks]
 *   - nor in the child, where all that can be done with the locks is done once more
 * Mutants, each of which must fail
 *   INIT_RUNNING   init_lock is waited for outside of TRI_BLOCKING
 *   NO_INIT        ... or not taken
 *   NO_GRACE       grace_lock is not taken
 *   GRACE_LATE     ... or after the others
 *   NO_URCU        liburcu's locks are not taken
 *   NO_REGISTRY    the registry's lock is not taken
 *   NO_DRAIN       nor is drain_lock
 *   WINDOWS_LATE   windows_lock is taken after those that handlers wait for
 *   LATE_REGISTER  threads read for the first time under the registry's lock
 *   KEEP_READERS   the child does not forget the readers that are dead
 *   KEEP_HANDLERS  nor those of the table of windows */
#define INIT     0
#define GRACE    1
#define REGISTER 2
#define URCU     3 /* liburcu's list of readers; its lock of grace periods is like GRACE */
#define REGISTRY 4
#define DRAIN    5
#define WINDOWS  6

byte locks;                /* bit l: somebody has it */
byte readers;              /* under RCU now */
byte handlers;             /* that read the table of windows */
bool asked, is_blocked;    /* the thread that forks */
bool cycle_over, in_child;
byte done;                 /* in the child: bit for each of the two that begin there */
bool beats;

#define LOCK(l) atomic { (locks >> (l) & 1) == 0 -> locks = locks | 1 << (l) }
#define UNLOCK(l) locks = locks & ~(1 << (l))

/* Enters liburcu's list of readers. */
inline register_reader() {
  LOCK(REGISTER);
  LOCK(URCU);
  UNLOCK(URCU);
  UNLOCK(REGISTER)
}

inline lock_registry() {
#ifdef LATE_REGISTER
  LOCK(REGISTRY);
  register_reader()
#else
  register_reader();
  LOCK(REGISTRY)
#endif
}

/* A grace period. The lock of the list of readers is not held while waiting for them. */
inline synchronize() {
  LOCK(GRACE);
  do
  :: LOCK(URCU);
     if
     :: readers == 0 -> UNLOCK(URCU); break
     :: readers != 0 -> UNLOCK(URCU)
     fi;
     readers == 0
  od;
  UNLOCK(GRACE)
}

inline close_library() {
  LOCK(WINDOWS);
  handlers == 0;
  UNLOCK(WINDOWS)
}

inline round() {
  lock_registry();
  readers++;
  asked = !is_blocked;
  readers--;
  UNLOCK(REGISTRY);
  !asked || is_blocked; /* who blocks has answered before */
  readers++;
  LOCK(DRAIN);
  UNLOCK(DRAIN);
  readers--
}

/* --- the thread that forks -------------------------------------------------------------------- */

inline before_fork() {
#ifdef INIT_RUNNING
  LOCK(INIT);
  atomic { asked = false; is_blocked = true };
#else
  atomic { asked = false; is_blocked = true };
#ifndef NO_INIT
  LOCK(INIT);
#endif
#endif
#ifndef NO_GRACE
#ifndef GRACE_LATE
  LOCK(GRACE);
#endif
#endif
#ifndef WINDOWS_LATE
  LOCK(WINDOWS);
#endif
  is_blocked = false;
#ifndef NO_URCU
  LOCK(REGISTER);
  LOCK(URCU);
#endif
#ifndef NO_REGISTRY
  LOCK(REGISTRY); /* it has registered */
#endif
#ifndef NO_DRAIN
  LOCK(DRAIN);
#endif
#ifdef GRACE_LATE
  LOCK(GRACE);
#endif
#ifdef WINDOWS_LATE
  LOCK(WINDOWS);
#endif
  skip
}

inline after_fork() {
  UNLOCK(WINDOWS);
#ifndef NO_DRAIN
  UNLOCK(DRAIN);
#endif
#ifndef NO_REGISTRY
  UNLOCK(REGISTRY);
#endif
#ifndef NO_INIT
  UNLOCK(INIT);
#endif
#ifndef NO_URCU
  UNLOCK(REGISTER);
#endif
#ifndef NO_GRACE
  UNLOCK(GRACE);
#endif
#ifndef NO_URCU
  UNLOCK(URCU)
#else
  skip
#endif
}

active proctype forker() {
  before_fork();
  if
  :: true /* the parent */
  :: atomic {
       in_child = true; asked = false; cycle_over = true;
#ifndef KEEP_READERS
       readers = 0;
#endif
#ifndef KEEP_HANDLERS
       handlers = 0;
#endif
       skip
     }
  fi;
  after_fork();
end_running:
  do
  :: asked -> asked = false /* a safepoint */
  :: in_child && (done & 1) == 0 -> 
     LOCK(INIT);
     UNLOCK(INIT);
     synchronize();
     close_library();
     done = done | 1
  :: in_child && done == 3 -> break
  od;
end_over: /* whoever is dead does not matter */
  do
  :: beats = !beats
  od
}

/* A new courier and a new thread. */
active proctype of_child() {
end:
  in_child;
  round();
  lock_registry();
  UNLOCK(REGISTRY);
  done = done | 2;
end_done:
  false
}

/* --- the others, which a fork stops dead ----------------------------------------------------- */

active proctype courier() {
  {
    round();
    cycle_over = true;
end:
    false
  } unless { in_child }
}

active proctype remover() {
  {
    synchronize();
end:
    false
  } unless { in_child }
}

active proctype stopper() {
  {
    LOCK(INIT);
    cycle_over;
    UNLOCK(INIT);
end:
    false
  } unless { in_child }
}

active proctype comer() {
  {
    lock_registry();
    UNLOCK(REGISTRY);
end:
    false
  } unless { in_child }
}

active proctype closer() {
  {
    close_library();
end:
    false
  } unless { in_child }
}

/* An answer in a signal handler, which may need locks of low rank. */
active proctype handler() {
  {
    handlers++;
    LOCK(DRAIN);
    UNLOCK(DRAIN);
    handlers--;
end:
    false
  } unless { in_child }
}
