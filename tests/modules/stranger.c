/* SPDX-License-Identifier: MIT */
/* A program that knows nothing of tricolor opens and closes a module that uses it:
 * stranger <module> */
#include <dlfcn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "module.h"

static void *found(void *p, const char *what)
{
    if (p == NULL) {
        fprintf(stderr, "%s: %s\n", what, dlerror());
        exit(1);
    }
    return p;
}

int main(int argc, char **argv)
{
    int (*init)(const void *config);
    void (*shutdown)(void);
    const struct module *module;
    void *library, *made;

    alarm(300);                  /* a deadlock is a failure */
    for (int i = 0; i < 50; i++) /* its roots come and go without a heap */
        if (dlclose(found(dlopen(argv[argc - 1], RTLD_NOW), "dlopen")) != 0)
            return 1;
    library = found(dlopen(argv[argc - 1], RTLD_NOW), "dlopen");
    *(void **)&init = found(dlsym(library, "tri_init"), "tri_init");
    *(void **)&shutdown = found(dlsym(library, "tri_shutdown"), "tri_shutdown");
    module = found(dlsym(library, "module"), "module");
    if (init(NULL) != 0)
        return 1;
    made = module->make(1000);
    if (dlclose(library) != 0 || !module->check(made, 1000))
        return 1;
    shutdown();
    return 0;
}
