/* SPDX-License-Identifier: MIT */
/* tests/inject/inject.h: calls of the library's that fail when they are told to.
 *
 * The program is linked with --wrap for each call of the table in wrap.c, so that the library's
 * calls, and the program's, come here first. A fault is a row of the table: a call, and the error
 * it has; the N-th such call fails, and if the fault is sticky all that follow. What is going on
 * lies in memory that children share with their parents: faults are counted over a fork. Threads:
 * any call; arming and looking by one that knows of all others. See: docs/testing.md "Fault
 * injection". */
#ifndef TRI__TESTS_INJECT_H
#define TRI__TESTS_INJECT_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define INJECT_ROWS_MOST 64

/* Of the machine's, at one moment. */
struct inject_held {
    long blocks;      /* of malloc's, that the library has */
    long mapped;      /* bytes */
    long threads;     /* of the process */
    long descriptors; /* of files, of the process */
};

enum inject_end {
    INJECT_DIED, /* said nothing before it ended */
    INJECT_ABSORBED,
    INJECT_ERROR, /* a documented one was returned */
    INJECT_WRONG, /* the child has said what */
};

/* Shared by the harness and its children. */
struct inject_state {
    /* atomic */
    uint32_t armed;
    uint64_t calls;                    /* of the row's kind, while armed */
    uint64_t fired;                    /* of these, how many failed */
    uint64_t census[INJECT_ROWS_MOST]; /* calls by row, while `counting` */

    /* const while armed */
    unsigned row;
    uint64_t number;
    bool sticky, counting;

    /* the child's */
    enum inject_end end;
    int error;
    struct inject_held held;
};
extern struct inject_state *inject;

struct inject_row {
    const char *call;    /* as the library imports it; SYS_... for what goes by syscall() */
    const char *variant; /* which error, for people */
    int error;           /* number of the error; 0: the call fails in a way of its own */
    bool once;           /* for ever would be no fault of a machine that runs */
    const char *fatal;   /* a message that it may end the process with; or NULL */
};
extern const struct inject_row inject_rows[];
extern const unsigned inject_row_count;

/* Calls that the library imports and that are no rows, with the reason. */
struct inject_argued {
    const char *calls; /* separated by blanks; a * at the end stands for any rest */
    const char *reason;
};
extern const struct inject_argued inject_argued[];
extern const unsigned inject_argued_count;

void inject_arm(void);
void inject_disarm(void);
struct inject_held inject_look(void);

/* ---- scenarios ---- */

struct scenario {
    const char *name;
    void (*prepare)(void); /* must not fail: nothing is armed */
    int (*act)(void);      /* 0, or a documented error, with nothing left behind */
    void (*clean)(void);
    const char *fatal; /* that it may end with whatever the call; or NULL */
    bool needs_threads_after_fork;
};
extern const struct scenario scenarios[];
extern const unsigned scenario_count;

/* The heap works: objects are made, survive and are collected. NULL, or what is wrong. */
const char *heap_trouble(void);

/* Ends the child: what it has done is wrong. */
_Noreturn void inject_wrong(const char *file, int line, const char *what);

#define INJECT_MUST(condition)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            inject_wrong(__FILE__, __LINE__, #condition);                                          \
    } while (0)

/* The calls themselves, for what must not fail when the library's do. */
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*function)(void *), void *argument);

#endif
