/* SPDX-License-Identifier: MIT */
/* Reads /proc/self/cgroup and the limit files of each group up to the root. Formats:
 * cgroups(7). Threads: any. */
#include "base/cgroup.h"

#include <limits.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One number from a file; "max", no file, or nonsense is no limit. */
static size_t read_limit(const char *path)
{
    unsigned long long value;
    FILE *file = fopen(path, "re");
    size_t limit = SIZE_MAX;

    if (file == NULL)
        return SIZE_MAX;
    if (fscanf(file, "%llu", &value) == 1 && value != 0 &&
        value < (unsigned long long)LLONG_MAX / 2)
        limit = (size_t)value;
    fclose(file);
    return limit;
}

/* The least limit of `group` and the groups it lies in; shortens `group` on the way. */
static size_t least_limit(const char *mount, char *group, const char *name)
{
    size_t least = SIZE_MAX;

    for (;;) {
        char path[PATH_MAX], *slash = strrchr(group, '/');

        if ((size_t)snprintf(path, sizeof path, "%s%s/%s", mount, group, name) < sizeof path) {
            size_t limit = read_limit(path);

            least = limit < least ? limit : least;
        }
        if (slash == NULL)
            return least;
        *slash = '\0';
    }
}

/* A line is "number:controllers:group"; v2 has no controllers. */
static size_t limit_of_line(char *line)
{
    char *controllers = strchr(line, ':'), *group;

    if (controllers == NULL || (group = strchr(++controllers, ':')) == NULL)
        return SIZE_MAX;
    *group++ = '\0';
    group[strcspn(group, "\n")] = '\0';
    if (*controllers == '\0')
        return least_limit("/sys/fs/cgroup", group, "memory.max");
    if (strstr(controllers, "memory") != NULL)
        return least_limit("/sys/fs/cgroup/memory", group, "memory.limit_in_bytes");
    return SIZE_MAX;
}

size_t tri__cgroup_memory_limit(void)
{
    FILE *file = fopen("/proc/self/cgroup", "re");
    size_t least = SIZE_MAX, room = 0;
    char *line = NULL;

    if (file == NULL)
        return SIZE_MAX;
    while (getline(&line, &room, file) > 0) {
        size_t limit = limit_of_line(line);

        least = limit < least ? limit : least;
    }
    free(line);
    fclose(file);
    return least;
}
