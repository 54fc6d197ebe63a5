/* SPDX-License-Identifier: MIT */
/* tests/inject/wrap.c: the table of calls, and what stands in front of each.
 *
 * tests/test_inject.sh compares the table with what libtricolor.so imports: a call that is neither
 * a row nor argued out fails the test. */
#include "inject.h"

#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

struct inject_state *inject;

#define CLOCK "the monotonic clock can't be read"
#define FUTEX "futex w"

const struct inject_row inject_rows[] = {
    {"mmap", "ENOMEM", ENOMEM, false, NULL},
    {"munmap", "ENOMEM", ENOMEM, false, NULL},
    {"munmap", "EINVAL", EINVAL, false, "munmap("},
    {"mprotect", "ENOMEM", ENOMEM, false, NULL},
    {"madvise", "EINVAL", EINVAL, false, NULL},
    {"malloc", "NULL", ENOMEM, false, NULL},
    {"calloc", "NULL", ENOMEM, false, NULL},
    {"aligned_alloc", "NULL", ENOMEM, false, NULL},
    {"pthread_create", "EAGAIN", EAGAIN, false, NULL},
    {"pthread_key_create", "EAGAIN", EAGAIN, false, NULL},
    {"pthread_setspecific", "ENOMEM", ENOMEM, false, NULL},
    {"pthread_mutex_init", "ENOMEM", ENOMEM, false, NULL},
    {"pthread_mutex_trylock", "EBUSY", EBUSY, false, NULL},
    {"pthread_getattr_np", "ENOMEM", ENOMEM, false, NULL},
    {"pthread_attr_getstack", "EINVAL", EINVAL, false, NULL},
    {"pthread_setname_np", "ENOENT", ENOENT, false, NULL},
    {"register_atfork", "ENOMEM", ENOMEM, false, NULL},
    {"cxa_atexit", "-1", 0, false, NULL},
    {"cxa_thread_atexit_impl", "-1", 0, false, NULL},
    {"clock_gettime", "EINVAL", EINVAL, false, CLOCK},
    {"sched_getaffinity", "EINVAL", EINVAL, false, NULL},
    {"sysconf", "-1", 0, false, NULL}, /* but for the size of a page, which there is */
    {"sigaction", "EINVAL", EINVAL, false, NULL},
    {"fopen", "EMFILE", EMFILE, false, NULL},
    {"fscanf", "EOF", EIO, false, NULL},
    {"getdelim", "-1", EIO, false, NULL},
    {"dlopen", "NULL", 0, false, NULL},
    {"dlinfo", "-1", 0, false, NULL},
    {"process_vm_readv", "EPERM", EPERM, false, NULL},
    {"SYS_futex.wait", "EINTR", EINTR, true, NULL},
    {"SYS_futex", "ENOSYS", ENOSYS, false, FUTEX},
    {"SYS_openat", "EMFILE", EMFILE, false, NULL},
    {"SYS_read", "EIO", EIO, false, NULL},
    {"SYS_read", "EINTR", EINTR, true, NULL},
    {"SYS_write", "EPIPE", EPIPE, false, NULL},
    {"SYS_write", "EINTR", EINTR, true, NULL},
    {"SYS_tgkill", "EAGAIN", EAGAIN, false, NULL},
    {"SYS_clock_nanosleep", "EINTR", EINTR, true, NULL},
    {"SYS_sched_getattr", "EPERM", EPERM, false, NULL},
    {"SYS_sched_setattr", "EPERM", EPERM, false, NULL},
};
const unsigned inject_row_count = sizeof inject_rows / sizeof inject_rows[0];
_Static_assert(sizeof inject_rows / sizeof inject_rows[0] <= INJECT_ROWS_MOST, "census");

