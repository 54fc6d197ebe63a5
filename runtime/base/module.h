/* SPDX-License-Identifier: MIT */
/* Executables and shared objects of the process, and keeping them loaded.
 *
 * Locks: the dynamic loader's. Another thread may have it for as long as constructors of a library
 * run, and these may wait for anything: no caller may be waited for by the collector meanwhile. */
#ifndef TRI__BASE_MODULE_H
#define TRI__BASE_MODULE_H

#include <stdbool.h>

/* Whatever dlclose() is told from now on, the shared object that has `address` is not unloaded. 0;
 * also where there is nothing to do: in the program itself, in malloc's memory, in a program
 * without a dynamic loader. Or -EBUSY: it cannot be kept; says so on stderr. */
int tri__module_pin(const void *address);

/* Does the program itself have the address, and no shared object? Any thread, without a lock. */
bool tri__module_is_program(const void *address);

#endif
