/* SPDX-License-Identifier: MIT */
/* Reading /proc/thread-self/maps line by line. A line is
 *
 *     start-end rwxp offset device inode      name
 *
 * and the first of a file is where it is loaded. */
#include "mutator/code_map.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/os.h"

#define RANGES_MAX 512
#define NAMES_BYTES ((size_t)32 << 10)
#define LINE_BYTES 4400 /* a path, and what stands before it */

struct range {
    uintptr_t start, end;
    uintptr_t base; /* of the file */
    const char *name;
};

static struct {
    struct range ranges[RANGES_MAX]; /* executable ones, and that of `data`, by address */
    uintptr_t data;                  /* 0: none */
    unsigned count;
    char names[NAMES_BYTES];
    size_t names_used;

    /* of the file that the last line was about */
    char name[LINE_BYTES];
    uintptr_t base;
    const char *kept; /* its name among `names`; NULL: not there yet */
} map;

static const char *keep_name(const char *name)
{
    size_t bytes = strlen(name) + 1;
    char *to = map.names + map.names_used;

    if (map.kept != NULL)
        return map.kept;
    if (bytes > NAMES_BYTES - map.names_used)
        return "?";
    map.names_used += bytes;
    map.kept = memcpy(to, name, bytes);
    return map.kept;
}

/* The name is the rest of the line after five words; "" if it has none. */
static const char *name_in(const char *line)
{
    for (int words = 0; words < 5; words++) {
        line += strcspn(line, " ");
        line += strspn(line, " ");
    }
    return line;
}

static void take_line(char *line)
{
    char *end;
    uintptr_t start = strtoul(line, &end, 16), stop = *end == '-' ? strtoul(end + 1, &end, 16) : 0;
    const char *name = name_in(line);

    if (stop == 0)
        return;
    if (strcmp(name, map.name) != 0 || *name == '\0') {
        snprintf(map.name, sizeof map.name, "%s", name);
        map.base = start;
        map.kept = NULL;
    }
    if (strlen(end) < 4 || map.count == RANGES_MAX)
        return;
    if (end[3] != 'x' && (map.data < start || map.data >= stop))
        return;
    map.ranges[map.count++] = (struct range){start, stop, map.base, keep_name(map.name)};
}

/* Takes whole lines off the front; returns how many bytes are left of one. */
static size_t take_lines(char *text, size_t bytes)
{
    char *end;

    while ((end = memchr(text, '\n', bytes)) != NULL) {
        *end = '\0';
        take_line(text);
        bytes -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    return bytes;
}

void tri__code_map_read(void)
{
    static char text[2 * LINE_BYTES];
    size_t used = 0;
    long got;
    int file = tri__os_open("/proc/thread-self/maps");

    map.count = 0;
    map.names_used = 0;
    map.name[0] = '\0';
    map.kept = NULL;
    if (file < 0)
        return;
    while (used < sizeof text && (got = tri__os_read(file, text + used, sizeof text - used)) > 0) {
        size_t all = used + (size_t)got;

        used = take_lines(text, all);
        memmove(text, text + all - used, used);
    }
    tri__os_close(file);
}

static const struct range *find(uintptr_t address)
{
    for (unsigned i = 0; i < map.count; i++)
        if (address >= map.ranges[i].start && address < map.ranges[i].end)
            return &map.ranges[i];
    return NULL;
}

bool tri__code_map_has(uintptr_t address)
{
    return find(address) != NULL;
}

void tri__code_map_name(uintptr_t address, char *text, size_t room)
{
    const struct range *range = find(address);

    if (range == NULL || *range->name == '\0')
        snprintf(text, room, "%#" PRIxPTR, address);
    else
        snprintf(text, room, "%s+%#" PRIxPTR, range->name, address - range->base);
}

void tri__code_map_name_data(uintptr_t address, char *text, size_t room)
{
    map.data = address;
    tri__code_map_read();
    tri__code_map_name(address, text, room);
    map.data = 0;
}
