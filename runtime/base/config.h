/* SPDX-License-Identifier: MIT */
/* base/config.h: what the program and the environment ask for, checked and merged into one
 * structure at tri_init.
 *
 * The environment (TRICOLOR_...) overrides the program's tri_config. What 0 stands for is decided
 * by the floor that uses the value. Autoconf's results are no business of this file. */
#ifndef TRI__BASE_CONFIG_H
#define TRI__BASE_CONFIG_H

#include <tricolor/gc.h>

/* What a missing barrier that was found leads to. */
enum tri__verify_barrier {
    TRI__VERIFY_OFF, /* nothing is looked for */
    TRI__VERIFY_WARN,
    TRI__VERIFY_ABORT,
};

struct tri__options {
    int gc_percent;      /* -1: no automatic cycles */
    size_t memory_limit; /* 0: from the cgroup; SIZE_MAX: none */
    size_t heap_reserve; /* 0: default; not rounded */
    unsigned markers;    /* 0: default */
    int signal;          /* 0: default; -1: never */
    unsigned stall_ms;   /* 0: default; UINT_MAX: never */
    bool (*oom)(size_t bytes, void *argument);
    void *oom_argument;
    void (*log)(const char *line, void *argument);
    void *log_argument;
    /* Text of the program's or the environment's, either of which may change it later: for use
     * during tri_init only. */
    const char *trace_file; /* NULL: none */
    bool trace_gc;
    bool oracle;   /* each layout written is checked; the default of --enable-debug */
    enum tri__verify_barrier barrier;
    uint64_t chaos_points, chaos_seed; /* as for tri__chaos_init() */
    bool layout;   /* words declared as no pointers are looked at */
    bool clobber;  /* freed memory is filled, and what is stored looked at */
    bool blocking; /* uses of the heap are looked at: from where */
    uint64_t seed; /* of whatever is random; 0: not given */
};

/* NULL: defaults. 0, or -EINVAL after one message that names the culprit, its value and what is
 * accepted; *out is untouched then.
 * Threads: none may change the environment meanwhile. */
int tri__options_load(struct tri__options *out, const tri_config *config);

#endif
