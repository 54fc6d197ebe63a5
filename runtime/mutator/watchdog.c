/* SPDX-License-Identifier: MIT */
/* What a silent thread does, as the kernel tells it.
 *
 * Such a thread may hold any lock of the program's or the C library's, malloc's and the loader's
 * among them. So nothing here takes one: no malloc, no stdio, no dladdr(); files of /proc are read
 * with system calls into static memory. Nor is anything written under RCU, for a pipe may be full.
 * Threads: one at a time, as handshakes are. */
#include "mutator/watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <tricolor/window.h>

#include "base/config.h"
#include "base/os.h"
#include "base/print.h"
#include "mutator/code_map.h"
#include "mutator/registry.h"
#include "mutator/signal.h"

#define DEFAULT_MS 1000u
#define NS_PER_MS UINT64_C(1000000)
#define THREADS_MAX 16 /* that are named at once; others are counted */
#define WORDS_MAX 4096 /* of a stack that are looked at */
#define FRAMES_MAX 24  /* of those, which lie in code and are shown */
#define CHUNK_WORDS 64

static uint64_t limit_ns; /* 0: off */
static void (*log_line)(const char *line, void *argument);
static void *log_argument;
static struct tri__code_map map; /* as of the last report */

/* ---- lines ---- */

static void write_line(const char *line, void *unused)
{
    (void)unused;
    tri__write_all(STDERR_FILENO, line, strlen(line));
}

__attribute__((format(printf, 1, 2))) static void say(const char *format, ...)
{
    char line[400] = "tricolor: ";
    size_t used = strlen(line), room = sizeof line - used - 1;
    va_list arguments;
    int wanted;

    va_start(arguments, format);
    wanted = vsnprintf(line + used, room, format, arguments);
    va_end(arguments);
    used += wanted < 0 ? 0 : (size_t)wanted < room ? (size_t)wanted : room - 1;
    memcpy(line + used, "\n", 2);
    log_line(line, log_argument);
}

void tri__watchdog_init(const struct tri__options *options)
{
    unsigned ms = options->stall_ms != 0 ? options->stall_ms : DEFAULT_MS;

    limit_ns = ms == UINT_MAX ? 0 : ms * NS_PER_MS;
    log_line = options->log != NULL ? options->log : write_line;
    log_argument = options->log_argument;
}

uint64_t tri__watchdog_first(uint64_t start)
{
    return limit_ns == 0 ? UINT64_MAX : start + limit_ns;
}

/* ---- what is known of a thread ---- */

struct silent {
    uint32_t tid, request;
    uintptr_t refused_at, refused_stack;
};

struct collected {
    struct silent threads[THREADS_MAX];
    unsigned count; /* of all, also of those that had no room */
};

static void collect_silent(struct tri__mutator *mutator, void *argument)
{
    struct collected *collected = argument;

    if (!tri__mutator_is_asked(mutator))
        return;
    tri__signal_check_alive(mutator);
    if (collected->count < THREADS_MAX)
        collected->threads[collected->count] =
            (struct silent){mutator->tid, tri__load_relaxed(&mutator->writer.cache.front.request),
                            tri__load_relaxed(&mutator->refused_at),
                            tri__load_relaxed(&mutator->refused_stack)};
    collected->count++;
}

/* Lines take their time: one that was collected may have answered meanwhile, and may have ended.
 * Who leaves takes the request back first [inv.thread.ended]. */
struct sought {
    uint32_t tid;
    bool found;
};

static void look_for(struct tri__mutator *mutator, void *argument)
{
    struct sought *sought = argument;

    if (mutator->tid == sought->tid && tri__mutator_is_asked(mutator))
        sought->found = true;
}

static bool is_silent_still(uint32_t tid)
{
    struct sought sought = {tid, false};

    tri__registry_each(look_for, &sought);
    return sought.found;
}

/* A file of the thread's in /proc: its beginning, as a string; "" if it cannot be read. 0 or
 * -errno. */
static int read_file(uint32_t tid, const char *name, char *text, size_t room)
{
    char path[64];
    long got;
    int file;

    text[0] = '\0';
    snprintf(path, sizeof path, "/proc/self/task/%" PRIu32 "/%s", tid, name);
    file = tri__os_open(path);
    if (file < 0)
        return file;
    got = tri__os_read(file, text, room - 1);
    tri__os_close(file);
    text[got > 0 ? got : 0] = '\0';
    return got > 0 ? 0 : got < 0 ? (int)got : -ENOENT;
}

static const char *field_of(const char *status, const char *key)
{
    const char *at = strstr(status, key);

    return at != NULL ? at + strlen(key) : "";
}

/* ---- its stack ---- */

static void say_where(const char *what, uintptr_t pc)
{
    char place[300];

    tri__code_map_name(&map, pc, place, sizeof place);
    say("    %s%s", what, place);
}

/* How many of the words lie in code; those are said. */
static unsigned say_words(const uintptr_t *words, unsigned count, unsigned room)
{
    unsigned said = 0;

    for (unsigned i = 0; i < count && said < room; i++)
        if (tri__code_map_has(&map, words[i])) {
            say_where("", words[i]);
            said++;
        }
    return said;
}

/* Above the frames lies what the C library keeps of the thread, or the program's arguments. */
static void say_stack(uintptr_t pointer)
{
    uintptr_t words[CHUNK_WORDS], high;
    unsigned said = 0;

    pointer &= ~(uintptr_t)(sizeof words[0] - 1);
    high = pointer + WORDS_MAX * sizeof words[0];
    for (; pointer < high && said < FRAMES_MAX; pointer += sizeof words) {
        if (!tri__try_read(words, (const void *)pointer, sizeof words))
            return;
        said += say_words(words, CHUNK_WORDS, FRAMES_MAX - said);
    }
}