const struct inject_argued inject_argued[] = {
    {"free fclose abort SYS_close SYS_gettid getpid sched_yield", "cannot fail"},
    {"mem* str* qsort snprintf vsnprintf sched_cpucount",
     "computes; no resource, no error but misuse"},
    {"errno_location tls_get_addr cxa_finalize gmon_start* ITM_* stack_chk_fail",
     "the compiler's and the loader's"},
    {"libc_current_sigrt* sig*set", "sets and numbers of signals: no error but misuse"},
    {"getenv secure_getenv", "NULL is no error"},
    {"getauxval", "0 is no error: the program is not known then"},
    {"dl_iterate_phdr", "returns what the function returns that it is given"},
    {"pthread_self pthread_once pthread_setcancelstate pthread_sigmask",
     "no error but misuse, which is asserted"},
    {"pthread_mutex_lock pthread_mutex_unlock pthread_mutex_destroy",
     "of a plain lock: no error but misuse"},
    {"pthread_cond_wait pthread_cond_signal pthread_cond_broadcast",
     "no error but misuse; may return early, which a loop takes"},
    {"pthread_join pthread_attr_destroy",
     "gives back what is there: no error but misuse"},
    {"signal raise", "in the handler of faults, where the process dies"},
    {"asan_* lsan_*", "the sanitizers'"},
    {"urcu_bp_*", "liburcu's: void, and it ends the process by itself; membarrier is called by it"},
    {"syscall", "by its number: SYS_..."},
};
const unsigned inject_argued_count = sizeof inject_argued / sizeof inject_argued[0];

/* ---- what is not the library's ---- */

static _Thread_local bool writes_coverage;

/* In a build with --coverage a process writes what it has counted before it ends. That takes memory,
 * and gcc's part of it does not look whether there is some. */
#ifdef TRI__TESTS_COVERAGE_H
void __real___gcov_dump(void);
void __wrap___gcov_dump(void);
void __wrap___gcov_dump(void)
{
    writes_coverage = true;
    __real___gcov_dump();
    writes_coverage = false;
}
#endif

/* ---- whether a call fails ---- */

static bool counts(unsigned row, const char *call)
{
    return strcmp(inject_rows[row].call, call) == 0;
}

static void count(const char *call)
{
    for (unsigned row = 0; row < inject_row_count; row++)
        if (counts(row, call))
            __atomic_fetch_add(&inject->census[row], 1, __ATOMIC_RELAXED);
}

/* The row that the call fails with, or NULL. */
static const struct inject_row *fault(const char *call)
{
    uint64_t number;

    if (inject == NULL || writes_coverage ||
        __atomic_load_n(&inject->armed, __ATOMIC_ACQUIRE) == 0)
        return NULL;
    if (inject->counting)
        count(call);
    if (inject->counting || !counts(inject->row, call))
        return NULL;
    number = __atomic_add_fetch(&inject->calls, 1, __ATOMIC_RELAXED);
    if (inject->sticky ? number < inject->number : number != inject->number)
        return NULL;
    __atomic_fetch_add(&inject->fired, 1, __ATOMIC_RELAXED);
    return &inject_rows[inject->row];
}

/* The same for a call that leaves its error in errno. */
static bool fails(const char *call)
{
    const struct inject_row *row = fault(call);

    if (row != NULL && row->error != 0)
        errno = row->error;
    return row != NULL;
}

/* The same for a call that returns it. */
static int error_of(const char *call)
{
    const struct inject_row *row = fault(call);

    return row != NULL ? row->error : 0;
}

void inject_arm(void)
{
    __atomic_store_n(&inject->armed, 1, __ATOMIC_RELEASE);
}

void inject_disarm(void)
{
    __atomic_store_n(&inject->armed, 0, __ATOMIC_RELEASE);
}

/* ---- what the library has ---- */

static long blocks, mapped; /* atomic */

static void *note_block(void *block)
{
    if (block != NULL)
        __atomic_fetch_add(&blocks, 1, __ATOMIC_RELAXED);
    return block;
}

static long entries(const char *path)
{
    DIR *directory = opendir(path);
    long n = 0;

    if (directory == NULL)
        return -1;
    while (readdir(directory) != NULL)
        n++;
    closedir(directory);
    return n - 2; /* . and .. */
}

struct inject_held inject_look(void)
{
    return (struct inject_held){
        .blocks = __atomic_load_n(&blocks, __ATOMIC_RELAXED),
        .mapped = __atomic_load_n(&mapped, __ATOMIC_RELAXED),
        .threads = entries("/proc/self/task"),
        .descriptors = entries("/proc/self/fd"),
    };
}

/* ---- memory ---- */

void *__real_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset);
void *__wrap_mmap(void *at, size_t bytes, int protection, int flags, int file, off_t offset)
{
    void *start =
        fails("mmap") ? MAP_FAILED : __real_mmap(at, bytes, protection, flags, file, offset);

    if (start != MAP_FAILED)
        __atomic_fetch_add(&mapped, (long)bytes, __ATOMIC_RELAXED);
    return start;
}

