/* SPDX-License-Identifier: MIT */
/* Opens and closes the modules beside it: host <folder> <case>. Run by tests/test_modules.sh, a
 * case a process, because a module that was kept loaded stays. */
#include <dlfcn.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <tricolor.h>

#include "item.h"
#include "module.h"

#define OBJECTS 2000 /* enough for types to get hot */
#define CHURN 200

#define CHECK(condition)                                                                           \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);                \
            exit(1);                                                                               \
        }                                                                                          \
    } while (0)

struct opened {
    void *handle;
    const struct module *module;
};

/* The module that uses another one has a name of its own for what it says about itself: the other
 * one would take it for its own, and so keep the user loaded. */
static struct opened open_module(const char *name, int mode)
{
    struct opened opened = {dlopen(name, mode | RTLD_NOW), NULL};

    if (opened.handle == NULL) {
        fprintf(stderr, "%s\n", dlerror());
        exit(1);
    }
    opened.module = dlsym(opened.handle, "user_module");
    if (opened.module == NULL)
        opened.module = dlsym(opened.handle, "module");
    CHECK(opened.module != NULL);
    return opened;
}

static bool is_loaded(const char *name)
{
    void *handle = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);

    if (handle != NULL)
        dlclose(handle);
    return handle != NULL;
}

/* Overwrites what calls that have returned left below the caller's frame. */
static __attribute__((noinline)) void clear_stack(void)
{
    volatile char room[64 << 10];

    memset((char *)room, 0, sizeof room);
    __asm__ volatile("" : : "r"(room) : "memory");
}

static void collect(int times)
{
    for (int i = 0; i < times; i++) {
        clear_stack();
        tri_collect();
    }
}

/* ---- types ---- */

/* Closed with objects alive, with garbage not swept yet, and in a second heap. */
static void close_with_objects(int mode)
{
    struct opened types = open_module("./types.so", mode);
    tri_handle *handle;

    CHECK(chdir("/") == 0); /* its name means nothing any more */
    for (int heap = 0; heap < 2; heap++) {
        handle = tri_handle_new(types.module->make(OBJECTS));
        CHECK(types.module->make(OBJECTS) != NULL);
        if (heap == 0)
            CHECK(dlclose(types.handle) == 0);
        collect(3);
        CHECK(types.module->check(tri_handle_get(handle), OBJECTS));
        types.module->keep(tri_handle_get(handle)); /* its root is one still */
        tri_handle_free(handle);
        collect(3);
        CHECK(types.module->check(types.module->kept(), OBJECTS));
        tri_shutdown();
        CHECK(types.module->kept() == NULL);
        CHECK(tri_init(NULL) == 0);
    }
}

static void local_types(void)
{
    close_with_objects(RTLD_LOCAL);
}

static void global_types(void)
{
    close_with_objects(RTLD_GLOBAL);
}

/* Types that nobody has used keep nothing loaded. */
static void unused_types(void)
{
    for (int i = 0; i < CHURN; i++) {
        struct opened types = open_module("./types.so", i % 2 != 0 ? RTLD_LOCAL : RTLD_GLOBAL);

        CHECK(types.module->type() != NULL);
        CHECK(dlclose(types.handle) == 0);
        CHECK(!is_loaded("./types.so"));
    }
}

/* In roots and arenas types are named without any object in the heap. */
static void types_of_roots(void)
{
    static void *memory[2];
    struct opened types = open_module("./types.so", RTLD_LOCAL);

    CHECK(tri_root_add(memory, types.module->type(), 1) == 0);
    CHECK(dlclose(types.handle) == 0);
    CHECK(is_loaded("./types.so"));
    collect(2);
    CHECK(tri_root_remove(memory) == 0);
}

static void types_of_arenas(void)
{
    struct opened types = open_module("./types.so", RTLD_LOCAL);
    tri_arena *arena = tri_arena_new();
    void *value = tri_arena_alloc(arena, types.module->type());

    CHECK(dlclose(types.handle) == 0);
    CHECK(is_loaded("./types.so"));
    collect(2);
    CHECK(tri_object_size(value) == sizeof(item));
    tri_arena_free(arena);
}

/* ---- roots ---- */

/* An address that no scan takes for a pointer. */
static __attribute__((noinline)) uintptr_t keep_a_list(const struct module *module)
{
    item *list = NULL;

    for (long i = 1; i <= 50; i++)
        list = item_push(list, i);
    module->keep(list);
    return ~(uintptr_t)list;
}

