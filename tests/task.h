/* SPDX-License-Identifier: MIT */
/* tests/task.h: what the kernel says of a thread of this process. Threads: any. */
#ifndef TRI__TESTS_TASK_H
#define TRI__TESTS_TASK_H

#include <stdio.h>
#include <string.h>

struct task {
    char state; /* 'R', 'S', 'Z', ...; '\0': there is no such thread any more */
    unsigned long flags;
};

/* The third field of /proc/<pid>/stat and the ninth: the name before them may have spaces in it. */
static inline struct task task_now(unsigned long tid)
{
    char path[64], text[600] = "";
    const char *after_name;
    struct task task = {0};
    FILE *file;

    snprintf(path, sizeof path, "/proc/self/task/%lu/stat", tid);
    file = fopen(path, "re");
    if (file == NULL)
        return task;
    if (fgets(text, sizeof text, file) != NULL && (after_name = strrchr(text, ')')) != NULL)
        sscanf(after_name, ") %c %*d %*d %*d %*d %*d %lu", &task.state, &task.flags);
    fclose(file);
    return task;
}

#endif