/* What cannot be unmapped is lost, and the library says so: it is not counted. */
int __real_munmap(void *start, size_t bytes);
int __wrap_munmap(void *start, size_t bytes);
int __wrap_munmap(void *start, size_t bytes)
{
    __atomic_fetch_sub(&mapped, (long)bytes, __ATOMIC_RELAXED);
    return fails("munmap") ? -1 : __real_munmap(start, bytes);
}

void *__real_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes);
void *__wrap_malloc(size_t bytes)
{
    return note_block(fails("malloc") ? NULL : __real_malloc(bytes));
}

void *__real_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes);
void *__wrap_calloc(size_t n, size_t bytes)
{
    return note_block(fails("calloc") ? NULL : __real_calloc(n, bytes));
}

void *__real_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes);
void *__wrap_aligned_alloc(size_t alignment, size_t bytes)
{
    return note_block(fails("aligned_alloc") ? NULL : __real_aligned_alloc(alignment, bytes));
}

void __real_free(void *block);
void __wrap_free(void *block);
void __wrap_free(void *block)
{
    if (block != NULL)
        __atomic_fetch_sub(&blocks, 1, __ATOMIC_RELAXED);
    __real_free(block);
}

/* ---- files ---- */

/* The line is a block that the library frees. */
static ssize_t get_line(char **line, size_t *room, int end, FILE *file,
                        ssize_t (*real)(char **, size_t *, int, FILE *))
{
    bool had = *line != NULL;
    ssize_t got = fails("getdelim") ? -1 : real(line, room, end, file);

    if (!had)
        note_block(*line);
    return got;
}

ssize_t __real___getdelim(char **line, size_t *room, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *room, int end, FILE *file);
ssize_t __wrap___getdelim(char **line, size_t *room, int end, FILE *file)
{
    return get_line(line, room, end, file, __real___getdelim);
}

/* Without optimization. */
ssize_t __wrap_getline(char **line, size_t *room, FILE *file);
ssize_t __wrap_getline(char **line, size_t *room, FILE *file)
{
    return get_line(line, room, '\n', file, __real___getdelim);
}

static int scan(FILE *file, const char *format, va_list arguments)
{
    return fails("fscanf") ? EOF : vfscanf(file, format, arguments);
}

int __wrap___isoc99_fscanf(FILE *file, const char *format, ...);
int __wrap___isoc99_fscanf(FILE *file, const char *format, ...)
{
    va_list arguments;
    int got;

    va_start(arguments, format);
    got = scan(file, format, arguments);
    va_end(arguments);
    return got;
}

int __wrap___isoc23_fscanf(FILE *file, const char *format, ...);
int __wrap___isoc23_fscanf(FILE *file, const char *format, ...)
{
    va_list arguments;
    int got;

    va_start(arguments, format);
    got = scan(file, format, arguments);
    va_end(arguments);
    return got;
}

/* ---- the others ---- */

/* Those that leave their error in errno, or nowhere, and return `bad`. */
#define WRAP(type, name, call, parameters, arguments, bad)                                         \
    type __real_##name parameters;                                                                 \
    type __wrap_##name parameters;                                                                 \
    type __wrap_##name parameters                                                                  \
    {                                                                                              \
        return fails(call) ? (bad) : __real_##name arguments;                                      \
    }