static __attribute__((noinline)) bool is_alive(uintptr_t hidden)
{
    return tri_object_base((void *)~hidden) != NULL;
}

/* A stray word may keep one of several. */
static void roots_go(void)
{
    unsigned alive = 0;

    for (int i = 0; i < 10; i++) {
        struct opened roots = open_module("./roots.so", RTLD_LOCAL);
        uintptr_t hidden = keep_a_list(roots.module);

        collect(2);
        CHECK(is_alive(hidden));
        CHECK(roots.module->check(NULL, 9));
        CHECK(dlclose(roots.handle) == 0);
        CHECK(!is_loaded("./roots.so"));
        collect(2);
        alive += is_alive(hidden);
    }
    CHECK(alive <= 5);
}

/* ---- while cycles run ---- */

static bool stop; /* atomic */

static void *run_cycles(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        tri_collect();
    return NULL;
}

static void *allocate(void *unused)
{
    void **kept = tri_new_ptrs(16);

    (void)unused;
    for (unsigned i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i++)
        tri_store(&kept[i % 16], (void *)item_push(NULL, i));
    return kept;
}

static pthread_t others[2];

static void start_others(void)
{
    CHECK(tri_thread_create(&others[0], NULL, run_cycles, NULL) == 0);
    CHECK(tri_thread_create(&others[1], NULL, allocate, NULL) == 0);
}

static void stop_others(void)
{
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    TRI_BLOCKING
        for (int i = 0; i < 2; i++)
            pthread_join(others[i], NULL);
}

static void *close_it(void *handle)
{
    return dlclose(handle) == 0 ? handle : NULL;
}

/* On a thread that has never used the heap. */
static bool close_elsewhere(void *handle)
{
    pthread_t thread;
    void *result = NULL;

    CHECK(pthread_create(&thread, NULL, close_it, handle) == 0);
    TRI_BLOCKING
        pthread_join(thread, &result);
    return result == handle;
}

static bool close_blocking(void *handle)
{
    int error = -1;

    TRI_BLOCKING
        error = dlclose(handle);
    return error == 0;
}

static bool close_plainly(void *handle)
{
    return dlclose(handle) == 0;
}

/* What is loaded from a root right before its module goes is not lost: removing the root is
 * overwriting it [inv.roots.change]. */
static void roots_churn(void)
{
    static bool (*const ways[])(void *handle) = {close_plainly, close_blocking, close_elsewhere};

    start_others();
    for (int i = 0; i < CHURN; i++) {
        struct opened roots = open_module("./roots.so", i % 2 != 0 ? RTLD_LOCAL : RTLD_GLOBAL);
        item *list;

        keep_a_list(roots.module);
        clear_stack();
        for (int k = 0; k < i * 40; k++)
            tri_safepoint();
        list = roots.module->kept();
        CHECK(ways[i % 3](roots.handle));
        CHECK(!is_loaded("./roots.so"));
        for (int k = 0; k < 2000; k++)
            CHECK(item_push(NULL, k) != NULL);
        CHECK(item_sum(list) == 50 * 51 / 2);
        for (item *at = list; at != NULL; at = at->next)
            CHECK(tri_object_base(at) == at);
    }
    stop_others();
}

static void types_churn(void)
{
    void *made = NULL;

    start_others();
    for (int i = 0; i < CHURN; i++) {
        struct opened types = open_module("./types.so", i % 2 != 0 ? RTLD_LOCAL : RTLD_GLOBAL);

        CHECK(made == NULL || types.module->check(made, 100));
        made = types.module->make(100);
        CHECK(types.module->check(made, 100));
        CHECK(dlclose(types.handle) == 0);
        CHECK(types.module->check(made, 100));
    }
    stop_others();
}

/* ---- the loader's lock ---- */

static uint64_t cycles(void)
{
    tri_stats stats = TRI_STATS_INIT;

    CHECK(tri_stats_get(&stats) == 0);
    return stats.cycles;
}

/* While another thread's constructor waits for cycles types are used for the first time, which
 * needs the loader's lock. */
static uint64_t cycles_before; /* the constructor's */

static void *use_types(void *module)
{
    while (cycles() == cycles_before)
        tri_safepoint();
    return ((const struct module *)module)->make(10);
}

