/* SPDX-License-Identifier: MIT */
/* What each module says about itself, found as `module` or `user_module` by dlsym(). */
#ifndef MODULE_H
#define MODULE_H

#include <stdbool.h>
#include <stddef.h>

struct module {
    void *(*make)(size_t n); /* so many objects of each of its types, which refer to each other */
    bool (*check)(void *made, size_t n);
    void (*keep)(void *p); /* in a TRI_ROOT variable of the module */
    void *(*kept)(void);
    const void *(*type)(void); /* address of a descriptor */
};

#define MODULE_API __attribute__((visibility("default")))

#endif