/* "number argument1 ... argument6 sp pc" of one that sleeps in a system call; "-1 sp pc" of one
 * that sleeps elsewhere in the kernel; "running". */
static bool read_syscall(uint32_t tid, long *number, uintptr_t *pointer, uintptr_t *pc)
{
    char text[256], *end;
    uintptr_t words[9];
    int count = 0;

    if (read_file(tid, "syscall", text, sizeof text) != 0 || text[0] == 'r')
        return false;
    *number = strtol(text, &end, 10);
    while (count < 9 && *end == ' ')
        words[count++] = strtoul(end, &end, 16);
    if (count < 2)
        return false;
    *pointer = words[count - 2];
    *pc = words[count - 1];
    return true;
}

static void say_refused(const struct silent *thread, bool runs)
{
    if (thread->refused_at == 0)
        return;
    say("  when a signal came last, and could not be answered, it was");
    say_where("at ", thread->refused_at);
    if (!runs)
        return;
    say("  what lies in code of the stack it had, callers and leftovers:");
    say_stack(thread->refused_stack);
}

static void say_place(const struct silent *thread)
{
    uintptr_t pointer, pc;
    long number;
    bool sleeps = read_syscall(thread->tid, &number, &pointer, &pc);

    if (sleeps) {
        say("  it sleeps in system call %ld; what lies in code of its stack, callers and leftovers:",
            number);
        say_where("at ", pc);
        say_stack(pointer);
    } else {
        say("  it runs; a debugger shows where");
    }
    say_refused(thread, !sleeps);
}

/* ---- why ---- */

#define SIGNAL_OF_LIBC 32 /* for cancellation; programs cannot block it */

static bool blocks(const char *status, int number)
{
    uint64_t blocked = strtoull(field_of(status, "SigBlk:"), NULL, 16);

    return number > 0 && (blocked >> (number - 1) & 1) != 0;
}

/* The handler blocks all there is [inv.window.whole]. */
static void say_blocked(const char *status)
{
    int number = tri__signal_number();

    if (blocks(status, SIGNAL_OF_LIBC))
        say("  it is answering, in the handler of signal %d", number);
    else if (blocks(status, number))
        say("  it blocks signal %d: unblock that in it, or see that it comes to a safepoint "
            "(tri_safepoint), or sleeps in TRI_BLOCKING",
            number);
}

static void say_reason(const struct silent *thread, const char *status)
{
    const char *trouble = tri__signal_trouble();

    if (trouble != NULL)
        say("  it cannot be asked by a signal: %s; it has to come to a safepoint (tri_safepoint), "
            "or to sleep in TRI_BLOCKING",
            trouble);
    else
        say_blocked(status);
    if ((thread->request & TRI__REQUEST_HELD) != 0)
        say("  it has called tri_bulk_barrier_pre_write(), and come to no safepoint since: call "
            "tri_safepoint() when the memory is moved");
    if ((thread->request & TRI__REQUEST_DEFERRED) != 0)
        say("  it is inside a function of the library, or left one by longjmp");
}

static const char *name_of(enum tri__request what)
{
    switch (what) {
    case TRI__REQUEST_PING:
        return "H1, second round";
    case TRI__REQUEST_ARM:
        return "H1";
    case TRI__REQUEST_SCAN:
        return "H2, to scan its stack";
    case TRI__REQUEST_FLUSH:
        return "H3, to give its barrier buffer away";
    case TRI__REQUEST_RELEASE:
        return "H4";
    }
    return "?";
}

/* Who is named by its number alone, if no more can be had. */
static void say_silent(const struct silent *thread, const char *status, enum tri__request what,
                       uint64_t waited)
{
    char comm[32], name[40] = "", state[16] = "";

    if (read_file(thread->tid, "comm", comm, sizeof comm) == 0)
        snprintf(name, sizeof name, "\"%.*s\" ", (int)strcspn(comm, "\n"), comm);
    if (*status != '\0')
        snprintf(state, sizeof state, ", state %.1s", field_of(status, "State:\t"));
    say("thread %s(tid %" PRIu32 "%s) has not answered %s for %" PRIu64 ".%03" PRIu64
        " s; the cycle waits for it, other threads do not",
        name, thread->tid, state, name_of(what), waited / (1000 * NS_PER_MS),
        waited / NS_PER_MS % 1000);
}

static void say_unknown(const struct silent *thread, int error)
{
    if (error == -EMFILE || error == -ENFILE)
        say("  what it does is not known: no file descriptor is free to read /proc with");
    else
        say("  what it does is not known: /proc cannot be read (error %d)", -error);
    say_refused(thread, false);
}

/* One whose number is gone is looked for by the next report. */
static void report(const struct silent *thread, enum tri__request what, uint64_t waited)
{
    char status[2048];
    int error = read_file(thread->tid, "status", status, sizeof status);

    if (!is_silent_still(thread->tid)) /* after its state was read */
        return;
    if (*field_of(status, "State:\t") == 'Z') /* the main thread, as long as there are others */
        tri__signal_thread_ended(thread->tid);
    say_silent(thread, status, what, waited);
    say_reason(thread, status);
    if (error == 0)
        say_place(thread);
    else
        say_unknown(thread, error);
}

uint64_t tri__watchdog_report(enum tri__request what, uint64_t start, uint64_t now)
{
    struct collected collected = {.count = 0};
    unsigned named;

    tri__registry_each(collect_silent, &collected);
    named = collected.count < THREADS_MAX ? collected.count : THREADS_MAX;
    if (named != 0)
        tri__code_map_read(&map, 0);
    for (unsigned i = 0; i < named; i++)
        report(&collected.threads[i], what, now - start);
    if (collected.count > named)
        say("and %u more threads", collected.count - named);
    return now + (now - start);
}