static void constructors_wait(void)
{
    struct opened types = open_module("./types.so", RTLD_LOCAL), waiting;
    pthread_t thread;
    void *made = NULL;

    cycles_before = cycles();
    CHECK(tri_thread_create(&thread, NULL, use_types, (void *)(uintptr_t)types.module) == 0);
    waiting = open_module("./waiting.so", RTLD_LOCAL);
    TRI_BLOCKING
        pthread_join(thread, &made);
    CHECK(types.module->check(made, 10));
    CHECK(dlclose(waiting.handle) == 0 && dlclose(types.handle) == 0);
    CHECK(!is_loaded("./waiting.so") && is_loaded("./types.so"));
}

static pthread_mutex_t registered = PTHREAD_MUTEX_INITIALIZER;
static int stage; /* atomic: 1: the lock is held, 2: and wanted by a constructor */

__attribute__((visibility("default"))) void host_lock_and_unlock(void);
void host_lock_and_unlock(void)
{
    __atomic_store_n(&stage, 2, __ATOMIC_RELEASE);
    TRI_BLOCKING
        pthread_mutex_lock(&registered);
    pthread_mutex_unlock(&registered);
}

/* Its first block is one in which it holds the lock. */
static void *sleep_with_lock(void *attaches)
{
    if (attaches != NULL)
        CHECK(tri_thread_attach() == 0);
    pthread_mutex_lock(&registered);
    __atomic_store_n(&stage, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 2)
        usleep(1000);
    TRI_BLOCKING
        usleep(1000);
    pthread_mutex_unlock(&registered);
    return NULL;
}

static void load_beside(pthread_t thread)
{
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 1)
        usleep(1000);
    CHECK(dlclose(open_module("./locking.so", RTLD_LOCAL).handle) == 0);
    TRI_BLOCKING
        pthread_join(thread, NULL);
}

/* Threads that say that they attach, or are begun by the library, wait for the loader then only. */
static void blocks_with_locks(void)
{
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, sleep_with_lock, &stage) == 0);
    load_beside(thread);
    __atomic_store_n(&stage, 0, __ATOMIC_RELEASE);
    CHECK(tri_thread_create(&thread, NULL, sleep_with_lock, NULL) == 0);
    load_beside(thread);
}

static void *make_with_lock(void *module)
{
    CHECK(tri_thread_attach() == 0);
    pthread_mutex_lock(&registered);
    __atomic_store_n(&stage, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&stage, __ATOMIC_ACQUIRE) != 2)
        usleep(1000);
    CHECK(((const struct module *)module)->make(1) != NULL);
    pthread_mutex_unlock(&registered);
    return NULL;
}

/* Where a type was held before, no object of it waits for the loader. */
static void objects_with_locks(void)
{
    struct opened held = open_module("./held.so", RTLD_LOCAL);
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, make_with_lock, (void *)(uintptr_t)held.module) == 0);
    load_beside(thread);
}

/* ---- the end of the process ---- */

static struct opened open_at_exit; /* while it lasts; handle NULL: none */

/* Of exit(): nothing may run it again. */
static void must_be(bool so, const char *what)
{
    if (so)
        return;
    fprintf(stderr, "not so, in exit(): %s\n", what);
    _exit(1);
}

/* Comes after what the library does at exit: it was registered before. */
static void close_at_exit(void)
{
    if (open_at_exit.handle == NULL)
        return;
    must_be(dlclose(open_at_exit.handle) == 0 && is_loaded("./roots.so"), "it stays");
    collect(2);
    must_be(open_at_exit.module->check(NULL, 9), "its roots are roots");
    open_at_exit = open_module("./copy.so", RTLD_LOCAL);
    must_be(dlclose(open_at_exit.handle) == 0 && is_loaded("./copy.so"), "what comes later stays");
    collect(2);
}

/* Cycles go on while the process ends, and know the variables and windows of what is closed then. */
static void closed_at_exit(void)
{
    open_at_exit = open_module("./roots.so", RTLD_LOCAL);
    start_others();
    exit(0);
}

static void *close_now(void *handle)
{
    dlclose(handle);
    return NULL;
}

/* Its destructor takes its time, and what the loader knows of it is freed while exit() waits. */
static void closed_beside_exit(void)
{
    struct opened slow = open_module("./slow.so", RTLD_LOCAL);
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, close_now, slow.handle) == 0);
    CHECK(pthread_detach(thread) == 0);
    TRI_BLOCKING
        usleep(100000);
    exit(0);
}

