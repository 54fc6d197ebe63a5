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

static const char *keep_name(struct tri__code_map *map)
{
    size_t bytes = strlen(map->name) + 1;
    char *to = map->names + map->names_used;

    if (map->kept != NULL)
        return map->kept;
    if (bytes > sizeof map->names - map->names_used)
        return "?";
    map->names_used += bytes;
    map->kept = memcpy(to, map->name, bytes);
    return map->kept;
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

static void take_line(struct tri__code_map *map, char *line, uintptr_t variable)
{
    char *end;
    uintptr_t start = strtoul(line, &end, 16), stop = *end == '-' ? strtoul(end + 1, &end, 16) : 0;
    const char *name = name_in(line);

    if (stop == 0)
        return;
    if (strcmp(name, map->name) != 0 || *name == '\0') {
        snprintf(map->name, sizeof map->name, "%s", name);
        map->base = start;
        map->kept = NULL;
    }
    if (strlen(end) < 4 || map->count == TRI__CODE_RANGES)
        return;
    if (end[3] != 'x' && (variable < start || variable >= stop))
        return;
    map->ranges[map->count++] = (struct tri__code_range){start, stop, map->base, keep_name(map)};
}

/* Takes whole lines off the front; returns how many bytes are left of one. */
static size_t take_lines(struct tri__code_map *map, size_t bytes, uintptr_t variable)
{
    char *text = map->text, *end;

    while ((end = memchr(text, '\n', bytes)) != NULL) {
        *end = '\0';
        take_line(map, text, variable);
        bytes -= (size_t)(end + 1 - text);
        text = end + 1;
    }
    memmove(map->text, text, bytes);
    return bytes;
}

void tri__code_map_read(struct tri__code_map *map, uintptr_t variable)
{
    size_t used = 0;
    long got;
    int file = tri__os_open("/proc/thread-self/maps");

    map->count = 0;
    map->names_used = 0;
    map->name[0] = '\0';
    map->kept = NULL;
    if (file < 0)
        return;
    while (used < sizeof map->text &&
           (got = tri__os_read(file, map->text + used, sizeof map->text - used)) > 0)
        used = take_lines(map, used + (size_t)got, variable);
    tri__os_close(file);
}

static const struct tri__code_range *find(const struct tri__code_map *map, uintptr_t address)
{
    for (unsigned i = 0; i < map->count; i++)
        if (address >= map->ranges[i].start && address < map->ranges[i].end)
            return &map->ranges[i];
    return NULL;
}

bool tri__code_map_has(const struct tri__code_map *map, uintptr_t address)
{
    return find(map, address) != NULL;
}

void tri__code_map_name(const struct tri__code_map *map, uintptr_t address, char *text, size_t room)
{
    const struct tri__code_range *range = find(map, address);

    if (range == NULL || *range->name == '\0')
        snprintf(text, room, "%#" PRIxPTR, address);
    else
        snprintf(text, room, "%s+%#" PRIxPTR, range->name, address - range->base);
}