/* Those that return it. */
#define WRAP_NUMBER(name, parameters, arguments)                                                   \
    int __real_##name parameters;                                                                  \
    int __wrap_##name parameters;                                                                  \
    int __wrap_##name parameters                                                                   \
    {                                                                                              \
        int error = error_of(#name);                                                               \
                                                                                                   \
        return error != 0 ? error : __real_##name arguments;                                       \
    }

WRAP(int, mprotect, "mprotect", (void *start, size_t bytes, int protection),
     (start, bytes, protection), -1)
WRAP(int, madvise, "madvise", (void *start, size_t bytes, int advice), (start, bytes, advice), -1)
WRAP(FILE *, fopen, "fopen", (const char *path, const char *mode), (path, mode), NULL)
WRAP(int, clock_gettime, "clock_gettime", (clockid_t clock, struct timespec *now), (clock, now), -1)
WRAP(int, sched_getaffinity, "sched_getaffinity", (pid_t thread, size_t bytes, cpu_set_t *set),
     (thread, bytes, set), -1)
WRAP(int, sigaction, "sigaction",
     (int number, const struct sigaction *action, struct sigaction *before),
     (number, action, before), -1)
WRAP(ssize_t, process_vm_readv, "process_vm_readv",
     (pid_t pid, const struct iovec *here, unsigned long n, const struct iovec *there,
      unsigned long m, unsigned long flags),
     (pid, here, n, there, m, flags), -1)
WRAP(void *, dlopen, "dlopen", (const char *name, int flags), (name, flags), NULL)
WRAP(int, dlinfo, "dlinfo", (void *handle, int request, void *to), (handle, request, to), -1)
WRAP(int, __cxa_atexit, "cxa_atexit", (void (*function)(void *), void *argument, void *object),
     (function, argument, object), -1)
WRAP(int, __cxa_thread_atexit_impl, "cxa_thread_atexit_impl",
     (void (*function)(void *), void *argument, void *object), (function, argument, object), -1)

WRAP_NUMBER(pthread_create,
            (pthread_t * thread, const pthread_attr_t *attributes, void *(*function)(void *),
             void *argument),
            (thread, attributes, function, argument))
WRAP_NUMBER(pthread_key_create, (pthread_key_t * key, void (*function)(void *)), (key, function))
WRAP_NUMBER(pthread_mutex_init, (pthread_mutex_t * lock, const pthread_mutexattr_t *attributes),
            (lock, attributes))
WRAP_NUMBER(pthread_mutex_trylock, (pthread_mutex_t * lock), (lock))
WRAP_NUMBER(pthread_getattr_np, (pthread_t thread, pthread_attr_t *attributes),
            (thread, attributes))
WRAP_NUMBER(pthread_attr_getstack, (const pthread_attr_t *attributes, void **low, size_t *bytes),
            (attributes, low, bytes))
WRAP_NUMBER(pthread_setname_np, (pthread_t thread, const char *name), (thread, name))

/* Making room for a key may fail, taking it back may not. */
int __real_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value);
int __wrap_pthread_setspecific(pthread_key_t key, const void *value)
{
    int error = value != NULL ? error_of("pthread_setspecific") : 0;

    return error != 0 ? error : __real_pthread_setspecific(key, value);
}

int __real___register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void),
                             void *object);
int __wrap___register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void),
                             void *object);
int __wrap___register_atfork(void (*before)(void), void (*parent)(void), void (*child)(void),
                             void *object)
{
    int error = error_of("register_atfork");

    return error != 0 ? error : __real___register_atfork(before, parent, child, object);
}

long __real_sysconf(int name);
long __wrap_sysconf(int name);
long __wrap_sysconf(int name)
{
    return name != _SC_PAGESIZE && fails("sysconf") ? -1 : __real_sysconf(name);
}

/* ---- system calls by number ---- */

static const struct by_number {
    long number;
    int arguments;
    const char *name;
} by_number[] = {
    {SYS_futex, 6, "SYS_futex"},
    {SYS_openat, 3, "SYS_openat"},
    {SYS_read, 3, "SYS_read"},
    {SYS_write, 3, "SYS_write"},
    {SYS_close, 1, ""},
    {SYS_gettid, 0, ""},
    {SYS_tgkill, 3, "SYS_tgkill"},
    {SYS_clock_nanosleep, 4, "SYS_clock_nanosleep"},
    {SYS_sched_getattr, 4, "SYS_sched_getattr"},
    {SYS_sched_setattr, 3, "SYS_sched_setattr"},
};

static const struct by_number *find_number(long number)
{
    for (unsigned i = 0; i < sizeof by_number / sizeof by_number[0]; i++)
        if (by_number[i].number == number)
            return &by_number[i];
    fprintf(stderr, "system call %ld is not in the table of tests/inject/wrap.c\n", number);
    abort();
}

long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    const struct by_number *call = find_number(number);
    va_list arguments;
    long a[6] = {0};

    va_start(arguments, number);
    for (int i = 0; i < call->arguments; i++)
        a[i] = va_arg(arguments, long);
    va_end(arguments);
    if (fails(call->name))
        return -1;
    if (number == SYS_futex && a[1] == FUTEX_WAIT_PRIVATE && fails("SYS_futex.wait"))
        return -1;
    return __real_syscall(number, a[0], a[1], a[2], a[3], a[4], a[5]);
}