static void *open_and_close(void *unused)
{
    (void)unused;
    while (!__atomic_load_n(&stop, __ATOMIC_RELAXED))
        dlclose(open_module("./waiting.so", RTLD_LOCAL).handle);
    return NULL;
}

/* A child may inherit the loader's lock, and then hangs in exit(), whatever it uses. */
static bool is_as_without_us(int status)
{
    return (WIFEXITED(status) && WEXITSTATUS(status) == 0) ||
           (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM);
}

static void children_exit(void)
{
    struct opened roots = open_module("./roots.so", RTLD_LOCAL);
    pthread_t thread;

    CHECK(pthread_create(&thread, NULL, open_and_close, NULL) == 0);
    for (int i = 0; i < 100; i++) {
        int status;
        pid_t child = fork();

        CHECK(child >= 0);
        if (child == 0) {
            ualarm(300000, 0);
            exit(0);
        }
        CHECK(waitpid(child, &status, 0) == child && is_as_without_us(status));
    }
    __atomic_store_n(&stop, true, __ATOMIC_RELAXED);
    TRI_BLOCKING
        pthread_join(thread, NULL);
    CHECK(dlclose(roots.handle) == 0);
}

/* ---- several modules ---- */

static void two_copies(int mode)
{
    struct opened a = open_module("./types.so", mode), b = open_module("./copy.so", mode);

    CHECK(a.module != b.module && a.module->type() != &tri_type_item);
    CHECK((a.module->type() == b.module->type()) == (mode == RTLD_GLOBAL));
    a.module->keep(b.module->make(OBJECTS)); /* one heap: a's roots keep b's objects */
    b.module->keep(a.module->make(OBJECTS));
    CHECK(dlclose(a.handle) == 0 && dlclose(b.handle) == 0);
    collect(3);
    CHECK(b.module->check(a.module->kept(), OBJECTS));
    CHECK(a.module->check(b.module->kept(), OBJECTS));
    CHECK(mode != RTLD_GLOBAL || a.module->check(a.module->kept(), OBJECTS));
}

static void copies_apart(void)
{
    two_copies(RTLD_LOCAL);
}

static void copies_together(void)
{
    two_copies(RTLD_GLOBAL);
}

/* The module that has the type stays; the one that uses it goes. */
static void type_of_another(void)
{
    struct opened user = open_module("./user.so", RTLD_LOCAL), types;
    tri_handle *handle = tri_handle_new(user.module->make(OBJECTS));

    collect(1);
    CHECK(user.module->check(tri_handle_get(handle), OBJECTS));
    CHECK(dlclose(user.handle) == 0);
    CHECK(!is_loaded("./user.so") && is_loaded("./types.so"));
    collect(3);
    user = open_module("./user.so", RTLD_LOCAL);
    types = open_module("./types.so", RTLD_LOCAL);
    CHECK(user.module->check(tri_handle_get(handle), OBJECTS));
    CHECK(user.module->type() == dlsym(types.handle, "tri_type_node"));
}

/* ---------------------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*run)(void);
} cases[] = {
    {"local_types", local_types},
    {"global_types", global_types},
    {"unused_types", unused_types},
    {"types_of_roots", types_of_roots},
    {"types_of_arenas", types_of_arenas},
    {"roots_go", roots_go},
    {"roots_churn", roots_churn},
    {"types_churn", types_churn},
    {"constructors_wait", constructors_wait},
    {"blocks_with_locks", blocks_with_locks},
    {"objects_with_locks", objects_with_locks},
    {"closed_at_exit", closed_at_exit},
    {"closed_beside_exit", closed_beside_exit},
    {"children_exit", children_exit},
    {"copies_apart", copies_apart},
    {"copies_together", copies_together},
    {"type_of_another", type_of_another},
};
#define CASES (sizeof cases / sizeof *cases)

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--list") == 0) {
        for (size_t i = 0; i < CASES; i++)
            puts(cases[i].name);
        return 0;
    }
    CHECK(argc == 3 && chdir(argv[1]) == 0);
    alarm(300); /* a deadlock is a failure */
    for (size_t i = 0; i < CASES; i++) {
        if (strcmp(cases[i].name, argv[2]) != 0)
            continue;
        CHECK(atexit(close_at_exit) == 0 && tri_init(NULL) == 0);
        cases[i].run();
        tri_shutdown();
        return 0;
    }
    fprintf(stderr, "no case %s\n", argv[2]);
    return 2;
}
