/* SPDX-License-Identifier: MIT */
/* The message about a use of an arena that was freed. */
#ifndef TRI__HEAP_ARENA_FAULT_H
#define TRI__HEAP_ARENA_FAULT_H

/* Installs the handler of SIGSEGV and SIGBUS, once a process. Any thread. */
void tri__arena_fault_install(void);

#endif
