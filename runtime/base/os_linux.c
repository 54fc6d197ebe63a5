/* SPDX-License-Identifier: MIT */
/* base/os_linux.c: base/os.h on Linux with glibc. */
#include "base/os.h"

#include "base/fatal.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_SECOND 1000000000u
#define THREAD_NAME_BYTES 16u /* with the terminator; the kernel takes no more */
#define STATM_BYTES 128u
#define SHORT_SLICE_NS 100000u /* the least that Linux takes */

/* ---- memory ---- */

static void *map_anonymous(size_t bytes, int protection)
{
    void *start =
        mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return start == MAP_FAILED ? NULL : start;
}

/* Kept out of core files until it is committed: a debugger that writes one would write all of it,
 * and fill the disk. */
void *tri__os_reserve(size_t bytes)
{
    void *start = map_anonymous(bytes, PROT_NONE);
    if (start != NULL && madvise(start, bytes, MADV_DONTDUMP) != 0)
        tri__warn("core files may contain the reserved address space (errno %d)", errno);
    return start;
}

void *tri__os_map(size_t bytes) { return map_anonymous(bytes, PROT_READ | PROT_WRITE); }

int tri__os_commit(void *start, size_t bytes)
{
    if (mprotect(start, bytes, PROT_READ | PROT_WRITE) != 0)
        return -errno;
    if (madvise(start, bytes, MADV_DODUMP) != 0)
        tri__warn("core files will lack %zu bytes of the heap at %p (errno %d)", bytes, start,
                  errno);
    return 0;
}

void tri__os_decommit(void *start, size_t bytes)
{
    /* Refused for locked memory (mlockall), which stays resident; the promise of zeros is kept. */
    if (madvise(start, bytes, MADV_DONTNEED) != 0)
        memset(start, 0, bytes);
}

int tri__os_protect(void *start, size_t bytes)
{
    tri__os_decommit(start, bytes);
    return mprotect(start, bytes, PROT_NONE) == 0 ? 0 : -errno;
}

void tri__os_unmap(void *start, size_t bytes)
{
    if (munmap(start, bytes) == 0)
        return;
    /* The kernel may have no room for one more mapping when a hole is cut. Then the addresses are
     * lost, not the memory. */
    if (errno != ENOMEM)
        tri__fatal("munmap(%p, %zu) failed (errno %d)", start, bytes, errno);
    if (madvise(start, bytes, MADV_DONTNEED) != 0)
        tri__warn("%zu bytes at %p could not be given back (errno %d)", bytes, start, errno);
}

/* ---- figures ---- */

size_t tri__os_page_size(void)
{
    long bytes = sysconf(_SC_PAGESIZE);
    TRI__ASSERT(bytes > 0);
    return (size_t)bytes;
}

size_t tri__os_physical_memory(void)
{
    long pages = sysconf(_SC_PHYS_PAGES);
    return pages > 0 ? (size_t)pages * tri__os_page_size() : 0;
}

unsigned tri__os_cpus(void)
{
    cpu_set_t allowed;
    if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) {
        int count = CPU_COUNT(&allowed);
        return count > 0 ? (unsigned)count : 1;
    }
    /* The set is too small for this machine: count all its processors. */
    long online = sysconf(_SC_NPROCESSORS_ONLN);
    return online > 0 ? (unsigned)online : 1;
}

int tri__os_open(const char *path)
{
    long file = syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    return file < 0 ? -errno : (int)file;
}

