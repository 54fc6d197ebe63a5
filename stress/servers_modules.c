/* SPDX-License-Identifier: MIT */
/* stress/servers_modules.c: shared objects that come and go. One has roots only, and is really
 * unloaded; the other one has types, and stays while the program believes to have closed it.
 *
 * They lie where the build has put them beside the program; a build that has no shared library has
 * none of them, and goes without.
 * Locks: one for each, because the next one to open it would keep it loaded. */
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "stress/servers.h"
#include "tests/modules/module.h"

#define OBJECTS 60

static struct library {
    const char *name;
    char path[4096];
    pthread_mutex_t lock;
} roots = {.name = "module_roots", .lock = PTHREAD_MUTEX_INITIALIZER},
  types = {.name = "module_types", .lock = PTHREAD_MUTEX_INITIALIZER};

static bool available;

static void find_library(struct library *library)
{
    char own[2048], *slash;
    ssize_t n = readlink("/proc/self/exe", own, sizeof own - 1);

    own[n > 0 ? n : 0] = '\0';
    slash = strrchr(own, '/');
    if (slash != NULL)
        *slash = '\0';
    snprintf(library->path, sizeof library->path, "%s/.libs/%s.so", own, library->name);
    if (access(library->path, R_OK) != 0)
        available = false;
}

void modules_init(void)
{
    available = true;
    find_library(&roots);
    find_library(&types);
    if (!available)
        printf("%s: without shared objects: there is no %s\n", stress_name, roots.path);
}

/* ---- opening and closing ---- */

static bool library_try(struct library *library)
{
    return available && pthread_mutex_trylock(&library->lock) == 0;
}

/* Constructors may use the heap: not in TRI_BLOCKING. */
static const struct module *open_library(struct worker *worker, const struct library *library,
                                         void **handle)
{
    const struct module *module;

    *handle = dlopen(library->path, RTLD_NOW | (chance(worker, 50) ? RTLD_LOCAL : RTLD_GLOBAL));
    module = *handle != NULL ? dlsym(*handle, "module") : NULL;
    if (module == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        servers_fail(worker, "a module cannot be loaded");
    }
    return module;
}

static void *close_it(void *handle)
{
    return dlclose(handle) == 0 ? NULL : handle;
}

/* Here, in TRI_BLOCKING, or by a thread that has nothing to do with the heap. */
static void close_library(struct worker *worker, void *handle)
{
    unsigned way = (unsigned)below(worker, 3);
    pthread_t thread;
    void *failed = NULL;

    if (way == 0) {
        failed = close_it(handle);
    } else if (way == 1) {
        TRI_BLOCKING
            failed = close_it(handle);
    } else {
        stress_start(&thread, close_it, handle);
        TRI_BLOCKING
            pthread_join(thread, &failed);
    }
    if (failed != NULL)
        servers_fail(worker, "a module cannot be closed");
}

static bool is_loaded(const struct library *library)
{
    void *handle = dlopen(library->path, RTLD_LAZY | RTLD_NOLOAD);

    if (handle != NULL)
        dlclose(handle);
    return handle != NULL;
}

/* ---- roots ---- */

/* Nothing but the module leads there. */
static __attribute__((noinline)) uint64_t keep_tree(struct worker *worker,
                                                    const struct module *module)
{
    slot tree = tree_new(worker);

    module->keep(tree.p);
    return tree.want;
}

void act_roots_module(struct worker *worker)
{
    const struct module *module;
    void *handle;
    slot tree;

    if (!library_try(&roots))
        return;
    module = open_library(worker, &roots, &handle);
    if (!module->check(NULL, below(worker, 10)))
        servers_fail(worker, "what a constructor has made is gone");
    tree.want = keep_tree(worker, module);
    scrub_stack();
    sleep_somehow(worker);
    tree.p = module->kept();
    tree_check(worker, tree, "a module");
    close_library(worker, handle);
    if (is_loaded(&roots))
        servers_fail(worker, "a module that has roots only is still loaded");
    pthread_mutex_unlock(&roots.lock);
    make_garbage(worker);
    tree_check(worker, tree, "what a module has held");
}

/* ---- types ---- */

void act_types_module(struct worker *worker)
{
    const struct module *module;
    void *handle, *made;

    if (!library_try(&types))
        return;
    module = open_library(worker, &types, &handle);
    made = module->make(OBJECTS);
    if (made == NULL)
        give_up("out of memory");
    if (chance(worker, 50))
        module->keep(made);
    close_library(worker, handle);
    sleep_somehow(worker);
    make_garbage(worker);
    if (!is_loaded(&types))
        servers_fail(worker, "a module of whose types there are objects is gone");
    if (!module->check(made, OBJECTS))
        servers_fail(worker, "objects of a module's types are lost");
    if (module->kept() != NULL && !module->check(module->kept(), OBJECTS))
        servers_fail(worker, "what a closed module's root holds is lost");
    module->keep(NULL);
    pthread_mutex_unlock(&types.lock);
}