long tri__os_read(int file, void *to, size_t room)
{
    long got;
    do {
        got = syscall(SYS_read, file, to, room);
    } while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

void tri__os_close(int file) { (void)syscall(SYS_close, file); /* read only: nothing can be lost */ }

static long read_start_of_file(const char *path, char *text, size_t room)
{
    int file = tri__os_open(path);
    if (file < 0)
        return -1;
    long got = tri__os_read(file, text, room - 1);
    tri__os_close(file);
    text[got > 0 ? got : 0] = '\0';
    return got;
}

size_t tri__os_resident_bytes(void)
{
    char text[STATM_BYTES];
    if (read_start_of_file("/proc/self/statm", text, sizeof text) <= 0)
        return 0;
    /* The second number, in pages. */
    char *second = strchr(text, ' ');
    return second == NULL ? 0 : strtoul(second, NULL, 10) * tri__os_page_size();
}

/* ---- time and threads ---- */

static struct timespec monotonic_time(void)
{
    struct timespec now;
    if (clock_gettime(CLOCK_MONOTONIC, &now) != 0)
        tri__fatal("the monotonic clock can't be read (errno %d)", errno);
    return now;
}

uint64_t tri__os_now(void)
{
    struct timespec now = monotonic_time();
    uint64_t ns = (uint64_t)now.tv_sec * NS_PER_SECOND + (uint64_t)now.tv_nsec;
    return ns == 0 ? 1 : ns;
}

uint32_t tri__os_tid(void) { return (uint32_t)syscall(SYS_gettid); }

int tri__os_pid(void) { return (int)getpid(); }

int tri__os_signal_thread(uint32_t tid, int number)
{
    return syscall(SYS_tgkill, getpid(), (pid_t)tid, number) == 0 ? 0 : -errno;
}

void tri__os_yield(void) { (void)sched_yield(); /* cannot fail on Linux */ }

void tri__os_sleep(uint64_t ns)
{
    /* Until a point in time, so that a storm of signals does not stretch the sleep. */
    struct timespec until = monotonic_time();
    ns += (uint64_t)until.tv_nsec;
    until.tv_sec += (time_t)(ns / NS_PER_SECOND);
    until.tv_nsec = (long)(ns % NS_PER_SECOND);
    long status; /* not by clock_nanosleep(), which is a cancellation point */
    do {
        status = syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL);
    } while (status != 0 && errno == EINTR);
    if (status != 0)
        tri__fatal("sleeping failed (errno %d)", errno);
}

/* What glibc 2.36 has no declaration of; <linux/sched/types.h> clashes with <sched.h>. */
struct scheduling {
    uint32_t size;
    uint32_t policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime; /* SCHED_OTHER, Linux 6.12 and later: the slice in nanoseconds */
    uint64_t deadline;
    uint64_t period;
};

void tri__os_ask_for_short_slice(void)
{
    struct scheduling now = {0}; /* Valgrind does not know what the call writes */

    if (syscall(SYS_sched_getattr, 0, &now, sizeof now, 0) != 0 || now.policy != SCHED_OTHER)
        return;
    now.size = sizeof now;
    now.runtime = SHORT_SLICE_NS;
    (void)syscall(SYS_sched_setattr, 0, &now, 0);
}

/* libc says of an unlimited stack of the main thread that it reaches down to the next mapping. That may
 * be most of the address space, in which there will be other mappings. */
#define STACK_BYTES_MAX ((size_t)64 << 30)

int tri__os_stack_bounds(uintptr_t *low, uintptr_t *high)
{
    pthread_attr_t attributes;
    int status = pthread_getattr_np(pthread_self(), &attributes);
    if (status != 0)
        return -status;
    void *start;
    size_t bytes;
    status = pthread_attr_getstack(&attributes, &start, &bytes);
    int destroyed = pthread_attr_destroy(&attributes);
    if (status != 0 || destroyed != 0)
        return status != 0 ? -status : -destroyed;
    *high = (uintptr_t)start + bytes;
    *low = bytes <= STACK_BYTES_MAX ? (uintptr_t)start : *high - STACK_BYTES_MAX;
    return 0;
}

static void block_signals(sigset_t *before)
{
    static const int own_faults[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT};
    sigset_t blocked;
    int status = sigfillset(&blocked);
    for (size_t i = 0; i < sizeof own_faults / sizeof own_faults[0]; i++)
        status |= sigdelset(&blocked, own_faults[i]);
    TRI__ASSERT(status == 0);
    status = pthread_sigmask(SIG_SETMASK, &blocked, before);
    TRI__ASSERT(status == 0);
}

static void name_thread(pthread_t thread, const char *name)
{
    char cut[THREAD_NAME_BYTES] = {0};
    strncpy(cut, name, sizeof cut - 1);
    (void)pthread_setname_np(thread, cut); /* only tools show it: a thread without a name works */
}

int tri__os_thread_start(pthread_t *thread, void *(*function)(void *), void *argument,
                         const char *name)
{
    /* The new thread inherits the mask, so there is no moment at which it could take a signal. */
    sigset_t before;
    block_signals(&before);
    int status = pthread_create(thread, NULL, function, argument);
    int restored = pthread_sigmask(SIG_SETMASK, &before, NULL);
    TRI__ASSERT(restored == 0);
    if (status != 0)
        return -status;
    name_thread(*thread, name);
    return 0;
}
